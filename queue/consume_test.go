package queue

import (
	"strings"
	"testing"
)

func TestRoundRobinPerMessage(t *testing.T) {
	f := newFixture(t, false, nil)
	_, a := f.consume(ConsumerOptions{})
	_, b := f.consume(ConsumerOptions{})
	_, c := f.consume(ConsumerOptions{NoAck: true})
	f.publish("0", "1", "2", "3", "4", "5", "6")
	equal(t, [][]string{a.take(), b.take(), c.take()}, "[[0 3 6] [1 4] [2 5]]")
}

func TestPrefetch(t *testing.T) {
	f := newFixture(t, false, nil)
	c, s := f.consume(ConsumerOptions{Prefetch: 3})
	f.publish("0", "1", "2", "3", "4", "5", "6", "7")
	equal(t, s.take(), "[0 1 2]")
	f.settle(func(b *Batch) { b.Settle(c, 1, 3) })
	equal(t, s.take(), "[3 4 5]")
	f.settle(func(b *Batch) { b.Settle(c, 5, 5) })
	equal(t, s.take(), "[6]")
	f.counts(1, 3)
}

func TestPrefetchDoesNotHoldNoAck(t *testing.T) {
	f := newFixture(t, false, nil)
	_, s := f.consume(ConsumerOptions{Prefetch: 1, NoAck: true})
	f.publish("0", "1", "2", "3")
	equal(t, s.take(), "[0 1 2 3]")
	f.counts(0, 0)
}

func TestSharedPrefetch(t *testing.T) {
	f := newFixture(t, false, nil)
	c, s := f.consume(ConsumerOptions{Shared: true})
	f.publish("0", "1", "2")
	s.credit = 2
	f.publish("3") // it was refused, and is not asked again before Resume
	equal(t, s.take(), "[]")
	c.Resume()
	equal(t, s.take(), "[0 1]")
	f.settle(func(b *Batch) { b.Settle(c, 1, 1) })
	s.credit++
	c.Resume()
	equal(t, s.take(), "[2]")
}

func TestPriorities(t *testing.T) {
	f := newFixture(t, false, nil)
	lo, l := f.consume(ConsumerOptions{Prefetch: 2})
	hi, h := f.consume(ConsumerOptions{Prefetch: 1, Priority: 5})
	f.publish("0", "1", "2", "3")
	equal(t, [][]string{h.take(), l.take()}, "[[0] [1 2]]")
	f.settle(func(b *Batch) { b.Settle(hi, 1, 1) })
	equal(t, h.take(), "[3]")
	hi.Release()
	lo.Release()
	_, h = f.consume(ConsumerOptions{Priority: -1})
	equal(t, h.take(), "[1* 2* 3*]")
}

func TestExclusiveConsumer(t *testing.T) {
	const refused = "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"
	f := newFixture(t, false, nil)
	c, _ := f.consume(ConsumerOptions{Exclusive: true})
	_, err := f.q.Attach(ConsumerOptions{Sink: newSink()})
	equal(t, err, refused)
	f.publish("a")
	if f.q.Getter() == nil {
		t.Fatal("basic.get beside an exclusive consumer is legal")
	}
	c.Cancel()
	shared, _ := f.consume(ConsumerOptions{})
	_, err = f.q.Attach(ConsumerOptions{Exclusive: true, Sink: newSink()})
	equal(t, err, refused)
	shared.Release()
	f.consume(ConsumerOptions{Exclusive: true})
}

func TestNothingBeforeStartNorAfterCancel(t *testing.T) {
	f := newFixture(t, false, nil)
	s := newSink()
	c, _ := f.q.Attach(ConsumerOptions{Sink: s})
	f.publish("a")
	c.Resume() // as a writer might that sees room
	equal(t, s.take(), "[]")
	c.Start()
	equal(t, s.take(), "[a]")
	c.Cancel()
	f.publish("b")
	equal(t, s.take(), "[]")
	f.counts(1, 1)
	f.settle(func(b *Batch) { b.Settle(c, 1, 1) }) // un-acked stays with the consumer
	f.counts(1, 0)
	c.Resume()
	c.Cancel()
	c.Start()
	c.Release()
	f.settle(func(b *Batch) { b.Settle(c, 1, 1) })
	f.counts(1, 0)
}

