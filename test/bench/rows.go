package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// A row is one line of the table.
type row struct {
	key, title string
	// fresh gives each run a new broker on an empty directory.
	fresh bool
	// once is for rows that are long or steady: one run.
	once bool
	// long gives slow products one run only.
	long bool
	// ours leaves out products that are slow.
	ours bool
	// baseline is measured before each run, without a broker.
	baseline func(context.Context, *runner) ([]figure, error)
	measure  func(context.Context, *runner, *broker) ([]figure, error)
	bars     []bar
}

// rows is the table of bars in the order of the architecture notes, and what
// else is promised about memory, disk and starts. Figures are per message,
// which is a delivery where there are consumers.
func rows() []row {
	return slices.Concat(flowRows(), largeRows(), diskRows(), countRows(), stateRows(), embeddedRows())
}

func flowRows() []row {
	persistent := []string{"--persistent", "--confirm", "1000", "--qos", "1000"}
	return []row{
		{key: "transient", title: "transient, auto-ack, 1 publisher 1 consumer", measure: flow("--auto-ack"),
			bars: []bar{{perSecond, 0, 1.5e6}, {micros, 0, 0.6}}},
		{key: "persistent", title: "persistent, confirms (window 1,000), ack each, 1p 1c", measure: flow(persistent...),
			bars: []bar{{perSecond, 0, 0.7e6}, {micros, 0, 1.0}}},
		{key: "ten-queues", title: "same, 10 queues 10p 10c", measure: flow(append([]string{"-x", "10", "-y", "10", "--queues", "10"}, persistent...)...),
			bars: []bar{{perSecond, 0, 0.8e6}, {micros, 0, 1.0}}},
		{key: "fanout", title: "fan-out 1 to 10 queues, per delivery", measure: flow("--exchange", "fan", "--type", "fanout", "--queues", "10", "-y", "10", "--auto-ack"),
			bars: []bar{{micros, 0, 0.4}}},
		{key: "fill-drain", title: "fill 1 M persistent, confirms / drain with acks", fresh: true, long: true, measure: fillDrain(128),
			bars: []bar{{"fill " + micros, 0, 0.7}, {"drain " + micros, 0, 0.5}, {"RSS " + megabytes, 0, 100}}},
		{key: "fill-drain-1k", title: "fill 1 M x 1 KiB / drain", fresh: true, long: true, measure: fillDrain(1024),
			bars: []bar{{"fill " + micros, 0, 2}, {"drain " + micros, 0, 1}}},
	}
}

func largeRows() []row {
	return []row{
		{key: "64k", title: "64 KiB bodies, transient", baseline: relay(64 << 10), measure: flow("--auto-ack", "--size", "65536"),
			bars: []bar{{micros, 1.4, 0}}},
		{key: "1m", title: "1 MiB bodies, transient", baseline: relay(1 << 20), measure: flow("--auto-ack", "--size", "1048576"),
			bars: []bar{{micros, 1.4, 0}}},
		{key: "topic", title: "topic exchange, 10,000 wildcard bindings", measure: flow("--exchange", "top", "--type", "topic", "--bindings", "10000", "--routing-keys", "10000", "--queues", "10", "--auto-ack"),
			bars: []bar{{micros, 0, 3}}},
	}
}

func diskRows() []row {
	return []row{
		{key: "window-1", title: "confirm window 1 (fsync-bound), 1 publisher", baseline: fsyncProbe, measure: flow("--persistent", "--confirm", "1"),
			bars: []bar{{micros, 1, 30}, {perSecond, 0.7, 0}}},
		{key: "window-1-50p", title: "same, 50 publishers", measure: flow("--persistent", "--confirm", "1", "-x", "50"),
			bars: []bar{{micros, 0, 25}, {perSecond, 0, 40e3}}},
		{key: "latency", title: "2,000 msg/s persistent, confirm and end to end", measure: latencies,
			bars: []bar{{"confirm p50 " + millis, 0, 0.30}, {"confirm p99 " + millis, 0, 1.0}, {"end to end p50 " + millis, 0, 0.10}, {"end to end p99 " + millis, 0, 0.5}}},
	}
}

