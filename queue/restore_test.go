package queue

import (
	"fmt"
	"testing"
	"time"
)

// again stops or crashes and starts over from the log.
func (f *fixture) again(clean bool, args ...any) {
	f.t.Helper()
	if clean {
		f.q.Close()
	}
	clear(f.host.armed)
	f.q = f.queue(1, true, table(args...))
	f.log.restore(map[uint64]*Queue{1: f.q}, clean)
}

func TestRedeliveredOverRestarts(t *testing.T) {
	f := newFixture(t, true, nil)
	g := f.q.Getter()
	f.publish("0", "1", "2", "3")
	f.get(g, false)
	f.get(g, true)
	g.Release()
	f.again(true)
	equal(t, f.q.state.ready, 3)
	g = f.q.Getter()
	equal(t, f.get(g, false), "0*")
	equal(t, f.get(g, false), "2")
	g.Release()
	f.again(true)
	f.again(false) // a crash: everything may have been delivered
	f.again(true)  // and that is not forgotten by a clean stop
	f.publish("4") // unlike what came later
	equal(t, f.drain(), "[0* 2* 3* 4]")
}

func TestSequenceGoesOnAfterRestart(t *testing.T) {
	f := newFixture(t, true, nil)
	f.publish("0", "1")
	f.drain()
	f.again(true)
	f.publish("2")
	f.again(true)
	equal(t, f.drain(), "[2]")
}

func TestDeadlinesOverRestart(t *testing.T) {
	f := newFixture(t, true, table("x-message-ttl", int32(1000)))
	f.publish("0")
	f.host.now = f.host.now.Add(600 * time.Millisecond)
	f.publish("1")
	f.again(false, "x-message-ttl", int32(1000))
	f.host.pass(399 * time.Millisecond)
	f.counts(2, 0)
	f.host.pass(2 * time.Millisecond) // the log keeps milliseconds
	f.counts(1, 0)
	f.host.now = f.host.now.Add(time.Minute)
	f.again(false, "x-message-ttl", int32(1000))
	f.counts(0, 0)
}

// TestOneRecordForAllTargets: and one more for a target with another deadline.
func TestOneRecordForAllTargets(t *testing.T) {
	f := newFixture(t, true, nil)
	qs := []*Queue{f.q, f.queue(2, true, table("x-message-ttl", int32(1000))), f.queue(3, true, nil), f.queue(4, false, nil)}
	b := NewBatch()
	b.Publish(message("m", true), []*Queue{qs[2], qs[0], qs[1], qs[3]})
	if pos := b.Commit(f.log); pos == 0 {
		t.Fatal("nothing logged")
	}
	var refs []string
	for _, o := range f.log.order {
		refs = append(refs, fmt.Sprint(o.(*memoryRecord).refs))
	}
	equal(t, refs, "[[3 1 1 1] [2 1]]")
	equal(t, f.log.appends, 1)
	for i, q := range qs {
		f.q = q
		equal(t, f.drain(), "[m]")
		equal(t, f.log.liveRefs(), max(0, 2-i))
	}
}

func TestRelocateOnlyTheLiving(t *testing.T) {
	f := newFixture(t, true, nil)
	q2 := f.queue(2, true, nil)
	b := NewBatch()
	b.Publish(message("m", true), []*Queue{q2, f.q})
	pos := b.Commit(f.log)
	q2.Purge()
	qs, refs := []*Queue{q2, f.q}, []uint64{2, 1, 1, 1}
	moved := uint64(0)
	Relocate(qs, pos, refs, func(live []uint64) uint64 {
		equal(t, live, []uint64{1, 1})
		moved = f.log.move(pos, live)
		return moved
	})
	var live []uint64
	f.q.Live(func(pos uint64, size uint32) { live = append(live, pos) })
	equal(t, live, []uint64{moved})
	equal(t, f.drain(), "[m]")
	Relocate(qs, moved, refs, func([]uint64) uint64 { t.Fatal("moved the dead"); return 0 })
}

// TestRelocateLeavesOldCopies: after a crash in the middle of reclaiming a
// segment there are two copies of a record. The older one is waste: were it
// copied once more, its segment would release what another one counts.
func TestRelocateLeavesOldCopies(t *testing.T) {
	f := newFixture(t, true, nil)
	f.q.Restore(100, 10, 0, 1, nil)
	f.q.Restore(300, 10, 0, 1, nil)
	f.q.Restored(false)
	qs, refs := []*Queue{f.q}, []uint64{1, 1}
	Relocate(qs, 100, refs, func([]uint64) uint64 { t.Fatal("moved the old copy"); return 0 })
	Relocate(qs, 300, refs, func([]uint64) uint64 { return 400 })
	var live []uint64
	f.q.Live(func(pos uint64, _ uint32) { live = append(live, pos) })
	equal(t, live, "[400]")
}

// TestNewerCopyWins: recovery may see a record and its relocated copy.
func TestNewerCopyWins(t *testing.T) {
	f := newFixture(t, true, nil)
	f.q.Restore(100, 10, 0, 5, nil)
	f.q.Restore(200, 10, FlagDelivered, 900, nil)
	f.q.Restore(300, 10, 0, 5, nil)
	f.q.RestoreFact(FactCut, 3, 0)
	f.q.Restored(true)
	f.counts(2, 0)
	var live []uint64
	f.q.Live(func(pos uint64, size uint32) { live = append(live, pos) })
	equal(t, live, "[300 200]")
	f.q.RestoreFact(FactCut, 899, 0)
	f.counts(1, 0)
}

// TestHostileIndex: a number far away costs no memory.
func TestHostileIndex(t *testing.T) {
	f := newFixture(t, true, nil)
	f.q.Restore(100, 10, 0, 1<<60, nil)
	f.q.Restore(200, 10, 0, 3, nil)
	f.q.RestoreSettled(4, 1<<62)
	f.q.Restored(true)
	f.counts(1, 0)
	if n := len(f.q.state.index.slots.ring); n > 64 {
		t.Fatalf("%d places", n)
	}
}

func TestNothingIsLoggedThatNeedNotBe(t *testing.T) {
	f := newFixture(t, true, nil)
	_, s := f.consume(ConsumerOptions{NoAck: true})
	equal(t, f.publish("0", "1"), 0)
	equal(t, s.take(), "[0 1]")
	equal(t, f.log.appends, 0)
	equal(t, NewBatch().Commit(f.log), 0)
	f.q = New(Options{ID: 2, Durable: true, Exclusive: true, Log: f.log, Clock: f.host, Host: f.host})
	equal(t, f.publish("exclusive"), 0)
	equal(t, f.drain(), "[exclusive]")
	equal(t, f.log.appends, 0)
}

func TestSettlesOfTwoConsumersAreOneRun(t *testing.T) {
	f := newFixture(t, true, nil)
	a, _ := f.consume(ConsumerOptions{})
	b, _ := f.consume(ConsumerOptions{})
	f.publish("0", "1", "2", "3", "4", "5")
	f.settle(func(x *Batch) { x.Settle(a, 1, 3) })
	f.settle(func(x *Batch) { x.Settle(b, 1, 3) })
	equal(t, f.log.settledFacts(1), "[{1 1} {3 3} {5 5} {2 6}]")
}
