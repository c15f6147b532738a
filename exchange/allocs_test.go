//go:build !race

package exchange

import "testing"

// TestRouteAllocates: publishers route every message; the race detector's own
// allocations would count, hence the build tag.
func TestRouteAllocates(t *testing.T) {
	out := make([]Dest, 0, 64)
	for name, c := range cases(t) {
		t.Run(name, func(t *testing.T) {
			if n := testing.AllocsPerRun(200, func() { out = c.router.Route(c.m, out[:0]) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
