package persistence

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

// op is the effect of one append on the set of live messages.
type op struct {
	pos  uint64
	add  []pair
	del  []pair
	back []pair // came back once more
}

// model is what the log should hold: the state at the last start and what was
// appended since, in log order. A crash may take away a tail of it, as far as
// that was not durable, and nothing else.
type model struct {
	base map[pair]uint64 // live messages and their return counts
	ops  []op
}

func (m *model) apply(o op) {
	for _, p := range o.add {
		m.base[p] = 0
	}
	for _, p := range o.back {
		m.base[p]++
	}
	for _, p := range o.del {
		delete(m.base, p)
	}
}

// accept finds the prefix of the history that the recovered owner shows and
// makes it the new base.
func (m *model) accept(w *owner, durable uint64) error {
	for len(m.ops) > 0 && m.ops[0].pos < durable {
		m.apply(m.ops[0])
		m.ops = m.ops[1:]
	}
	first := m.difference(w)
	for n := 0; ; n++ {
		if m.difference(w) == "" {
			m.ops = nil
			return nil
		}
		if n == len(m.ops) {
			return fmt.Errorf("no state from %d durable to %d appended matches; at the durable one %s", 0, n, first)
		}
		m.apply(m.ops[n])
	}
}

func (m *model) difference(w *owner) string {
	for p, n := range m.base {
		if _, ok := w.live[p]; !ok {
			return fmt.Sprintf("%v is lost", p)
		}
		if w.returns[p] != n {
			return fmt.Sprintf("%v has come back %d times, want %d", p, w.returns[p], n)
		}
	}
	for p := range w.live {
		if _, ok := m.base[p]; !ok && p.group != volatileGroup {
			return fmt.Sprintf("%v is back", p)
		}
	}
	return ""
}

// driver makes random appends and keeps the model up to date.
type driver struct {
	t      testing.TB
	rng    *rand.Rand
	fs     *Memory
	o      Options
	l      *Log
	w      *owner
	m      model
	groups [4]uint64
	next   map[uint64]uint64 // last index used, by group
	fresh  uint64            // last group used
	// restarted: the last start was cut short and made again, perhaps after it
	// had consumed the mark of a clean stop.
	restarted bool
}

func newDriver(t testing.TB, seed uint64) *driver {
	d := &driver{t: t, rng: rand.New(rand.NewPCG(seed, 1)), fs: NewMemory(), next: map[uint64]uint64{}}
	d.o = Options{SegmentSize: 16 << 10 << d.rng.IntN(3), CacheBytes: 64 << 10, Incarnation: 1}
	d.m.base = map[pair]uint64{}
	for i := range d.groups {
		d.fresh++
		d.groups[i] = d.fresh
	}
	return d
}

// cutAt has the power fail at the given call.
func (d *driver) cutAt(call int) {
	d.fs.SetFault(func(n int, _, _ string) error {
		if n >= call {
			return ErrPowerCut
		}
		return nil
	})
}

func (d *driver) open() error {
	d.w = newOwner()
	d.o.FS, d.o.Owner = d.fs, d.w
	d.o.Incarnation++
	l, err := Open(d.o)
	d.l, d.w.log = l, l
	return err
}

// start opens the log and compares it with the model.
func (d *driver) start(durable uint64) {
	d.t.Helper()
	err := d.open()
	d.restarted = false
	for errors.Is(err, ErrPowerCut) { // now while it starts
		d.restarted = true
		d.fs = d.fs.Crash(d.rng)
		err = d.open()
	}
	if err != nil {
		d.t.Fatalf("open: %v", err)
	}
	for p := range d.w.live {
		if p.group == volatileGroup {
			d.t.Errorf("volatile %v is back", p)
		}
	}
	if err := d.m.accept(d.w, durable); err != nil {
		d.t.Fatal(err)
	}
	d.w.check(d.t)
	d.checkLive()
}

