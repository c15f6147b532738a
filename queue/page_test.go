package queue

import (
	"fmt"
	"testing"
)

// onDisk publishes n messages and drops them from the log's memory.
func (f *fixture) onDisk(n int) (want []string) {
	for i := range n {
		f.publish(fmt.Sprint(i))
		want = append(want, fmt.Sprint(i))
	}
	f.log.cached = f.log.end
	return want
}

func TestPageInOfABacklog(t *testing.T) {
	for _, noAck := range []bool{true, false} {
		f := newFixture(t, true, nil)
		want := f.onDisk(5000)
		c, s := f.consume(ConsumerOptions{NoAck: noAck})
		for len(f.host.fetch) > 0 {
			f.host.pages()
		}
		equal(t, s.got, want)
		f.settle(func(b *Batch) { b.Settle(c, 1, 5000) })
		f.counts(0, 0)
		if f.log.reads > 6000 {
			t.Fatalf("%d reads for 5000 messages", f.log.reads)
		}
		if len(f.q.pages.held[1].seqs) != 0 {
			t.Fatal("an empty queue keeps pages")
		}
	}
}

// TestReadAhead: the next page is asked for when half of this one is used.
func TestReadAhead(t *testing.T) {
	f := newFixture(t, true, nil)
	f.onDisk(3000)
	c, s := f.consume(ConsumerOptions{NoAck: true})
	s.room = 600
	f.host.fetch = nil
	f.q.PageIn()
	equal(t, len(s.got), 600)
	equal(t, len(f.host.fetch), 1)
	f.host.pages()
	s.room = 1200
	c.Resume() // without another read
	equal(t, len(s.got), 1800)
}

func TestGetFromDisk(t *testing.T) {
	f := newFixture(t, true, nil)
	f.onDisk(3)
	g := f.q.Getter()
	var got []string
	done := func(d Delivery, n int, ok bool) { got = append(got, fmt.Sprintf("%s/%d/%v", d.Body, n, ok)) }
	f.q.Get(g, false, done)
	equal(t, got, "[]")
	f.host.pages()
	equal(t, got, "[0/2/true]")
	f.q.Get(g, true, done)
	f.host.pages()
	equal(t, got, "[0/2/true 1/1/true]")
}

func TestGetterReleasedWhileReading(t *testing.T) {
	f := newFixture(t, true, nil)
	f.onDisk(1)
	g := f.q.Getter()
	f.q.Get(g, true, func(Delivery, int, bool) { t.Fatal("called") })
	g.Release()
	f.host.pages()
	equal(t, f.drain(), "[0]")
}

func TestDeletedWhileReading(t *testing.T) {
	f := newFixture(t, true, nil)
	f.onDisk(1)
	calls := 0
	f.q.Get(f.q.Getter(), true, func(_ Delivery, _ int, ok bool) {
		if calls++; ok {
			t.Fatal("a message of a deleted queue")
		}
	})
	f.q.Delete(false, false)
	f.host.pages()
	equal(t, calls, 1)
}

// TestRecordMovesWhileReading: a read fails because the cleaner moved the
// record; it is read again at its new place.
func TestRecordMovesWhileReading(t *testing.T) {
	f := newFixture(t, true, nil)
	f.onDisk(3)
	_, s := f.consume(ConsumerOptions{})
	var r reading
	f.q.want(&r)
	for _, pos := range r.locs {
		Relocate([]*Queue{f.q, nil}, pos, []uint64{1, r.seqs[0], 9, 1}, func(live []uint64) uint64 {
			equal(t, live, []uint64{1, r.seqs[0]})
			return f.log.move(pos, live)
		})
		break
	}
	r.read(f.log)
	equal(t, len(r.failed), 1)
	f.q.locked(func(w *work) { f.q.paged(w, &r) })
	f.host.pages()
	equal(t, s.take(), "[0 1 2]")
	equal(t, f.q.Stats().Corrupt, 0)
}

// TestCorruptBodyIsWithheld: neither delivered nor settled, and reported; the
// others go on in order, to consumers and gets alike.
func TestCorruptBodyIsWithheld(t *testing.T) {
	for _, get := range []bool{false, true} {
		f := newFixture(t, true, nil)
		first := f.publish("0")
		f.onDisk(0)
		f.publish("1", "2")
		f.log.cached = f.log.end
		f.log.broken[first] = true
		if get {
			equal(t, f.get(f.q.Getter(), true), "1")
			equal(t, f.get(f.q.Getter(), true), "2")
		} else {
			_, s := f.consume(ConsumerOptions{NoAck: true})
			f.host.pages()
			equal(t, s.take(), "[1 2]")
		}
		f.counts(0, 0)
		work := f.q.TakeOutside(9)
		if len(work) != 1 || work[0].Kind != Corrupt || work[0].Seq != 1 || work[0].Err != errBad {
			t.Fatalf("%+v", work)
		}
		equal(t, f.log.liveRefs(), 1)
		equal(t, f.q.Stats().Leaving, 1)
	}
}

func TestCorruptDeadLetter(t *testing.T) {
	f := newFixture(t, true, table("x-dead-letter-exchange", ""))
	pos := f.publish("0")
	f.publishTTL("1", 0)
	f.q.Tick(f.host.now)
	f.log.cached, f.log.broken[pos] = f.log.end, true
	g := f.q.Getter()
	f.q.locked(func(w *work) { // taken before it broke
		f.q.apply(w, &Command{Kind: Checkout, Holder: g.slot})
		f.q.apply(w, &Command{Kind: Sent, Holder: g.slot, To: 1})
	})
	f.settle(func(b *Batch) { b.Discard(g, 1, 1) })
	work := f.q.TakeOutside(9)
	equal(t, []OutsideKind{work[0].Kind}, "[4]")
	equal(t, f.log.liveRefs(), 2) // 1 still waits behind
}

// TestDeadLetterOfDeletedQueue: a queue that is deleted while its dead letters
// are read takes them with it. Nothing is wrong with them.
func TestDeadLetterOfDeletedQueue(t *testing.T) {
	f := newFixture(t, true, table("x-dead-letter-exchange", ""))
	c, s := f.consume(ConsumerOptions{})
	f.publish("0", "1")
	s.take()
	f.settle(func(b *Batch) { b.Discard(c, 1, 2) })
	f.log.cached = f.log.end
	f.log.reading = func() {
		f.log.reading = nil
		if _, _, err := f.q.Delete(false, false); err != nil {
			t.Fatal(err)
		}
	}
	if work := f.q.TakeOutside(9); len(work) != 1 || work[0].Kind != Dead { // the one that was being read
		t.Fatalf("%+v", work)
	}
	equal(t, f.q.Stats().Corrupt, 0)
}
