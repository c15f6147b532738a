package bench

import (
	"context"
	"time"
)

// clock is the time a limiter lives in.
type clock interface {
	Now() time.Time
	// Sleep returns early with the context's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// wallClock is the machine's.
type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// A limiter lets rate messages per second through, measured from its first
// call: who was held up catches up, but by at most a quarter of a second, so
// that a broker which stalls is not hit by a flood afterwards.
type limiter struct {
	clock   clock
	rate    float64
	start   time.Time
	granted float64
}

const maxCatchUp = 250 * time.Millisecond

func newLimiter(rate float64, c clock) *limiter { return &limiter{clock: c, rate: rate} }

// take waits until at least one message may go and grants at most want; an
// unlimited limiter grants want at once.
func (l *limiter) take(ctx context.Context, want int) (int, error) {
	if l.rate <= 0 {
		return want, nil
	}
	if l.start.IsZero() {
		l.start = l.clock.Now()
	}
	for {
		due := l.clock.Now().Sub(l.start).Seconds()*l.rate + 1
		if most := maxCatchUp.Seconds()*l.rate + 1; due-l.granted > most {
			l.granted = due - most
		}
		if n := min(int(due-l.granted), want); n > 0 {
			l.granted += float64(n)
			return n, nil
		}
		wait := time.Duration((l.granted + 1 - due) / l.rate * 1e9)
		if err := l.clock.Sleep(ctx, max(wait, time.Microsecond)); err != nil {
			return 0, err
		}
	}
}
