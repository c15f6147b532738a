package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsCoverEveryValueInOrder(t *testing.T) {
	values := []int64{0, 1, 31, 32, 33, 63, 64, 65, 127, 128, 1000, 1023, 1024, 1e6, 1e9, 1e12, math.MaxInt64}
	for _, v := range values {
		b := bucket(v)
		if b < 0 || b >= bucketCount {
			t.Fatalf("bucket(%d) = %d, outside of %d", v, b, bucketCount)
		}
		if u := upper(b); u < v {
			t.Errorf("upper(bucket(%d)) = %d, below the value", v, u)
		}
		if b > 0 && upper(b-1) >= v {
			t.Errorf("value %d would fit into the bucket before %d", v, b)
		}
	}
}

func TestBucketErrorIsSmall(t *testing.T) {
	for v := int64(32); v < 1e12; v = v*17/16 + 1 {
		if e := float64(upper(bucket(v))-v) / float64(v); e > 1.0/subCount {
			t.Fatalf("value %d is reported %.1f %% too high", v, e*100)
		}
	}
}

func TestPercentilesAgainstSortedValues(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	h := &histogram{}
	var all []int64
	for range 10_000 {
		v := int64(r.ExpFloat64() * 1e6)
		all = append(all, v)
		h.record(v, 1)
	}
	slices.Sort(all)
	for _, p := range []float64{0, 0.01, 0.5, 0.75, 0.95, 0.99, 0.999, 1} {
		want := all[max(int(p*float64(len(all))+0.5)-1, 0)]
		got := int64(h.percentile(p))
		if got < want || float64(got-want) > float64(want)/16+1 {
			t.Errorf("percentile(%g) = %d, want %d or slightly more", p, got, want)
		}
	}
	if got := int64(h.percentile(1)); got != all[len(all)-1] {
		t.Errorf("percentile(1) = %d, want the maximum %d", got, all[len(all)-1])
	}
}

func TestHistogramEdges(t *testing.T) {
	for _, c := range []struct {
		name   string
		record [][2]int64
		p      float64
		want   time.Duration
	}{
		{"nothing recorded", nil, 0.5, 0},
		{"a clock that stepped back", [][2]int64{{-5, 1}}, 0.5, 0},
		{"one value many times", [][2]int64{{10, 1_000_000}}, 0.99, 10},
		{"median of two sides", [][2]int64{{10, 50}, {20, 50}}, 0.5, 10},
		{"just above the median", [][2]int64{{10, 50}, {20, 50}}, 0.51, 20},
		{"never above the maximum", [][2]int64{{1_000_001, 1}}, 0.5, 1_000_001},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &histogram{}
			for _, r := range c.record {
				h.record(r[0], uint64(r[1]))
			}
			if got := h.percentile(c.p); got != c.want {
				t.Errorf("percentile(%g) = %d, want %d", c.p, got, c.want)
			}
		})
	}
}

func TestMergeAndSubtractLeaveTheWindow(t *testing.T) {
	a, b := &histogram{}, &histogram{}
	a.record(5, 10)
	b.merge(a)
	b.record(20, 3)
	b.record(9, 1)
	window := *b
	window.subtract(a)
	if window.total != 4 || window.percentile(0.25) != 9 || window.percentile(1) != 20 {
		t.Errorf("window has %d values, p25 %d, max %d; want 4, 9, 20", window.total, window.percentile(0.25), window.percentile(1))
	}
	before := *b
	window = *b
	window.subtract(&before)
	if window.total != 0 || window.latency() != nil {
		t.Errorf("an empty window has %d values and latency %v", window.total, window.latency())
	}
}

func TestLatencyIsInMilliseconds(t *testing.T) {
	h := &histogram{}
	h.record(int64(2*time.Millisecond), 99)
	h.record(int64(time.Second), 1)
	l := h.latency()
	if l.Count != 100 || l.P50 < 2 || l.P50 > 2.1 || l.P99 > 2.1 || l.Max != 1000 {
		t.Errorf("latency = %+v", *l)
	}
}

func TestRecordAllocatesNothing(t *testing.T) {
	h := &histogram{}
	if n := testing.AllocsPerRun(100, func() { h.record(12345, 7) }); n != 0 {
		t.Errorf("record allocates %g times", n)
	}
}
