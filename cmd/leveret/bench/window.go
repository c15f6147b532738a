package bench

import (
	"fmt"
	"math/bits"
	"sync/atomic"
)

// A window keeps a producer's unconfirmed publishes. Confirms may come in any
// order. The producer calls room and sent; the reader of its connection calls
// settle; neither takes a lock.
type window struct {
	limit uint64
	// times holds when a tag was sent, at tag & mask; 0: not outstanding. An
	// entry belongs to the producer while its tag is not sent and to the reader
	// from then until low has passed it.
	times []int64
	mask  uint64
	tag   atomic.Uint64 // the last one sent
	low   atomic.Uint64 // the first one that may be outstanding
	// settled counts confirms of either kind.
	settled atomic.Uint64
}

// newWindow holds at most limit publishes. The ring is wider, so that one late
// confirm does not stop the others at once.
func newWindow(limit int) *window {
	size := uint64(1) << bits.Len(uint(4*limit-1))
	w := &window{limit: uint64(limit), times: make([]int64, size), mask: size - 1}
	w.low.Store(1)
	return w
}

// outstanding is the number of publishes without confirm.
func (w *window) outstanding() uint64 { return w.tag.Load() - w.settled.Load() }

// room is how many more may be sent now.
func (w *window) room() int {
	tag := w.tag.Load()
	return int(min(w.limit-(tag-w.settled.Load()), uint64(len(w.times))-(tag+1-w.low.Load())))
}

// sent notes that the next n tags leave at that time; called before the write,
// since the confirm may be faster than its return.
func (w *window) sent(n int, now int64) {
	tag := w.tag.Load()
	for i := uint64(1); i <= uint64(n); i++ {
		w.times[(tag+i)&w.mask] = now
	}
	w.tag.Store(tag + uint64(n))
}

// settle takes a confirm (basic.ack or basic.nack) into h and says how many
// publishes it settled. A confirm for what was never sent, or that came before,
// is an error.
func (w *window) settle(tag uint64, multiple bool, now int64, h *histogram) (n uint64, err error) {
	last, low := w.tag.Load(), w.low.Load()
	if multiple && tag == 0 {
		tag = last
	}
	if tag == 0 || tag > last {
		return 0, fmt.Errorf("the broker confirmed publish %d of %d", tag, last)
	}
	if !multiple {
		sent := &w.times[tag&w.mask]
		if tag < low || *sent == 0 {
			return 0, fmt.Errorf("the broker confirmed publish %d twice", tag)
		}
		h.record(now-*sent, 1)
		*sent, n = 0, 1
	} else {
		n = w.settleRun(low, tag, now, h)
	}
	for low <= last && w.times[low&w.mask] == 0 {
		low++
	}
	w.low.Store(low)
	w.settled.Add(n)
	return n, nil
}

// settleRun settles tags low..tag; publishes of one write share a time and one
// entry into h.
func (w *window) settleRun(low, tag uint64, now int64, h *histogram) (total uint64) {
	var at int64
	var run uint64
	for t := low; t <= tag; t++ {
		sent := w.times[t&w.mask]
		if sent == 0 {
			continue
		}
		w.times[t&w.mask] = 0
		if sent != at && run > 0 {
			h.record(now-at, run)
			total += run
			run = 0
		}
		at = sent
		run++
	}
	if run > 0 {
		h.record(now-at, run)
	}
	return total + run
}