// counted are operations per second; slow products do fewer.
func countRows() []row {
	return []row{
		{key: "declares", title: "durable declares per second, one by one", fresh: true, measure: counted("--declares", 300, 3000, "--durable", "yes", "--keep"),
			bars: []bar{{perSecond, 0, 2e3}}},
		{key: "declares-pipelined", title: "durable declares per second, pipelined", fresh: true, measure: counted("--declares", 500, 20_000, "--durable", "yes", "--keep", "--pipeline", "1000"),
			bars: []bar{{perSecond, 0, 20e3}}},
		{key: "connections", title: "connections opened per second", measure: counted("--open-connections", 1000, 5000, "--parallel", "4"),
			bars: []bar{{perSecond, 0, 5e3}}},
		{key: "channels", title: "channels opened per second", measure: counted("--open-channels", 4000, 100_000, "--pipeline", "100"),
			bars: []bar{{perSecond, 0, 50e3}}},
	}
}

// flow runs producers and consumers for the chosen time.
func flow(args ...string) func(context.Context, *runner, *broker) ([]figure, error) {
	return func(ctx context.Context, r *runner, b *broker) ([]figure, error) {
		warmup := r.duration / 4
		args := append([]string{"--time", (r.duration + warmup).String(), "--warmup", warmup.String()}, args...)
		res, err := r.generate(ctx, b, args...)
		if err != nil {
			return nil, err
		}
		return res.Phases[0].rateAndCPU(""), nil
	}
}

func fillDrain(size int) func(context.Context, *runner, *broker) ([]figure, error) {
	return func(ctx context.Context, r *runner, b *broker) ([]figure, error) {
		n := r.scaled(1_000_000)
		res, err := r.generate(ctx, b, "--fill", "--drain", "--persistent", "--confirm", "1000", "--qos", "1000", "--size", strconv.Itoa(size), "--messages", strconv.Itoa(n), "--grace", "60s")
		if err != nil {
			return nil, err
		}
		fs := append(res.Phases[0].rateAndCPU("fill"), res.Phases[1].rateAndCPU("drain")...)
		return append(fs, figure{"RSS", megabytes, res.Phases[1].Broker.Peak / 1e6}), nil
	}
}

// relay passes the same bytes on with a large and a small read buffer; the bar
// is that of the cheaper one.
func relay(size int) func(context.Context, *runner) ([]figure, error) {
	return func(ctx context.Context, r *runner) ([]figure, error) {
		var fs []figure
		for _, buffer := range []int{1 << 20, 64 << 10} {
			res, err := r.generate(ctx, nil, "--relay", "--relay-buffer", strconv.Itoa(buffer), "--size", strconv.Itoa(size), "--time", r.duration.String())
			if err != nil {
				return nil, err
			}
			fs = append(fs, figure{fmt.Sprintf("reads of %d KiB", buffer>>10), micros, res.Phases[0].Broker.Micros})
		}
		slices.SortFunc(fs, func(a, b figure) int { return cmp.Compare(a.value, b.value) })
		return fs, nil
	}
}

func fsyncProbe(ctx context.Context, r *runner) ([]figure, error) {
	res, err := r.generate(ctx, nil, "--fsync-probe", r.scratch, "--time", r.duration.String())
	if err != nil {
		return nil, err
	}
	return res.Phases[0].rateAndCPU(""), nil
}

func latencies(ctx context.Context, r *runner, b *broker) ([]figure, error) {
	res, err := r.generate(ctx, b, "--persistent", "--confirm", "1000", "--qos", "1000", "--rate", "2000", "--time", (r.duration + time.Second).String(), "--warmup", "1s")
	if err != nil {
		return nil, err
	}
	f := res.Phases[0].Flow
	if f == nil || f.Confirm == nil || f.EndToEnd == nil {
		return nil, fmt.Errorf("no latencies were measured")
	}
	return []figure{
		{"confirm p50", millis, f.Confirm.P50}, {"confirm p99", millis, f.Confirm.P99},
		{"end to end p50", millis, f.EndToEnd.P50}, {"end to end p99", millis, f.EndToEnd.P99},
	}, nil
}

// counted does a number of operations.
func counted(flag string, slow, fast int, args ...string) func(context.Context, *runner, *broker) ([]figure, error) {
	return func(ctx context.Context, r *runner, b *broker) ([]figure, error) {
		res, err := r.generate(ctx, b, append([]string{flag, strconv.Itoa(b.pick(slow, fast))}, args...)...)
		if err != nil {
			return nil, err
		}
		return res.Phases[0].rateAndCPU(""), nil
	}
}

// pick is how often a product does something.
func (b *broker) pick(slow, fast int) int {
	if b.product.slow {
		return slow
	}
	return fast
}
