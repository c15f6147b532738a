package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// probeFile is as long as the first log segments; it is written once before, as
// a recycled segment is, so that the sync writes data and nothing else.
const probeFile = 8 << 20

// defaultProbe is how long the probes run without --time.
const defaultProbe = 3 * time.Second

// runFsync writes one message's worth after the other and syncs each: what the
// disk and the kernel take whatever the broker does.
func runFsync(ctx context.Context, o *Options) (*Result, error) {
	f, err := os.Create(filepath.Join(o.Mode.FsyncDir, "fsync-probe"))
	if err != nil {
		return nil, fmt.Errorf("--fsync-probe: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(make([]byte, probeFile)); err != nil {
		return nil, fmt.Errorf("--fsync-probe: %w", err)
	}
	if err := f.Sync(); err != nil {
		return nil, fmt.Errorf("--fsync-probe: %w", err)
	}
	var ph Phase
	err = onThread(func() (err error) {
		ph, err = probe(ctx, f, o.Load.Size+recordOverhead, probeTime(o))
		return err
	})
	return &Result{Mode: "fsync", Phases: []Phase{ph}}, err
}

// recordOverhead is about what a broker stores with a small body.
const recordOverhead = 64

func probeTime(o *Options) time.Duration {
	if o.Length.Time > 0 {
		return o.Length.Time
	}
	return defaultProbe
}

func probe(ctx context.Context, f *os.File, size int, d time.Duration) (Phase, error) {
	record := make([]byte, size)
	for i := range record {
		record[i] = byte(i)
	}
	h := &histogram{}
	var n uint64
	from := &sample{at: time.Now()}
	cpu := threadCPU()
	for at, now := int64(0), from.at; now.Sub(from.at) < d && ctx.Err() == nil; n++ {
		if at+int64(size) > probeFile {
			at = 0
		}
		if _, err := f.WriteAt(record, at); err != nil {
			return Phase{}, fmt.Errorf("--fsync-probe: %w", err)
		}
		if err := datasync(f); err != nil {
			return Phase{}, fmt.Errorf("--fsync-probe: %w", err)
		}
		at += int64(size)
		end := time.Now()
		h.record(int64(end.Sub(now)), 1)
		now = end
	}
	to := &sample{at: time.Now()}
	ph := phase("pwrite + fdatasync", from, to, n)
	ph.Latency = h.latency()
	ph.Broker = &Process{CPUMicros: micros(threadCPU()-cpu) / float64(max(n, 1))}
	return ph, nil
}
