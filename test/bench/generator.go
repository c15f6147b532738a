package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
)

// result is what this program reads of `leveret bench --json`.
type result struct {
	Phases []phase `json:"phases"`
}

type phase struct {
	Messages uint64     `json:"messages"`
	Rate     float64    `json:"per_second"`
	Flow     *flowStats `json:"flow"`
	Broker   *process   `json:"broker"`
}

type flowStats struct {
	Confirm  *latency `json:"confirm_latency"`
	EndToEnd *latency `json:"end_to_end_latency"`
}

type latency struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
}

type process struct {
	Micros     float64 `json:"cpu_us_per_message"`
	RSS        float64 `json:"rss_bytes"`
	Peak       float64 `json:"peak_rss_bytes"`
	Anon       float64 `json:"anonymous_bytes"`
	AnonBefore float64 `json:"anonymous_bytes_before"`
	Files      float64 `json:"open_files"`
}

// generate runs the load tool; b is nil for probes without a broker.
func (r *runner) generate(ctx context.Context, b *broker, args ...string) (*result, error) {
	args = append([]string{"bench", "--json", "--quiet"}, args...)
	if b != nil {
		args = append(args, "--uri", b.uri(), "--broker-pid", strconv.Itoa(b.pid()))
	}
	cmd := exec.CommandContext(ctx, r.generator, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%v: %w: %s", args, err, bytes.TrimSpace(errOut.Bytes()))
	}
	res := &result{}
	if err := json.Unmarshal(out.Bytes(), res); err != nil {
		return nil, fmt.Errorf("%v: %w", args, err)
	}
	if len(res.Phases) == 0 {
		return nil, fmt.Errorf("%v: no phases", args)
	}
	return res, nil
}

// rateAndCPU are the two figures most rows have.
func (p phase) rateAndCPU(name string) []figure {
	fs := []figure{{name, perSecond, p.Rate}}
	if p.Broker != nil {
		fs = append(fs, figure{name, micros, p.Broker.Micros})
	}
	return fs
}
