package queue

import (
	"math/rand/v2"
	"testing"
)

// TestWindowAgainstMap drives a window and a map with the same operations.
func TestWindowAgainstMap(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 3))
		var w window[uint64]
		m := map[uint64]uint64{}
		top := uint64(1)
		for range 3000 {
			switch n := r.Uint64N(20); {
			case n < 8:
				top++
				set(&w, m, top)
			case n == 8: // a jump, as after a long restore
				top += r.Uint64N(1 << r.IntN(50))
				set(&w, m, top)
			case n == 9: // an old one, as a relocated record
				set(&w, m, 1+r.Uint64N(top))
			case n < 19:
				for k := range m {
					w.drop(k)
					delete(m, k)
					break
				}
			default:
				for k := range m { // a burst of settles leaves a straggler or none
					if len(m) > r.IntN(2) {
						w.drop(k)
						delete(m, k)
					}
				}
			}
			checkWindow(t, &w, m, r.Uint64N(top+2))
		}
	}
}

func set(w *window[uint64], m map[uint64]uint64, n uint64) {
	if m[n] == 0 {
		w.set(n, n*7)
		m[n] = n * 7
	}
}

func checkWindow(t *testing.T, w *window[uint64], m map[uint64]uint64, probe uint64) {
	t.Helper()
	if w.empty() != (len(m) == 0) {
		t.Fatalf("empty %v with %d", w.empty(), len(m))
	}
	if got := w.at(probe); (got == nil || *got == 0) != (m[probe] == 0) {
		t.Fatalf("at %d: %v, want %d", probe, got, m[probe])
	}
	want := uint64(1<<64 - 1)
	for k, v := range m {
		if got := w.at(k); got == nil || *got != v {
			t.Fatalf("at %d: %v, want %d", k, got, v)
		}
		if k >= probe {
			want = min(want, k)
		}
	}
	got, ok := w.next(probe)
	if ok != (want != 1<<64-1) || ok && got != want {
		t.Fatalf("next %d: %d %v, want %d", probe, got, ok, want)
	}
	if room := len(w.ring) + len(w.old); room > 64+windowMin+8*(len(m)+1) && room > 2*windowKeep {
		t.Fatalf("%d places for %d values", room, len(m))
	}
}

// TestWindowForgetsDistance: one value that stays while a hundred million pass
// costs nothing.
func TestWindowForgetsDistance(t *testing.T) {
	var w window[uint64]
	w.set(1, 1)
	for n := uint64(2); n < 1e6; n++ {
		w.set(n, n)
		w.drop(n)
	}
	if len(w.ring) > 256 || *w.at(1) != 1 {
		t.Fatalf("a ring of %d places for one value", len(w.ring))
	}
}

func TestReturnedHeap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	var h returned
	for range 200 {
		for range r.IntN(100) {
			h.push(r.Uint64N(1000))
		}
		last := uint64(0)
		for n := len(h) / 2; n > 0; n-- {
			if h[0] < last {
				t.Fatalf("%d after %d", h[0], last)
			}
			last = h[0]
			h.pop()
		}
	}
}