func TestRequeueTakesTheOldPlace(t *testing.T) {
	f := newFixture(t, false, nil)
	g := f.q.Getter()
	f.publish("0", "1", "2", "3", "4")
	for range 3 {
		f.get(g, false)
	}
	f.settle(func(b *Batch) { b.Requeue(g, 1, 3) })
	equal(t, f.drain(), "[0* 1* 2* 3 4]")
}

func TestRequeueToSelf(t *testing.T) {
	f := newFixture(t, false, nil)
	c, s := f.consume(ConsumerOptions{Prefetch: 1})
	f.publish("0", "1")
	for id := uint64(1); id < 4; id++ {
		f.settle(func(b *Batch) { b.Requeue(c, id, id) })
	}
	equal(t, s.take(), "[0 0* 0* 0*]")
	f.settle(func(b *Batch) { b.Settle(c, 4, 4) })
	equal(t, s.take(), "[1]")
}

func TestRecover(t *testing.T) {
	f := newFixture(t, true, nil)
	c, s := f.consume(ConsumerOptions{})
	f.publish("0", "1")
	f.q.Recover(c)
	equal(t, s.take(), "[0 1 0* 1*]")
	f.settle(func(b *Batch) { b.Recover(c) })
	equal(t, s.take(), "[0* 1*]")
	f.settle(func(b *Batch) { b.Settle(c, 1, 6) })
	f.counts(0, 0)
}

func TestSettlingTwiceAndUnknownIds(t *testing.T) {
	f := newFixture(t, true, nil)
	c, _ := f.consume(ConsumerOptions{})
	f.publish("0", "1", "2")
	f.settle(func(b *Batch) {
		b.Settle(c, 2, 2)
		b.Settle(c, 2, 2)
		b.Discard(c, 2, 2)
		b.Requeue(c, 4, 9)
		b.Settle(c, 7, 3)
		b.Settle(c, 0, 0)
	})
	f.counts(0, 2)
	equal(t, f.log.settledFacts(1), "[{2 2}]")
}

func TestUnsentGoesBackNotRedelivered(t *testing.T) {
	f := newFixture(t, true, nil)
	c, s := f.consume(ConsumerOptions{})
	s.room = 1
	f.publish("0", "1", "2")
	f.counts(0, 3)
	c.Release()
	equal(t, s.take(), "[0]")
	equal(t, f.drain(), "[0* 1 2]")
}

func TestUnsentIsBounded(t *testing.T) {
	f := newFixture(t, false, nil)
	c, s := f.consume(ConsumerOptions{NoAck: true})
	s.room = 0
	for range 3 * unsentMax {
		f.publish("m")
	}
	if _, unacked, _ := f.q.Counts(); unacked > unsentMax {
		t.Fatalf("%d checked out to a sink that takes nothing", unacked)
	}
	s.room = -1
	c.Resume()
	if n := len(s.take()); n != 3*unsentMax {
		t.Fatalf("%d delivered", n)
	}
	f.counts(0, 0)
}

func TestDeliveryToOneFullSinkGoesToAnother(t *testing.T) {
	f := newFixture(t, false, nil)
	_, a := f.consume(ConsumerOptions{})
	a.room = 0
	_, b := f.consume(ConsumerOptions{})
	f.publish("0")
	f.publish("1")
	f.publish("2")
	equal(t, [][]string{a.take(), b.take()}, "[[] [1 2]]")
	f.counts(0, 3)
}