// checkLive compares the live counters with the truth.
func (d *driver) checkLive() {
	d.t.Helper()
	d.w.mu.Lock() // nothing moves
	defer d.w.mu.Unlock()
	if err := d.l.Audit(); err != nil && d.l.Err() == nil { // a dead log counts no more
		d.t.Error(err)
	}
}

func (d *driver) group() int { return d.rng.IntN(len(d.groups)) }

func (d *driver) index(group uint64) uint64 {
	d.next[group]++
	return d.next[group]
}

func (d *driver) size() int {
	switch d.rng.IntN(40) {
	case 0:
		return d.rng.IntN(100_000)
	case 1, 2:
		return d.rng.IntN(5_000)
	}
	return d.rng.IntN(200)
}

// live picks a live message, preferring old ones.
func (d *driver) live() (pair, bool) {
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	g := d.groups[d.group()]
	best, found := pair{}, false
	for p := range d.w.live {
		if p.group == g && (!found || p.index < best.index) {
			best, found = p, true
		}
	}
	return best, found
}

// step makes one random append.
func (d *driver) step() {
	switch n := d.rng.IntN(100); {
	case n < 45:
		d.publish(1)
	case n < 52:
		d.publish(2 + d.rng.IntN(2))
	case n < 55:
		d.volatile()
	case n < 75:
		d.settle()
	case n < 85:
		d.transfer()
	case n < 92:
		d.back()
	case n < 93:
		d.cut()
	case n < 94 && d.rng.IntN(4) == 0:
		d.tombstone()
	}
}

func (d *driver) publish(n int) {
	var refs []uint64
	var o op
	for _, i := range d.rng.Perm(len(d.groups))[:n] {
		g := d.groups[i]
		x := d.index(g)
		refs = append(refs, g, x)
		o.add = append(o.add, pair{g, x})
	}
	attr := "12345678"[:d.rng.IntN(2)*8]
	o.pos = d.w.publish(refs, 0, attr, d.size())
	d.m.ops = append(d.m.ops, o)
}

// volatileGroup is the group of the records that no restart may show.
const volatileGroup = 99

func (d *driver) volatile() {
	x := d.index(volatileGroup)
	d.w.publish([]uint64{volatileGroup, x}, FlagVolatile, "", 50)
	if x > 20 {
		d.w.settle(volatileGroup, x-20, x-20)
	}
}

func (d *driver) settle() {
	p, ok := d.live()
	if !ok || d.rng.IntN(20) == 0 { // now and then one stays
		return
	}
	to := p.index + uint64(d.rng.IntN(4))
	o := op{}
	for i := p.index; i <= to; i++ {
		o.del = append(o.del, pair{p.group, i})
	}
	d.next[p.group] = max(d.next[p.group], to)
	o.pos = d.w.settle(p.group, p.index, to)
	d.m.ops = append(d.m.ops, o)
}

// transfer settles one message and publishes another in the same append.
func (d *driver) transfer() {
	p, ok := d.live()
	if !ok {
		return
	}
	g := d.groups[d.group()]
	to := pair{g, d.index(g)}
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	a := d.l.Begin()
	e := d.w.live[p]
	a.Release(e.pos, e.size)
	a.Fact(KindSettle, p.group, p.index, p.index)
	b := body(to, d.size())
	rel := a.Store([]uint64{to.group, to.index}, 0, nil, []byte("\x01e\x01k"), []byte("pp"), b)
	pos := a.Commit() + rel
	delete(d.w.live, p)
	delete(d.w.returns, p)
	d.w.live[to] = entry{pos: pos, size: uint32(10 + len(b))}
	d.m.ops = append(d.m.ops, op{pos: pos, add: []pair{to}, del: []pair{p}})
}

func (d *driver) back() {
	p, ok := d.live()
	if !ok {
		return
	}
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	d.w.returns[p]++
	a := d.l.Begin()
	a.Fact(KindReturn, p.group, p.index, d.w.returns[p])
	d.m.ops = append(d.m.ops, op{pos: a.Commit(), back: []pair{p}})
}

