package bench

import (
	"slices"
	"testing"
)

// A receipt is one delivery to one of two consumers of a queue.
type receipt struct {
	consumer int
	seq      uint64
	again    bool
}

func TestVerifier(t *testing.T) {
	in := func(consumer int, seqs ...uint64) (r []receipt) {
		for _, s := range seqs {
			r = append(r, receipt{consumer, s, false})
		}
		return r
	}
	for _, c := range []struct {
		name      string
		published uint64
		receipts  []receipt
		want      Verification
	}{
		{"clean", 4, in(0, 0, 1, 2, 3), Verification{Checked: 4}},
		{"nothing published, nothing received", 0, nil, Verification{}},
		{"nothing received", 3, nil, Verification{Missing: 3}},
		{"one missing in the middle", 4, in(0, 0, 1, 3), Verification{Checked: 3, Missing: 1}},
		{"the last missing", 4, in(0, 0, 1, 2), Verification{Checked: 3, Missing: 1}},
		{"twice in a row", 3, in(0, 0, 1, 1, 2), Verification{Checked: 4, Duplicates: 1}},
		{"twice, later", 3, in(0, 0, 1, 2, 0), Verification{Checked: 4, Duplicates: 1}},
		{"out of order", 3, in(0, 0, 2, 1), Verification{Checked: 3, Disordered: 1}},
		{"redelivered is no fault", 3, append(in(0, 0, 1, 2), receipt{0, 1, true}), Verification{Checked: 4, Redelivered: 1}},
		{"shared between two consumers", 4, append(in(0, 0, 2), in(1, 1, 3)...), Verification{Checked: 4}},
		{"once to each of two", 2, append(in(0, 0, 1), in(1, 1)...), Verification{Checked: 3, Duplicates: 1}},
		{"far apart", 200, in(0, 0, 199), Verification{Checked: 2, Missing: 198}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := tally(c.published, c.receipts); got != c.want {
				t.Errorf("verification = %+v, want %+v", got, c.want)
			}
		})
	}
}

// tally is a flow of one producer, one queue and two consumers.
func tally(published uint64, receipts []receipt) Verification {
	o := DefaultOptions()
	f := &flow{o: &o, plan: &plan{queues: []string{"q"}, keys: []string{"q"}, reach: [][]int{{0}}}}
	f.producers = []*producer{{tmpl: &template{seqs: []uint64{published}}}}
	for range 2 {
		f.consumers = append(f.consumers, &consumer{queues: []int{0}, verifier: newVerifier(7, 1)})
	}
	for _, r := range receipts {
		f.consumers[r.consumer].verifier.observe(0, stamp{run: 7, seq: r.seq}, r.again)
	}
	return *f.verify()
}

func TestVerifierTellsStreamsApart(t *testing.T) {
	v := newVerifier(1, 2)
	for _, s := range []stamp{{run: 1}, {run: 1, producer: 3}, {run: 1, stream: 9}, {run: 1, producer: 3, stream: 9}} {
		v.observe(0, s, false)
		v.observe(1, s, false)
	}
	if v.Duplicates != 0 || v.Checked != 8 {
		t.Errorf("verification = %+v, want 8 checked and no duplicate", v.Verification)
	}
}

func TestVerifierCountsForeignMessages(t *testing.T) {
	for _, c := range []struct {
		name  string
		queue int
		s     stamp
	}{
		{"another run", 0, stamp{run: 2}},
		{"a number that would cost much memory", 0, stamp{run: 1, seq: maxSeq}},
		{"an unknown consumer tag", 5, stamp{run: 1}},
		{"a consumer tag that overflows", -1, stamp{run: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVerifier(1, 1)
			v.observe(c.queue, c.s, false)
			if v.Foreign != 1 || v.Checked != 0 {
				t.Errorf("verification = %+v, want one foreign", v.Verification)
			}
		})
	}
}

func TestVerifierByGaps(t *testing.T) {
	o := DefaultOptions()
	f := &flow{o: &o, plan: &plan{queues: []string{"q"}}}
	c := &consumer{queues: []int{0}, verifier: newVerifier(0, 1)}
	f.consumers = []*consumer{c}
	for _, seq := range []uint64{0, 1, 4} {
		c.verifier.observe(0, stamp{run: 5, producer: 1, stream: 2, seq: seq}, false)
	}
	c.verifier.observe(0, stamp{run: 6}, false)
	if got, want := *f.verify(), (Verification{Checked: 3, Missing: 2, Foreign: 1}); got != want {
		t.Errorf("verification = %+v, want %+v", got, want)
	}
}

func TestVerifierByCount(t *testing.T) {
	o := DefaultOptions()
	o.Load.Size = StampSize - 1
	f := &flow{o: &o, plan: &plan{queues: []string{"q"}, keys: []string{"q"}, reach: [][]int{{0}}}}
	f.expected = func() (uint64, bool) { return 10, true }
	c := &consumer{queues: []int{0}, verifier: newVerifier(0, 1)}
	c.delivered.Store(7)
	f.consumers = []*consumer{c}
	if got := f.verify().Missing; got != 3 {
		t.Errorf("missing = %d, want 3", got)
	}
}

func TestUnion(t *testing.T) {
	a, b := &track{}, &track{}
	for _, seq := range []uint64{0, 1, 64, 500} {
		a.grow(seq >> 6)
		a.seen[seq>>6] |= 1 << (seq & 63)
		a.next = seq + 1
	}
	b.grow(1)
	b.seen[1] |= 1<<0 | 1<<1 // 64 and 65
	b.next = 66
	seen, twice, next := union([]*track{a, b})
	if got, want := []uint64{seen, twice, next}, []uint64{5, 1, 501}; !slices.Equal(got, want) {
		t.Errorf("seen, twice, next = %v, want %v", got, want)
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	v := newVerifier(1, 1)
	v.observe(0, stamp{run: 1, seq: 1 << 20}, false)
	seq := uint64(0)
	if n := testing.AllocsPerRun(1000, func() {
		v.observe(0, stamp{run: 1, seq: seq}, false)
		seq++
	}); n != 0 {
		t.Errorf("observe allocates %g times", n)
	}
}