func TestGet(t *testing.T) {
	f := newFixture(t, true, nil)
	g := f.q.Getter()
	equal(t, f.get(g, false), "")
	f.publish("0", "1", "2")
	var left []int
	for _, noAck := range []bool{false, true, false, false} {
		f.q.Get(g, noAck, func(d Delivery, n int, ok bool) {
			if ok {
				left = append(left, n)
			}
		})
	}
	equal(t, left, "[2 1 0]")
	f.counts(0, 2)
	f.settle(func(b *Batch) { b.Settle(g, 1, 1) })
	g.Release()
	equal(t, f.drain(), "[2*]")
}

func TestAutoDelete(t *testing.T) {
	f := newFixture(t, false, nil)
	f.q = New(Options{ID: 2, AutoDelete: true, Clock: f.host, Host: f.host})
	f.get(f.q.Getter(), true) // a get does not make it used
	if len(f.host.outside) != 0 {
		t.Fatal("unused before its first consumer")
	}
	a, _ := f.consume(ConsumerOptions{})
	b, _ := f.consume(ConsumerOptions{})
	a.Cancel()
	if len(f.host.outside) != 0 {
		t.Fatal("unused with a consumer")
	}
	b.Release()
	equal(t, len(f.host.outside), 1)
	work := f.q.TakeOutside(10)
	if len(work) != 1 || work[0].Kind != Unused {
		t.Fatalf("%+v", work)
	}
	equal(t, len(f.q.TakeOutside(10)), 0)
}

func TestDelete(t *testing.T) {
	f := newFixture(t, true, table("x-dead-letter-exchange", ""))
	c, s := f.consume(ConsumerOptions{Prefetch: 1})
	g := f.q.Getter()
	f.publish("0", "1", "2")
	for _, cond := range [][2]bool{{true, false}, {false, true}} {
		if _, _, err := f.q.Delete(cond[0], cond[1]); err == nil {
			t.Fatal("deleted")
		} else if !strings.HasPrefix(err.Error(), "PRECONDITION_FAILED - queue 'q' in vhost '/' ") {
			t.Fatal(err)
		}
	}
	n, pos, err := f.q.Delete(false, false)
	if n != 2 || pos == 0 || err != nil || s.cancelled != 1 || !f.q.Deleted() {
		t.Fatal(n, pos, err, s.cancelled)
	}
	equal(t, f.log.liveRefs(), 0)
	equal(t, f.log.order[len(f.log.order)-1], memoryFact{FactTombstone, 1, 0, 0})
	// What holds on to the queue does nothing.
	f.publish("3")
	f.settle(func(b *Batch) { b.Settle(c, 1, 1); b.Dead(f.q, 1) })
	c.Resume()
	c.Cancel()
	c.Release()
	equal(t, f.get(g, true), "")
	equal(t, f.get(f.q.Getter(), true), "")
	f.q.Touch()
	f.q.Tick(f.host.now)
	f.q.PageIn()
	f.q.Purge()
	equal(t, len(f.q.TakeOutside(9)), 0)
	f.counts(0, 0)
	_, err = f.q.Attach(ConsumerOptions{Sink: newSink()})
	equal(t, err, "NOT_FOUND - no queue 'q' in vhost '/'")
	_, _, err = f.q.Delete(false, false)
	equal(t, err, "NOT_FOUND - no queue 'q' in vhost '/'")
}

func TestPurgeLeavesUnacked(t *testing.T) {
	f := newFixture(t, true, nil)
	g := f.q.Getter()
	var bodies []string
	for range 10000 {
		bodies = append(bodies, "m")
	}
	f.publish(bodies...)
	for range 5000 {
		f.get(g, false)
	}
	f.settle(func(b *Batch) {
		b.Requeue(g, 1, 1000)
		b.Requeue(g, 1002, 4999)
	})
	n, pos := f.q.Purge()
	if n != 9998 || pos == 0 {
		t.Fatal(n, pos)
	}
	f.counts(0, 2)
	equal(t, f.log.settledFacts(1), "[{1 1000} {1002 4999} {5001 10000}]")
	equal(t, f.log.liveRefs(), 2)
	f.settle(func(b *Batch) { b.Requeue(g, 1, 5000) })
	equal(t, f.drain(), "[m* m*]")
}
