package queue

import (
	"slices"
	"sort"
)

// window is an array over a sliding range of ever growing numbers, of which
// most low ones are gone. The recent range is a ring, so a lookup is one mask;
// the few old numbers that would stretch the ring over millions of gaps (one
// message that nobody acks) move to a sorted list. Memory is therefore bound by
// what is live, not by the distance between first and last.
// The zero T means gone.
type window[T comparable] struct {
	ring       []T    // ring[n & (len-1)] for first <= n < end; len is a power of two
	first, end uint64 // the ring's range; equal: empty
	used       int    // live values in the ring
	old        []aged[T]
	oldUsed    int // live values in old
}

// aged is a live value older than the ring.
type aged[T comparable] struct {
	n uint64
	v T
}

const (
	windowMin  = 8    // smallest ring
	windowKeep = 4096 // an emptied ring of more places is given back
)

// at returns the place of n, nil when n was never set or is trimmed. The place
// may hold the zero T.
func (w *window[T]) at(n uint64) *T {
	if n-w.first < w.end-w.first {
		return &w.ring[n&uint64(len(w.ring)-1)]
	}
	if len(w.old) == 0 {
		return nil
	}
	return w.aged(n)
}

func (w *window[T]) aged(n uint64) *T {
	i := w.search(n)
	if i < len(w.old) && w.old[i].n == n {
		return &w.old[i].v
	}
	return nil
}

func (w *window[T]) search(n uint64) int {
	return sort.Search(len(w.old), func(i int) bool { return w.old[i].n >= n })
}

// set stores a live (non-zero) value where none is.
func (w *window[T]) set(n uint64, v T) {
	old := len(w.old) > 0 && n <= w.old[len(w.old)-1].n
	if w.first == w.end && !old {
		w.first, w.end = n, n
	}
	if n < w.first && (old || !w.extendDown(n)) {
		w.setAged(n, v)
		return
	}
	if n >= w.end {
		w.extendUp(n)
	}
	w.ring[n&uint64(len(w.ring)-1)] = v
	w.used++
}

func (w *window[T]) setAged(n uint64, v T) {
	i := w.search(n)
	if i == len(w.old) || w.old[i].n != n {
		w.old = slices.Insert(w.old, i, aged[T]{n: n})
	}
	w.old[i].v = v
	w.oldUsed++
}

// extendUp makes room for n >= end. A ring that would be mostly gaps is
// emptied into the old list first.
func (w *window[T]) extendUp(n uint64) {
	if n-w.first >= uint64(len(w.ring)) {
		if !w.dense(n - w.first + 1) {
			w.age()
			w.first = n
		}
		w.grow(n - w.first + 1)
	}
	w.end = n + 1
}

// extendDown makes room for n < first if the ring stays dense enough. The old
// list holds nothing from n on.
func (w *window[T]) extendDown(n uint64) bool {
	if !w.dense(w.end - n) {
		return false
	}
	w.grow(w.end - n)
	w.first = n
	return true
}

func (w *window[T]) dense(span uint64) bool {
	return span <= 64 || span/4 <= uint64(w.used)
}

// grow gives the ring at least span places, keeping its range.
func (w *window[T]) grow(span uint64) {
	if span <= uint64(len(w.ring)) {
		return
	}
	size := max(windowMin, 2*len(w.ring))
	for uint64(size) < span {
		size *= 2
	}
	ring := make([]T, size)
	for n := w.first; n < w.end; n++ {
		ring[n&uint64(size-1)] = w.ring[n&uint64(len(w.ring)-1)]
	}
	w.ring = ring
}

// age moves the ring's live values to the old list and empties the ring.
func (w *window[T]) age() {
	var zero T
	for n := w.first; n < w.end; n++ {
		p := &w.ring[n&uint64(len(w.ring)-1)]
		if *p != zero {
			w.old = append(w.old, aged[T]{n, *p})
			*p = zero
		}
	}
	w.oldUsed += w.used
	w.first, w.used = w.end, 0
}

// drop makes a live n gone and trims both ends of the ring.
func (w *window[T]) drop(n uint64) {
	if n-w.first >= w.end-w.first {
		w.dropAged(n)
		return
	}
	var zero T
	mask := uint64(len(w.ring) - 1)
	w.ring[n&mask] = zero
	w.used--
	if w.used == 0 {
		w.first = w.end
		if len(w.ring) > windowKeep {
			w.ring = nil
		}
		return
	}
	for w.ring[w.first&mask] == zero {
		w.first++
	}
	for w.ring[(w.end-1)&mask] == zero {
		w.end--
	}
}

// dropAged leaves a gap; the list is squeezed when half of it is gaps, so that
// settling a long list costs the same per message whatever the order.
func (w *window[T]) dropAged(n uint64) {
	var zero T
	w.old[w.search(n)].v = zero
	w.oldUsed--
	if w.oldUsed*2 <= len(w.old) {
		w.old = slices.DeleteFunc(w.old, func(a aged[T]) bool { return a.v == zero })
	}
	if w.oldUsed == 0 {
		w.old = nil
	}
}

// empty says that nothing is live.
func (w *window[T]) empty() bool { return w.used+w.oldUsed == 0 }

// next returns the lowest live number >= n; ok is false when there is none.
func (w *window[T]) next(n uint64) (uint64, bool) {
	var zero T
	if w.oldUsed > 0 {
		for i := w.search(n); i < len(w.old); i++ {
			if w.old[i].v != zero {
				return w.old[i].n, true
			}
		}
	}
	for n = max(n, w.first); n < w.end; n++ {
		if w.ring[n&uint64(len(w.ring)-1)] != zero {
			return n, true
		}
	}
	return 0, false
}
