package exchange

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSetRandom: a set is a sorted list without doubles, whatever is done to it.
func TestSetRandom(t *testing.T) {
	for _, size := range []uint64{3, 40, 3000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(size, 1))
			var s *set
			model := map[uint64]bool{}
			for step := range 20_000 {
				id := rnd.Uint64N(size)
				b := bound{dest: queue(id)}
				before := s
				// Phases of growth and of decline.
				if grow := step/4000%2 == 0; rnd.IntN(10) < 7 == grow {
					if s = s.with(b); model[id] != (s == before) {
						t.Fatalf("step %d: adding %d changed %v", step, id, s != before)
					}
					model[id] = true
				} else {
					if s = s.without(&b); model[id] == (s == before) {
						t.Fatalf("step %d: removing %d changed %v", step, id, s != before)
					}
					delete(model, id)
				}
				if step%500 == 0 {
					checkSet(t, s, model)
				}
			}
			for id := range size {
				s = s.without(&bound{dest: queue(id)})
			}
			if s != nil {
				t.Fatal("something is left")
			}
		})
	}
}

func checkSet(t *testing.T, s *set, model map[uint64]bool) {
	t.Helper()
	got := s.dests(nil)
	if len(got) != len(model) || !slices.IsSortedFunc(got, Dest.order) {
		t.Fatalf("%d destinations, want %d; sorted %v", len(got), len(model), slices.IsSortedFunc(got, Dest.order))
	}
	for _, d := range got {
		if !model[d.ID] {
			t.Fatal("there should be no", d)
		}
	}
	if d := depth(s); d > 4 {
		t.Fatal("depth", d)
	}
}

func depth(s *set) int {
	if s == nil {
		return 0
	}
	below := 0
	for _, k := range s.kids {
		below = max(below, depth(k))
	}
	return below + 1
}

func TestSetOrders(t *testing.T) {
	orders := map[string]func(i, n int) int{
		"ascending":  func(i, n int) int { return i },
		"descending": func(i, n int) int { return n - 1 - i },
		"inside out": func(i, n int) int { return n/2 + (i+1)/2*(1-i%2*2) },
	}
	const n = 4001
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			var s *set
			model := map[uint64]bool{}
			for i := range n {
				id := uint64(order(i, n))
				model[id] = true
				s = s.with(bound{dest: queue(id)})
			}
			checkSet(t, s, model)
		})
	}
}

func TestDestOrder(t *testing.T) {
	ascending := []Dest{{0, false}, {0, true}, {1, false}, {1<<63 + 1, false}, {1<<63 + 1, true}}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := a.order(b); (got < 0) != (i < j) || (got == 0) != (i == j) {
				t.Errorf("%v to %v: %d", a, b, got)
			}
		}
	}
}
