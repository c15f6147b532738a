package persistence

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// entryFor encodes and parses one record, so that the footer sees what the
// committer sees.
func entryFor(t testing.TB, r *record, fact [4]uint64) head {
	t.Helper()
	var b []byte
	if r != nil {
		b, _ = appendStore(nil, r)
	} else {
		b = appendFact(nil, uint8(fact[0]), fact[1], fact[2], fact[3])
	}
	var h head
	if err := parseHead(b, &h); err != nil {
		t.Fatal(err)
	}
	return h
}

type placed struct {
	head
	off uint32
}

// randomEntries makes the heads of a plausible segment.
func randomEntries(t testing.TB, rng *rand.Rand, n int) []placed {
	var out []placed
	next := map[uint64]uint64{}
	off := uint32(headerSize)
	for range n {
		var h head
		switch rng.IntN(10) {
		case 0:
			x := rng.Uint64() >> rng.IntN(64)
			h = entryFor(t, nil, [4]uint64{1 + rng.Uint64N(7), rng.Uint64N(1000), x, x + rng.Uint64N(100)})
		case 1:
			refs := []uint64{rng.Uint64() >> rng.IntN(64), rng.Uint64() >> rng.IntN(64), 3, 4}
			h = entryFor(t, &record{refs: refs[:2*rng.IntN(3)], flags: uint8(rng.IntN(4)), term: rng.Uint64N(2), attr: []byte("attribute")[:rng.IntN(9)]}, [4]uint64{})
		default:
			g := rng.Uint64N(6) * 64 // two of them share a predictor's slot
			next[g] += 1 + rng.Uint64N(8)/7*rng.Uint64N(500)
			if rng.IntN(50) == 0 {
				next[g] -= min(next[g], 50)
			}
			h = entryFor(t, &record{refs: []uint64{g, next[g]}, flags: uint8(rng.IntN(20) / 19), attr: []byte("attribute")[:rng.IntN(12)/11*8], body: make([]byte, 100+rng.IntN(3))}, [4]uint64{})
		}
		if rng.IntN(30) == 0 {
			off += commitSize
		}
		out = append(out, placed{h, off})
		off += h.length + h.size
	}
	return out
}

func TestFooterRoundTrip(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			entries := randomEntries(t, rand.New(rand.NewPCG(seed, 2)), 3000)
			var f footer
			f.reset()
			for _, e := range entries {
				before := len(f.buf)
				f.add(e.off, &e.head)
				if n := len(f.buf) - before; n > int(e.length) {
					t.Fatalf("entry of %d octets for a head of %d", n, e.length)
				}
			}
			r := newFooterReader(f.buf)
			for i, want := range entries {
				var got head
				off, more, err := r.read(&got)
				if !more || err != nil {
					t.Fatalf("entry %d: %v", i, err)
				}
				same(t, i, placed{got, off}, want)
			}
			if _, more, err := r.read(new(head)); more || err != nil {
				t.Errorf("after the last: %v, %v", more, err)
			}
		})
	}
}

func same(t *testing.T, i int, got, want placed) {
	t.Helper()
	if got.off != want.off || got.kind != want.kind || got.length != want.length || got.size != want.size {
		t.Fatalf("entry %d is %+v, want %+v", i, got, want)
	}
	if want.kind != kindStore {
		if got.group != want.group || got.a != want.a || got.b != want.b {
			t.Fatalf("fact %d is %+v, want %+v", i, got, want)
		}
		return
	}
	if got.flags != want.flags || got.term != want.term || !bytes.Equal(got.attr, want.attr) ||
		!slices.Equal(got.appendRefs(nil), want.appendRefs(nil)) {
		t.Fatalf("store %d is %+v, want %+v", i, got, want)
	}
	var refs []uint64
	got.eachRef(func(g, x uint64) { refs = append(refs, g, x) })
	if !slices.Equal(refs, want.appendRefs(nil)) {
		t.Fatalf("refs of %d are %v", i, refs)
	}
}

// A backlog must restore fast and small: octets per record of what queues do.
func TestFooterSize(t *testing.T) {
	tests := []struct {
		name   string
		queues uint64
		attr   int
		most   float64
	}{
		{"one queue", 1, 0, 1.1},
		{"ten queues in turn", 10, 0, 3.1},
		{"a thousand queues in turn", 1000, 0, 6.5},
		{"with a deadline", 1, 8, 10.2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var f footer
			f.reset()
			off := uint32(headerSize)
			const n = 20_000
			for i := range uint64(n) {
				r := record{refs: []uint64{1000 + i%tt.queues, 70_000 + i/tt.queues}, attr: make([]byte, tt.attr), body: make([]byte, 128)}
				h := entryFor(t, &r, [4]uint64{})
				f.add(off, &h)
				off += h.length + h.size
			}
			if got := float64(len(f.buf)) / n; got > tt.most {
				t.Errorf("%.2f octets per record, want at most %.2f", got, tt.most)
			}
		})
	}
}

func FuzzFooter(f *testing.F) {
	var foot footer
	foot.reset()
	for _, e := range randomEntries(f, rand.New(rand.NewPCG(1, 1)), 50) {
		foot.add(e.off, &e.head)
	}
	f.Add(foot.buf)
	f.Add([]byte{formFull, 0, 0, 1, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newFooterReader(b)
		var h head
		last := uint32(0)
		for n := 0; ; n++ {
			off, more, err := r.read(&h)
			if !more {
				if err == nil && len(r.r.b) > 0 {
					t.Fatal("ended before the end")
				}
				return
			}
			if off < last || n > len(b) {
				t.Fatalf("entry %d at %d after %d", n, off, last)
			}
			last = off
			if h.kind == kindStore && uint64(len(h.appendRefs(nil))) != 2*h.count {
				t.Fatal("refs do not match their count")
			}
		}
	})
}
