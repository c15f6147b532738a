package bench

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// A confirmation is what the broker says.
type confirmation struct {
	tag      uint64
	multiple bool
	settles  uint64
	err      string
}

func TestWindowSettles(t *testing.T) {
	for _, c := range []struct {
		name        string
		sent        int
		confirms    []confirmation
		outstanding uint64
	}{
		{"one by one", 3, []confirmation{{1, false, 1, ""}, {2, false, 1, ""}, {3, false, 1, ""}}, 0},
		{"all at once", 3, []confirmation{{3, true, 3, ""}}, 0},
		{"all at once by tag 0", 3, []confirmation{{0, true, 3, ""}}, 0},
		{"in any order", 3, []confirmation{{3, false, 1, ""}, {1, false, 1, ""}, {2, false, 1, ""}}, 0},
		{"multiple after single", 5, []confirmation{{2, false, 1, ""}, {4, false, 1, ""}, {4, true, 2, ""}}, 1},
		{"multiple that settles nothing new", 2, []confirmation{{2, true, 2, ""}, {2, true, 0, ""}}, 0},
		{"the same twice", 2, []confirmation{{1, false, 1, ""}, {1, false, 0, "publish 1 twice"}}, 1},
		{"twice, behind the low mark", 3, []confirmation{{2, true, 2, ""}, {2, false, 0, "publish 2 twice"}}, 1},
		{"never sent", 2, []confirmation{{3, false, 0, "publish 3 of 2"}}, 2},
		{"never sent, multiple", 2, []confirmation{{9, true, 0, "publish 9 of 2"}}, 2},
		{"single tag 0", 2, []confirmation{{0, false, 0, "publish 0 of 2"}}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, h := newWindow(10), &histogram{}
			w.sent(c.sent, 100)
			for _, cf := range c.confirms {
				n, err := w.settle(cf.tag, cf.multiple, 150, h)
				if n != cf.settles || (err == nil) != (cf.err == "") || err != nil && !strings.Contains(err.Error(), cf.err) {
					t.Fatalf("settle(%d, %v) = %d, %v; want %d, %q", cf.tag, cf.multiple, n, err, cf.settles, cf.err)
				}
			}
			if got := w.outstanding(); got != c.outstanding {
				t.Errorf("%d outstanding, want %d", got, c.outstanding)
			}
			if h.total != uint64(c.sent)-c.outstanding || h.total > 0 && h.max != 50 {
				t.Errorf("%d latencies of at most %d, want %d of 50", h.total, h.max, uint64(c.sent)-c.outstanding)
			}
		})
	}
}

func TestWindowRoom(t *testing.T) {
	w, h := newWindow(4), &histogram{}
	if n := w.room(); n != 4 {
		t.Fatalf("room = %d, want 4", n)
	}
	w.sent(3, 1)
	if n := w.room(); n != 1 {
		t.Fatalf("room = %d, want 1", n)
	}
	w.sent(1, 1)
	if n := w.room(); n != 0 {
		t.Fatalf("room = %d, want 0", n)
	}
	if _, err := w.settle(3, false, 2, h); err != nil {
		t.Fatal(err)
	}
	if n := w.room(); n != 1 {
		t.Fatalf("room = %d, want 1", n)
	}
}

// A first publish that is never confirmed must not let its ring entry be
// overwritten, however many later ones come and go.
func TestWindowStopsBeforeTheRingIsFull(t *testing.T) {
	w, h := newWindow(4), &histogram{}
	tag := uint64(0)
	for w.room() > 0 {
		w.sent(1, 7)
		if tag++; tag > 1 {
			if _, err := w.settle(tag, false, 9, h); err != nil {
				t.Fatal(err)
			}
		}
	}
	if w.outstanding() != 1 || tag != uint64(len(w.times)) {
		t.Fatalf("%d outstanding after %d publishes in a ring of %d", w.outstanding(), tag, len(w.times))
	}
	if _, err := w.settle(1, false, 9, h); err != nil || w.room() != 4 {
		t.Errorf("after the late confirm room is %d (%v), want 4", w.room(), err)
	}
}

func TestWindowAgainstNaiveModel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	w, h := newWindow(50), &histogram{}
	open := map[uint64]bool{}
	tag := uint64(0)
	for range 20_000 {
		if n := r.IntN(20); n > 0 && w.room() >= n {
			w.sent(n, 1)
			for range n {
				tag++
				open[tag] = true
			}
			continue
		}
		if tag == 0 {
			continue
		}
		confirmed := tag - min(uint64(r.IntN(60)), tag-1)
		multiple := r.IntN(4) == 0
		want, fault := uint64(0), !multiple && !open[confirmed]
		for o := range open {
			if o == confirmed || multiple && o < confirmed {
				delete(open, o)
				want++
			}
		}
		n, err := w.settle(confirmed, multiple, 2, h)
		if n != want || (err != nil) != fault {
			t.Fatalf("settle(%d, %v) = %d, %v; want %d, fault %v", confirmed, multiple, n, err, want, fault)
		}
		if w.outstanding() != uint64(len(open)) {
			t.Fatalf("%d outstanding, want %d", w.outstanding(), len(open))
		}
	}
}

func TestWindowAllocatesNothing(t *testing.T) {
	w, h := newWindow(1000), &histogram{}
	if n := testing.AllocsPerRun(100, func() {
		w.sent(300, 1)
		if _, err := w.settle(w.tag.Load(), true, 2, h); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("sent and settle allocate %g times", n)
	}
}