func (d *driver) removal(group, to uint64) (o op) {
	for i := uint64(1); i <= to; i++ {
		o.del = append(o.del, pair{group, i})
	}
	return o
}

func (d *driver) cut() {
	g := d.groups[d.group()]
	o := d.removal(g, d.next[g])
	o.pos = d.w.cut(KindCut, g, d.next[g])
	d.m.ops = append(d.m.ops, o)
}

func (d *driver) tombstone() {
	i := d.group()
	g := d.groups[i]
	o := d.removal(g, d.next[g])
	o.pos = d.w.cut(KindTombstone, g, d.next[g])
	d.m.ops = append(d.m.ops, o)
	d.fresh++
	d.groups[i] = d.fresh
}

func TestModelCleanRestarts(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			d := newDriver(t, seed)
			var moved int64
			for range 4 {
				d.start(1 << 63)
				for range 1500 {
					d.step()
					if d.rng.IntN(50) == 0 {
						d.checkLive()
						await(t, d.l, everything)
					}
				}
				d.w.mu.Lock()
				d.w.check(t)
				d.w.mu.Unlock()
				if err := d.l.Close(); err != nil {
					t.Fatal(err)
				}
				moved += d.l.Stats().Relocated
			}
			d.start(1 << 63)
			if !d.l.Clean() {
				t.Error("not clean after Close")
			}
			d.l.Close()
			t.Logf("%d live, %d copied forward, %+v", len(d.w.live), moved, d.l.Stats())
		})
	}
}

// run makes random appends until the log dies or the steps are done.
func (d *driver) run(steps int) {
	for range steps {
		if d.l.Err() != nil {
			return
		}
		d.step()
		switch d.rng.IntN(12) {
		case 0:
			await2(d.l, everything)
		case 1:
			d.l.Wait(100, nil)
		case 2:
			d.checkLive()
		}
	}
}

// crash ends the run, cuts the power if it is still on, and goes on with what
// is left. The next start may be cut short as well.
func (d *driver) crash() {
	d.t.Helper()
	durable := d.l.Durable()
	died := d.l.Err() != nil
	err := d.l.Close()
	if err == nil {
		durable = 1 << 63
	}
	d.fs = d.fs.Crash(d.rng)
	if d.rng.IntN(2) == 0 {
		d.cutAt(1 + d.rng.IntN(40))
	}
	d.start(durable)
	// Close may fail at its very last call, when the mark is there.
	if clean := d.l.Clean(); clean && died || !clean && err == nil && !d.restarted {
		d.t.Errorf("died: %v; Close returned %v; Clean is %v", died, err, clean)
	}
}

// await2 waits for durability or the end of the log.
func await2(l *Log, pos uint64) {
	done := make(signal, 1)
	if l.Notify(pos, done) {
		return
	}
	for {
		changed, err := l.space.changed()
		if err != nil {
			return
		}
		select {
		case <-done:
			return
		case <-changed:
		}
	}
}

func TestCrash(t *testing.T) {
	seeds := uint64(40)
	if os.Getenv("LEVERET_CRASH") == "all" {
		seeds = 2000
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			d := newDriver(t, seed)
			d.start(0)
			for range 6 {
				d.cutAt(d.fs.Calls() + 1 + d.rng.IntN(300))
				d.run(50 + d.rng.IntN(1000))
				d.crash()
			}
			d.l.Close()
		})
	}
}

// Every call is a place where the power may fail, from the first one on.
func TestCrashAtEveryCall(t *testing.T) {
	stride, last := 13, 600
	if os.Getenv("LEVERET_CRASH") == "all" {
		stride, last = 1, 3000
	}
	for call := 1; call <= last; call += stride {
		d := newDriver(t, 77)
		d.cutAt(call)
		d.start(0)
		d.run(2000)
		d.crash()
		d.run(100)
		d.l.Close()
		if t.Failed() {
			t.Fatalf("at call %d", call)
		}
	}
}
