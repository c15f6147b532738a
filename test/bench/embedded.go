package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/leveretmq/leveret/server/servertest"
)

// embedded rows are about what a program gets that has us in it.
func embeddedRows() []row {
	return []row{
		{key: "embedded-start", title: "servertest.Start of this source: in memory, on a directory (medians)", ours: true, measure: embeddedStart,
			bars: []bar{{"memory " + millis, 0, 5}}},
		{key: "binary", title: "size of the binary", ours: true, once: true, measure: binarySize,
			bars: []bar{{megabytes, 0, 30}}},
	}
}

// starts is how many brokers a median is of.
const starts = 51

func embeddedStart(_ context.Context, _ *runner, _ *broker) ([]figure, error) {
	memory, err := medianStart(false)
	if err != nil {
		return nil, err
	}
	directory, err := medianStart(true)
	return []figure{{"memory", millis, memory}, {"directory", millis, directory}}, err
}

// medianStart is in milliseconds. servertest wants a test: testing makes one,
// which ends when all is measured.
func medianStart(onDisk bool) (float64, error) {
	var took []time.Duration
	ended := testing.Benchmark(func(b *testing.B) {
		for len(took) < starts {
			var o servertest.Options
			if onDisk {
				o.Dir = b.TempDir()
			}
			began := time.Now()
			s := servertest.Start(b, o)
			took = append(took, time.Since(began))
			if err := s.Shutdown(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
	if ended.N == 0 || len(took) < starts {
		return 0, errors.New("a broker did not start in this process")
	}
	slices.Sort(took)
	return float64(took[starts/2].Microseconds()) / 1e3, nil
}

func binarySize(_ context.Context, _ *runner, b *broker) ([]figure, error) {
	info, err := os.Stat(b.product.binary)
	if err != nil {
		return nil, err
	}
	return []figure{{"", megabytes, float64(info.Size()) / 1e6}}, nil
}
