package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// stateRows are about what a broker holds: memory, files, disk, starts.
func stateRows() []row {
	return []row{
		{key: "idle-connections", title: "1,000 idle connections: RSS, anonymous memory each", fresh: true, measure: idleConnections,
			bars: []bar{{"RSS " + megabytes, 0, 30}, {"each " + kilobytes, 0, 12}}},
		{key: "idle-queues", title: "10,000 idle durable queues: RSS, anonymous memory each, open files", fresh: true, measure: idleQueues,
			bars: []bar{{"RSS " + megabytes, 0, 100}, {"each " + kilobytes, 0, 3}, {"open " + files, 0, 200}}},
		{key: "cold-start", title: "cold start to accepting AMQP", fresh: true, measure: coldStart,
			bars: []bar{{millis, 0, 100}}},
		{key: "restart", title: "restart with 1 M persistent 1 KiB after kill -9: warm, cold page cache", fresh: true, once: true, measure: restart,
			bars: []bar{{"warm " + seconds, 0, 0.5}, {"cold " + seconds, 0, 3}}},
		{key: "backlog", title: "backlog of 10 M x 128 B: RSS, restart, RSS after", fresh: true, once: true, ours: true, measure: backlog,
			bars: []bar{{"RSS " + megabytes, 0, 300}, {"restart " + seconds, 0, 2}, {"RSS after " + megabytes, 0, 300}}},
		{key: "stuck-head", title: "disk while one unacked message stays and 3 M pass", fresh: true, once: true, ours: true, measure: stuckHead,
			bars: []bar{{"at most " + megabytes, 0, diskLimit}}},
	}
}

// diskLimit is four segments of 64 MiB and, in MB, twice the live bytes: up to
// 2,000 messages are unconfirmed or unacknowledged at a time.
const diskLimit = 4*64*1.048576 + 2*2000*250/1e6

// settled is how long memory may take to come to rest.
const settled = "3s"

func idleConnections(ctx context.Context, r *runner, b *broker) ([]figure, error) {
	const n = 1000
	res, err := r.generate(ctx, b, "--open-connections", strconv.Itoa(n), "--parallel", "4", "--hold", settled)
	if err != nil {
		return nil, err
	}
	p := res.Phases[0].Broker
	return []figure{{"RSS", megabytes, p.RSS / 1e6}, {"each", kilobytes, (p.Anon - p.AnonBefore) / n / 1e3}}, nil
}

func idleQueues(ctx context.Context, r *runner, b *broker) ([]figure, error) {
	n := b.pick(1000, 10_000)
	res, err := r.generate(ctx, b, "--declares", strconv.Itoa(n), "--durable", "yes", "--keep", "--pipeline", "1000", "--hold", settled)
	if err != nil {
		return nil, err
	}
	p := res.Phases[0].Broker
	fs := []figure{{"RSS", megabytes, p.RSS / 1e6}, {"each", kilobytes, (p.Anon - p.AnonBefore) / float64(n) / 1e3}, {"open", files, p.Files}}
	if n < 10_000 {
		fs[0].name = fmt.Sprintf("RSS of %d", n)
	}
	return fs, nil
}

// coldStart throws the fresh broker away and starts one on an empty directory
// with a warm page cache.
func coldStart(ctx context.Context, _ *runner, b *broker) ([]figure, error) {
	if err := b.stop(); err != nil {
		return nil, err
	}
	if err := errors.Join(b.remove(), os.Mkdir(b.dir, 0o755)); err != nil {
		return nil, err
	}
	took, err := b.start(ctx)
	if err != nil {
		return nil, err
	}
	return []figure{{"", millis, float64(took.Microseconds()) / 1e3}}, nil
}

// restart fills twice: a start leaves less to do for the next one.
func restart(ctx context.Context, r *runner, b *broker) ([]figure, error) {
	var fs []figure
	for _, cold := range []bool{false, true} {
		if err := r.fill(ctx, b, 1_000_000, 1024); err != nil {
			return nil, err
		}
		took, err := b.restart(ctx, cold)
		if err != nil {
			return nil, err
		}
		if err := r.drain(ctx, b, 1_000_000, 1024); err != nil {
			return nil, err
		}
		name := "warm"
		if cold {
			name = "cold"
		}
		fs = append(fs, figure{name, seconds, took.Seconds()})
	}
	return fs, nil
}

// restart kills the broker, lets its files leave the page cache if asked to, and
// starts it again.
func (b *broker) restart(ctx context.Context, cold bool) (time.Duration, error) {
	if err := b.kill(); err != nil {
		return 0, err
	}
	if cold {
		if err := forget(b.dir); err != nil {
			return 0, err
		}
	}
	return b.start(ctx)
}

// fill leaves a backlog of persistent messages, drain takes it out and has the
// load tool check that it is complete.
func (r *runner) fill(ctx context.Context, b *broker, n, size int) error {
	_, err := r.generate(ctx, b, "--fill", "--keep", "--persistent", "--confirm", "2000", "--size", strconv.Itoa(size), "--messages", strconv.Itoa(r.scaled(n)), "--grace", "60s")
	return err
}

func (r *runner) drain(ctx context.Context, b *broker, n, size int) error {
	res, err := r.generate(ctx, b, "--drain", "--qos", "2000", "--size", strconv.Itoa(size), "--grace", "60s")
	if err != nil {
		return err
	}
	if got, want := res.Phases[0].Messages, uint64(r.scaled(n)); got < want {
		return fmt.Errorf("%d of %d confirmed messages survived kill -9", got, want)
	}
	return nil
}

func backlog(ctx context.Context, r *runner, b *broker) ([]figure, error) {
	const n, size = 10_000_000, 128
	if err := r.fill(ctx, b, n, size); err != nil {
		return nil, err
	}
	before, err := b.rss(ctx, r)
	if err != nil {
		return nil, err
	}
	took, err := b.restart(ctx, false)
	if err != nil {
		return nil, err
	}
	after, err := b.rss(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := r.drain(ctx, b, n, size); err != nil {
		return nil, err
	}
	return []figure{{"RSS", megabytes, before}, {"restart", seconds, took.Seconds()}, {"RSS after", megabytes, after}}, nil
}

// rss asks the load tool to look at the broker, in MB.
func (b *broker) rss(ctx context.Context, r *runner) (float64, error) {
	res, err := r.generate(ctx, b, "--open-connections", "1", "--hold", settled)
	if err != nil {
		return 0, err
	}
	return res.Phases[0].Broker.RSS / 1e6, nil
}

// stuckHead watches the disk while a consumer never acknowledges its first
// message.
func stuckHead(ctx context.Context, r *runner, b *broker) ([]figure, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	most := make(chan int64, 1)
	go func() { // ends with ctx
		var peak int64
		for ctx.Err() == nil {
			peak = max(peak, b.diskUse())
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
		most <- peak
	}()
	_, err := r.generate(ctx, b, "--persistent", "--confirm", "1000", "--qos", "1000", "--hold-first", "--messages", strconv.Itoa(r.scaled(3_000_000)), "--grace", "60s")
	end := b.diskUse()
	cancel()
	peak := <-most
	return []figure{{"at most", megabytes, float64(peak) / 1e6}, {"at the end", megabytes, float64(end) / 1e6}}, err
}
