package amqp

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// naiveUnacked is what unacked means.
type naiveUnacked struct {
	last uint64
	open map[uint64]uint64 // tag -> id
}

func (n *naiveUnacked) span(tag uint64, multiple bool) (tags []uint64, ok bool) {
	if tag == 0 && multiple {
		return slices.Sorted(maps.Keys(n.open)), true
	}
	if _, ok := n.open[tag]; !ok {
		return nil, false
	}
	if !multiple {
		return []uint64{tag}, true
	}
	for _, t := range slices.Sorted(maps.Keys(n.open)) {
		if t <= tag {
			tags = append(tags, t)
		}
	}
	return tags, true
}

// take settles in u and returns the tags.
func take(u *unacked, tag uint64, multiple bool) (tags []uint64, ok bool) {
	from, to, ok := u.span(tag, multiple)
	if !ok {
		return nil, false
	}
	for i := from; i <= to; i++ {
		if e := u.at(i); e.state == open {
			tags = append(tags, e.tag)
			u.drop(e)
		}
	}
	u.trim()
	return tags, true
}

func TestUnackedAgreesWithNaive(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		u, n := &unacked{}, &naiveUnacked{open: map[uint64]uint64{}}
		for step := range 2000 {
			switch op := r.IntN(10); {
			case op < 5:
				n.last++
				n.open[n.last] = uint64(step)
				if got := u.push(uint32(op), uint64(step)); got != n.last {
					t.Fatalf("seed %d step %d: push gave tag %d, want %d", seed, step, got, n.last)
				}
			case op == 5:
				n.last++
				if got := u.tag(); got != n.last {
					t.Fatalf("seed %d step %d: tag gave %d, want %d", seed, step, got, n.last)
				}
			default:
				tag, multiple := r.Uint64N(n.last+2), r.IntN(6) == 0
				want, wantOK := n.span(tag, multiple)
				for _, tag := range want {
					delete(n.open, tag)
				}
				got, ok := take(u, tag, multiple)
				if ok != wantOK || !slices.Equal(got, want) {
					t.Fatalf("seed %d step %d: settle %d multiple=%t gave %v %t, want %v %t", seed, step, tag, multiple, got, ok, want, wantOK)
				}
			}
			if u.live != len(n.open) {
				t.Fatalf("seed %d step %d: %d live, want %d", seed, step, u.live, len(n.open))
			}
		}
	}
}

func TestUnackedStaysSmallBehindOneThatIsNeverAcked(t *testing.T) {
	var u unacked
	u.push(0, 1)
	for range 100_000 {
		tag := u.push(0, 2)
		if _, ok := take(&u, tag, false); !ok {
			t.Fatalf("tag %d is unknown", tag)
		}
	}
	if len(u.ring) > 4*leastRing {
		t.Errorf("the ring has %d entries for one open delivery", len(u.ring))
	}
	if _, ok := take(&u, 1, false); !ok {
		t.Error("the first tag is unknown")
	}
}

func TestUnackedSpans(t *testing.T) {
	cases := []struct {
		name     string
		settled  []uint64 // of tags 1 to 5
		tag      uint64
		multiple bool
		want     []uint64
		ok       bool
	}{
		{"one", nil, 3, false, []uint64{3}, true},
		{"up to", nil, 3, true, []uint64{1, 2, 3}, true},
		{"all", nil, 0, true, []uint64{1, 2, 3, 4, 5}, true},
		{"zero alone", nil, 0, false, nil, false},
		{"never given", nil, 9, false, nil, false},
		{"never given, multiple", nil, 9, true, nil, false},
		{"settled before", []uint64{2}, 2, false, nil, false},
		{"settled before, multiple", []uint64{2}, 2, true, nil, false},
		{"up to, with gaps", []uint64{1, 3}, 4, true, []uint64{2, 4}, true},
		{"all of none", []uint64{1, 2, 3, 4, 5}, 0, true, nil, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var u unacked
			for range 5 {
				u.push(0, 0)
			}
			for _, tag := range c.settled {
				take(&u, tag, false)
			}
			got, ok := take(&u, c.tag, c.multiple)
			if ok != c.ok || !slices.Equal(got, c.want) {
				t.Errorf("got %v %t, want %v %t", got, ok, c.want, c.ok)
			}
		})
	}
}
