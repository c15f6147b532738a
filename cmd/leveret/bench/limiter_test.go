package bench

import (
	"context"
	"errors"
	"testing"
	"time"
)

// handClock moves only when somebody sleeps or the test says so.
type handClock struct {
	now   time.Time
	slept []time.Duration
}

func (c *handClock) Now() time.Time { return c.now }

func (c *handClock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.slept = append(c.slept, d)
	c.now = c.now.Add(d)
	return nil
}

func newHandClock() *handClock { return &handClock{now: time.Unix(1000, 0)} }

func TestUnlimitedGrantsAll(t *testing.T) {
	c := newHandClock()
	n, err := newLimiter(0, c).take(context.Background(), 500)
	if n != 500 || err != nil || len(c.slept) != 0 {
		t.Errorf("take = %d, %v after %d sleeps; want 500 at once", n, err, len(c.slept))
	}
}

func TestLimiterKeepsTheRate(t *testing.T) {
	for _, c := range []struct {
		name string
		rate float64
		want int
	}{
		{"slow", 10, 100},
		{"one per millisecond", 1000, 1},
		{"faster than a sleep", 5e6, 1000},
		{"less than one per second", 0.5, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := newHandClock()
			l, start := newLimiter(c.rate, clock), clock.now
			total := 0
			for clock.now.Sub(start) < 10*time.Second {
				n, err := l.take(context.Background(), c.want)
				if err != nil || n < 1 || n > c.want {
					t.Fatalf("take = %d, %v", n, err)
				}
				total += n
				clock.now = clock.now.Add(time.Microsecond)
			}
			seconds := clock.now.Sub(start).Seconds()
			// The first message goes at once, the last grant may be a batch ahead.
			if most := c.rate*seconds + 2 + float64(c.want); float64(total) > most || float64(total) < c.rate*(seconds-2e-6)-1 {
				t.Errorf("%d messages in %.1f s at %g per second", total, seconds, c.rate)
			}
		})
	}
}

func TestLimiterGrantsWhatIsDue(t *testing.T) {
	clock := newHandClock()
	l := newLimiter(1000, clock)
	grants := func(want int) int {
		n, err := l.take(context.Background(), want)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := grants(100); n != 1 {
		t.Errorf("the first grant is %d, want 1", n)
	}
	clock.now = clock.now.Add(50 * time.Millisecond)
	if n := grants(100); n != 50 {
		t.Errorf("after 50 ms %d are due, want 50", n)
	}
	clock.now = clock.now.Add(time.Hour)
	total := 0
	for len(clock.slept) == 0 {
		total += grants(1000)
	}
	if most := int(maxCatchUp.Seconds()*1000) + 2; total > most {
		t.Errorf("after an hour %d messages are caught up, want at most %d", total, most)
	}
}

func TestLimiterSleepsOnlyAsLongAsNeeded(t *testing.T) {
	clock := newHandClock()
	l := newLimiter(100, clock)
	for range 3 {
		if _, err := l.take(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range clock.slept {
		if d < 9*time.Millisecond || d > 11*time.Millisecond {
			t.Errorf("slept %v, want 10 ms", d)
		}
	}
	if len(clock.slept) != 2 {
		t.Errorf("slept %d times, want 2", len(clock.slept))
	}
}

func TestLimiterEndsWithItsContext(t *testing.T) {
	clock := newHandClock()
	l := newLimiter(1, clock)
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := l.take(ctx, 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if n, err := l.take(ctx, 1); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("take = %d, %v; want the context's error", n, err)
	}
}

func TestWallClockSleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := (wallClock{}).Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("Sleep = %v", err)
	}
	if err := (wallClock{}).Sleep(context.Background(), time.Microsecond); err != nil {
		t.Errorf("Sleep = %v", err)
	}
}
