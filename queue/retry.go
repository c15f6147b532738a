package queue

import (
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// A queue with delayed retry lets a message wait before it is delivered again:
// longer each time it was requeued by a client. Meanwhile it is neither ready
// nor unacked, and others overtake it. A restart ends the waiting.

// DelayedRetry are the delayed-retry settings; a Min of 0 is none.
type DelayedRetry struct {
	Type       string        // disabled, all, failed (basic.reject) or returned (basic.nack); "" is all
	Min        time.Duration // of the first return
	Max        time.Duration // of one delay; 0: unlimited
	Multiplier int64         // 0: n times Min the n-th time; else each delay is that many times the one before
	Jitter     int64         // percent by which a delay may be shortened
}

// retryLimit is the delivery limit of a queue with delayed retry that has none
// of its own.
const retryLimit = 20

// readRetry takes the values out of a checked table.
func readRetry(t wire.Table) (r DelayedRetry) {
	if v, ok := t.Get("x-delayed-retry-type"); ok {
		r.Type = v.(string)
	}
	for key, to := range map[string]*time.Duration{"x-delayed-retry-min": &r.Min, "x-delayed-retry-max": &r.Max} {
		if ms := number(t, key); ms != nil {
			*to = time.Duration(*ms) * time.Millisecond
		}
	}
	for key, to := range map[string]*int64{"x-delayed-retry-multiplier": &r.Multiplier, "x-delayed-retry-jitter": &r.Jitter} {
		if n := number(t, key); n != nil {
			*to = *n
		}
	}
	return r
}

// active returns r, nil when no message ever waits.
func (r DelayedRetry) active() *DelayedRetry {
	if r.Min <= 0 || r.Type == "disabled" {
		return nil
	}
	return &r
}

// waits says whether a message that comes back so has to wait. Only what a
// client requeued does.
func (r *DelayedRetry) waits(how comeback) bool {
	switch how {
	case nacked:
		return r.Type != "failed"
	case rejected:
		return r.Type != "returned"
	}
	return false
}

// delay is how long the message seq waits when it came back for the n-th time.
// The jitter is the same on every replica.
func (r *DelayedRetry) delay(seq uint64, n uint32) int64 {
	most := int64(maxTTL * time.Millisecond)
	if r.Max > 0 {
		most = min(most, int64(r.Max))
	}
	d := int64(r.Min)
	switch {
	case r.Multiplier == 0 && int64(n) > most/d:
		d = most
	case r.Multiplier == 0:
		d *= int64(n)
	case r.Multiplier > 1:
		for ; n > 1 && d < most; n-- {
			if d > most/r.Multiplier {
				d = most
			} else {
				d *= r.Multiplier
			}
		}
	}
	d = min(d, most)
	return d - int64(float64(d)*float64(r.Jitter)/100*fraction(seq<<8^uint64(n)))
}

// fraction turns x into a number in [0, 1) that looks random (splitmix64).
func fraction(x uint64) float64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}

// wait puts off a message that came back, until its own deadline at most.
func (s *State) wait(seq uint64, e *entry, r *DelayedRetry) {
	e.meta |= statusLeaving | markWaiting
	s.waiting++
	due := min(s.now+r.delay(seq, s.counts[seq]), s.index.deadline(seq, e))
	s.retries.push(appointment{due, seq})
	s.retries.tidy(s.waiting, func(seq uint64) bool { return s.index.entry(seq) != nil })
}

// resume brings back the messages that have waited long enough. One whose
// deadline has passed meanwhile ends instead.
func (s *State) resume(fx *Effects) {
	for n := 0; len(s.retries) > 0 && s.retries[0].at <= s.now; n++ {
		if n == expireStep {
			fx.More = true
			return
		}
		seq := s.retries[0].seq
		s.retries.pop()
		e := s.index.entry(seq)
		if e == nil {
			continue
		}
		s.uncount(statusLeaving, e)
		e.meta &^= markWaiting | statusMask
		if s.index.deadline(seq, e) <= s.now {
			s.bury(seq, e, reasonExpired, fx)
			continue
		}
		e.meta |= statusReady
		s.ready++
		s.bytes += e.body()
		s.rejoin(seq, e, lost)
	}
}
