package bench

import (
	"fmt"
	"io"
	"time"
)

// A meter adds up what producers and consumers count, and what the broker uses.
type meter struct {
	broker    int // pid; 0: unknown
	producers []*producer
	consumers []*consumer
}

// A sample is everything at one moment.
type sample struct {
	at                           time.Time
	published, confirmed, frames uint64
	nacked, returned, delivered  uint64
	blocked                      bool
	confirmLatency, endToEnd     histogram
	broker                       usage
	own                          time.Duration
}

// sample reads all counters and the broker's process.
func (m *meter) sample() (*sample, error) {
	s := &sample{}
	for _, p := range m.producers {
		s.published += p.published.Load()
		s.confirmed += p.confirmed()
		s.frames += p.frames.Load()
		s.nacked += p.nacked.Load()
		s.returned += p.returned.Load()
		s.blocked = s.blocked || p.conn.blocked.Load()
		p.mu.Lock()
		s.confirmLatency.merge(&p.latency)
		p.mu.Unlock()
	}
	for _, c := range m.consumers {
		s.delivered += c.delivered.Load()
		c.mu.Lock()
		s.endToEnd.merge(&c.latency)
		c.mu.Unlock()
	}
	var err error
	if m.broker != 0 {
		s.broker, err = readUsage("/proc", m.broker)
	}
	s.own, s.at = ownCPU(), time.Now()
	return s, err
}

// moved is a number that grows as long as anything happens.
func (m *meter) moved() (n uint64) {
	for _, p := range m.producers {
		n += p.published.Load() + p.confirmed()
	}
	return n + m.delivered()
}

func (m *meter) delivered() (n uint64) {
	for _, c := range m.consumers {
		n += c.delivered.Load()
	}
	return n
}

func (m *meter) outstanding() (n uint64) {
	for _, p := range m.producers {
		if p.window != nil {
			n += p.window.outstanding()
		}
	}
	return n
}

// progress prints the second between two samples.
func progress(w io.Writer, began time.Time, from, to *sample) {
	seconds := to.at.Sub(from.at).Seconds()
	rate := func(a, b uint64) float64 { return float64(b-a) / seconds }
	fmt.Fprintf(w, "%5.0fs  published %s  confirmed %s  received %s", to.at.Sub(began).Seconds(),
		perSecond(rate(from.published, to.published)), perSecond(rate(from.confirmed, to.confirmed)), perSecond(rate(from.delivered, to.delivered)))
	confirm, end := to.confirmLatency, to.endToEnd
	confirm.subtract(&from.confirmLatency)
	end.subtract(&from.endToEnd)
	if confirm.total > 0 {
		fmt.Fprintf(w, "  confirm p50 %v p99 %v", short(confirm.percentile(.5)), short(confirm.percentile(.99)))
	}
	if end.total > 0 {
		fmt.Fprintf(w, "  end to end p50 %v p99 %v", short(end.percentile(.5)), short(end.percentile(.99)))
	}
	if n := max(to.delivered-from.delivered, to.published-from.published); to.broker.cpu > 0 && n > 0 {
		fmt.Fprintf(w, "  broker %.2f µs %d MB", float64((to.broker.cpu-from.broker.cpu).Microseconds())/float64(n), to.broker.rss/1e6)
	}
	if to.blocked {
		fmt.Fprint(w, "  BLOCKED by the broker")
	}
	fmt.Fprintln(w)
}

// short rounds to three digits.
func short(d time.Duration) time.Duration {
	unit := time.Nanosecond
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

// perSecond prints a rate in at most six characters and its unit.
func perSecond(r float64) string {
	switch {
	case r >= 1e6:
		return fmt.Sprintf("%.2f M/s", r/1e6)
	case r >= 1e4:
		return fmt.Sprintf("%.1f k/s", r/1e3)
	}
	return fmt.Sprintf("%.0f /s", r)
}
