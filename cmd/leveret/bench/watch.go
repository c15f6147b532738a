package bench

import (
	"context"
	"fmt"
	"time"
)

// A watcher follows one stage: it takes the samples at both ends of the
// measured window and decides when the stage is over.
type watcher struct {
	flow  *flow
	crew  *crew
	meter *meter
	stage stage
	from  *sample
}

// pollEvery is how exactly the end of a run by number is seen.
const pollEvery = time.Millisecond

// watch returns the sample at the window's end: --time has passed, everything
// asked for is through, or ctx is done.
func (w *watcher) watch(ctx context.Context) (*sample, error) {
	length := &w.flow.o.Length
	second := time.NewTicker(time.Second)
	defer second.Stop()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	end, warm := timer(length.Time), timer(length.Warmup)
	began, shown := w.from.at, w.from
	for still := (stall{meter: w.meter}); ; {
		select {
		case <-w.crew.ctx.Done():
			return nil, context.Cause(w.crew.ctx)
		case <-ctx.Done():
			return w.meter.sample()
		case <-end:
			return w.meter.sample()
		case <-warm:
			s, err := w.meter.sample()
			if err != nil {
				return nil, err
			}
			w.from = s
		case <-poll.C:
			if w.finished() {
				return w.meter.sample()
			}
		case <-second.C:
			if w.mayStall() && still.lasts(length.Grace) {
				if w.allSent() {
					return w.meter.sample() // what is missing is the verifier's to say
				}
				return nil, w.stalled()
			}
			s, err := w.show(began, shown)
			if err != nil {
				return nil, err
			}
			shown = s
		}
	}
}

// timer never fires for 0.
func timer(d time.Duration) <-chan time.Time {
	if d == 0 {
		return nil
	}
	return time.After(d)
}

// show prints the last second.
func (w *watcher) show(began time.Time, shown *sample) (*sample, error) {
	if w.flow.out == nil {
		return shown, nil
	}
	s, err := w.meter.sample()
	if err != nil {
		return nil, err
	}
	progress(w.flow.out, began, shown, s)
	return s, nil
}

// mayStall says whether standing still can only be the broker's doing.
func (w *watcher) mayStall() bool {
	l := &w.flow.o.Load
	return w.flow.o.Length.Time == 0 && w.stage.produce && l.Rate == 0 && l.ConsumerLatency == 0 || w.stage.name == "drain"
}

// allSent says whether all producers are idle and all publishes confirmed.
func (w *watcher) allSent() bool {
	return int(w.flow.idle.Load()) == len(w.flow.producers) && w.meter.outstanding() == 0
}

// finished says whether all was sent and all deliveries are here.
func (w *watcher) finished() bool {
	if !w.allSent() {
		return false
	}
	if !w.stage.consume {
		return w.stage.produce
	}
	want, known := w.flow.expected()
	return known && w.meter.delivered() >= want
}

// settle waits after the producers were stopped until nothing is under way.
// Deliveries that do not come are for the verifier to report; confirms that do
// not come are an error here.
func (w *watcher) settle() error {
	grace := w.flow.o.Length.Grace
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for still := (stall{meter: w.meter}); !w.finished(); {
		select {
		case <-w.crew.ctx.Done():
			return context.Cause(w.crew.ctx)
		case <-poll.C:
		}
		switch {
		case w.allSent() && still.lasts(w.quiet(grace)):
			return nil
		case still.lasts(grace):
			return w.stalled()
		}
	}
	return nil
}

// quiet is how long nothing must come before nothing more is expected.
func (w *watcher) quiet(grace time.Duration) time.Duration {
	if _, known := w.flow.expected(); !known {
		return min(grace, time.Second)
	}
	return grace
}

func (w *watcher) stalled() error {
	return fmt.Errorf("nothing has moved for %v: %d publishes are not confirmed, %d messages were received",
		w.flow.o.Length.Grace, w.meter.outstanding(), w.meter.delivered())
}

// A stall tells how long the counters have not moved.
type stall struct {
	meter *meter
	moved uint64
	since time.Time
}

// lasts says whether nothing has moved for d.
func (s *stall) lasts(d time.Duration) bool {
	now := time.Now()
	if n := s.meter.moved(); n != s.moved || s.since.IsZero() {
		s.moved, s.since = n, now
	}
	return now.Sub(s.since) >= d
}
