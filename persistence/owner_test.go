package persistence

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
)

// pair names a message: a group and an index in it.
type pair struct{ group, index uint64 }

// entry is where a message's record is.
type entry struct {
	pos   uint64
	size  uint32
	flags uint8
	attr  string
}

// owner is a minimal broker: a map of live messages, kept by the log's calls at
// recovery and by the test while it runs.
type owner struct {
	mu      sync.Mutex
	log     *Log
	unknown map[uint64]bool // groups it does not know
	live    map[pair]entry
	returns map[pair]uint64
	tombs   map[uint64]bool
}

func newOwner() *owner {
	return &owner{live: map[pair]entry{}, returns: map[pair]uint64{}, tombs: map[uint64]bool{}, unknown: map[uint64]bool{}}
}

func (o *owner) Stored(pos uint64, size uint32, flags uint8, group, index uint64, attr []byte) bool {
	if o.unknown[group] {
		return false
	}
	p := pair{group, index}
	if _, again := o.live[p]; !again {
		delete(o.returns, p)
	}
	o.live[p] = entry{pos, size, flags, string(attr)}
	return true
}

func (o *owner) drop(group, from, to uint64) {
	maps.DeleteFunc(o.live, func(p pair, _ entry) bool {
		return p.group == group && p.index >= from && p.index <= to
	})
}

func (o *owner) Settled(group, from, to uint64) {
	if to-from < 1000 {
		for i := from; i <= to; i++ {
			delete(o.live, pair{group, i})
		}
		return
	}
	o.drop(group, from, to)
}

func (o *owner) Fact(kind uint8, group, a, b uint64) {
	switch kind {
	case KindCut:
		o.drop(group, 0, a)
	case KindTombstone:
		o.drop(group, 0, ^uint64(0))
		o.tombs[group] = true
	case KindReturn:
		o.returns[pair{group, a}] = b
	}
}

func (o *owner) Live(visit func(pos uint64, size uint32)) {
	for _, e := range o.live {
		visit(e.pos, e.size)
	}
}

func (o *owner) Relocate(at uint64, refs []uint64, move func(live []uint64) uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var live []uint64
	for i := 0; i < len(refs); i += 2 {
		if e, ok := o.live[pair{refs[i], refs[i+1]}]; ok && e.pos == at {
			live = append(live, refs[i], refs[i+1])
		}
	}
	if len(live) == 0 {
		return
	}
	pos := move(live)
	for i := 0; i < len(live); i += 2 {
		p := pair{live[i], live[i+1]}
		e := o.live[p]
		moved := e.pos != pos
		e.pos = pos
		o.live[p] = e
		if n := o.returns[p]; n > 0 && moved {
			a := o.log.Begin()
			a.Fact(KindReturn, p.group, p.index, n)
			a.Commit()
		}
	}
}

// body is the payload content that belongs to a message: the test can tell
// whether what it reads is the right one.
func body(p pair, size int) []byte {
	b := fmt.Appendf(nil, "%d/%d:", p.group, p.index)
	for len(b) < size {
		b = append(b, byte(p.index+uint64(len(b))))
	}
	return b
}

// publish stores one message for several groups and returns the end of the append.
func (o *owner) publish(refs []uint64, flags uint8, attr string, size int) (pos uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := body(pair{refs[0], refs[1]}, size)
	if len(refs) > 2 {
		flags |= flagShared
	}
	a := o.log.Begin()
	rel := a.Store(refs, flags, []byte(attr), []byte("\x01e\x01k"), []byte("pp"), b)
	pos = a.Commit() + rel
	for i := 0; i < len(refs); i += 2 {
		o.live[pair{refs[i], refs[i+1]}] = entry{pos, uint32(4 + 4 + 2 + len(b)), flags, attr}
	}
	return pos
}

// settle removes from..to of a group.
func (o *owner) settle(group, from, to uint64) (pos uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a := o.log.Begin()
	for i := from; i <= to; i++ {
		p := pair{group, i}
		if e, ok := o.live[p]; ok {
			a.Release(e.pos, e.size)
			delete(o.live, p)
			delete(o.returns, p)
		}
	}
	a.Fact(KindSettle, group, from, to)
	return a.Commit()
}

// cut removes everything up to index to of a group.
func (o *owner) cut(kind uint8, group, to uint64) (pos uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a := o.log.Begin()
	for p, e := range o.live {
		if p.group == group && p.index <= to {
			a.Release(e.pos, e.size)
			delete(o.live, p)
			delete(o.returns, p)
		}
	}
	a.Fact(kind, group, to, 0)
	return a.Commit()
}

func (o *owner) entries() []pair {
	return slices.SortedFunc(maps.Keys(o.live), func(a, b pair) int {
		if a.group != b.group {
			return int(a.group) - int(b.group)
		}
		return int(a.index) - int(b.index)
	})
}

type signal chan uint64

func (s signal) Durable(pos uint64) { s <- pos }

// everything is beyond any position: what was appended so far.
const everything = 1 << 62

func oldest(l *Log) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.segs.first
}

// await blocks until pos is durable.
func await(t testing.TB, l *Log, pos uint64) {
	t.Helper()
	done := make(signal, 1)
	if !l.Notify(pos, done) {
		select {
		case <-done:
		case <-l.work.stop:
			t.Fatal("log was closed")
		}
	}
}

func open(t testing.TB, o Options) (*Log, *owner) {
	t.Helper()
	w := newOwner()
	o.Owner = w
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	w.log = l
	return l, w
}

// flagShared marks records of several groups: the body names one of them.
const flagShared = 4

func checkBody(t testing.TB, p pair, e entry, got []byte) {
	t.Helper()
	named := p
	if e.flags&flagShared != 0 {
		if _, err := fmt.Sscanf(string(got), "%d/%d:", &named.group, &named.index); err != nil {
			t.Fatalf("body of %v: %v", p, err)
		}
	}
	if string(got) != string(body(named, len(got))) {
		t.Fatalf("body of %v is %.40q", p, got)
	}
}

// check reads every live message and compares its payload.
func (o *owner) check(t testing.TB) {
	t.Helper()
	for _, p := range o.entries() {
		e := o.live[p]
		got, err := o.log.Read(e.pos, e.size, nil)
		if err != nil {
			t.Fatalf("read %v at %x: %v", p, e.pos, err)
		}
		if want := "\x01e\x01k\x02\x00\x00\x00pp"; string(got[:len(want)]) != want {
			t.Fatalf("payload of %v begins %q", p, got[:len(want)])
		}
		checkBody(t, p, e, got[10:])
	}
}
