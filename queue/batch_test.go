package queue

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

func TestBatchAppliesInOrder(t *testing.T) {
	f := newFixture(t, true, nil)
	c, s := f.consume(ConsumerOptions{Prefetch: 1})
	f.publish("0", "1")
	b := NewBatch()
	b.Settle(c, 1, 1)
	b.Publish(message("2", true), []*Queue{f.q})
	b.Publish(message("3", true), nil) // routed nowhere
	if b.Empty() || b.Commit(f.log) == 0 || !b.Empty() {
		t.Fatal("not committed, or not emptied")
	}
	equal(t, s.take(), "[0 1]")
	b.Requeue(c, 2, 2)
	b.Commit(f.log)
	equal(t, s.take(), "[1*]")
	equal(t, f.drain(), "[2]")
}

// TestBatchIsOneAppend: publishes and settles in many queues.
func TestBatchIsOneAppend(t *testing.T) {
	f := newFixture(t, true, nil)
	var qs []*Queue
	for id := uint64(9); id > 1; id-- {
		qs = append(qs, f.queue(id, true, nil))
	}
	b := NewBatch()
	for i := range 20 {
		b.Publish(message(fmt.Sprint(i), i%2 == 0), qs[i%3:])
	}
	b.Commit(f.log)
	equal(t, f.log.appends, 1)
	var gs []*Consumer
	for _, q := range qs {
		f.q = q
		g := q.Getter()
		for f.get(g, false) != "" {
		}
		gs = append(gs, g)
	}
	for _, g := range gs {
		b.Settle(g, 1, 100)
	}
	b.Commit(f.log)
	equal(t, f.log.appends, 2)
	equal(t, f.log.liveRefs(), 0)
}

// TestDeadLetterIsOneAppend: the copy and the settle, or neither.
func TestDeadLetterIsOneAppend(t *testing.T) {
	f := newFixture(t, true, table("x-dead-letter-exchange", ""))
	target := f.queue(2, true, nil)
	f.publishTTL("m", 0)
	appends := f.log.appends
	o := f.q.TakeOutside(1)[0]
	b := NewBatch()
	b.Publish(Message{Content: o.Content, Persistent: true, TTL: -1}, []*Queue{target})
	b.Dead(f.q, o.Seq)
	b.Commit(f.log)
	equal(t, f.log.appends, appends+1)
	f.counts(0, 0)
	f.q = target
	equal(t, f.drain(), "[m]")
}

func TestManySettledAtOnce(t *testing.T) {
	for _, deadLetters := range []bool{false, true} {
		var args []any
		if deadLetters {
			args = []any{"x-dead-letter-exchange", ""}
		}
		f := newFixture(t, true, table(args...))
		c, s := f.consume(ConsumerOptions{})
		const n = 3*settleStep + 5
		b := NewBatch()
		for range n {
			b.Publish(message("m", true), []*Queue{f.q})
		}
		b.Commit(f.log)
		equal(t, len(s.got), n)
		f.settle(func(b *Batch) { b.Discard(c, 1, n) })
		f.counts(0, 0)
		if deadLetters {
			got := 0
			for {
				work := f.q.TakeOutside(1000)
				if len(work) == 0 {
					break
				}
				f.settle(func(b *Batch) {
					for _, o := range work {
						b.Dead(f.q, o.Seq)
					}
				})
				got += len(work)
			}
			equal(t, got, n)
		}
		equal(t, f.log.liveRefs(), 0)
		equal(t, f.q.Stats().Settled, n)
	}
}

// TestPublishersViewsAreNotKept: after Commit the publisher's buffer is used
// for something else.
func TestPublishersViewsAreNotKept(t *testing.T) {
	for _, durable := range []bool{true, false} {
		f := newFixture(t, durable, nil)
		_, s := f.consume(ConsumerOptions{})
		s.room = 1
		buf := []byte("0 1 2 ")
		b := NewBatch()
		for i := 0; i < 6; i += 2 {
			m := message("", true)
			m.Body = buf[i : i+1]
			b.Publish(m, []*Queue{f.q})
		}
		b.Commit(f.log)
		copy(buf, "xxxxxx")
		s.room = -1
		f.q.consumers[0].Resume()
		equal(t, s.take(), "[0 1 2]")
	}
}

// ownSink notes which bodies it was allowed to keep.
type ownSink struct {
	testSink
	own []bool
}

func (s *ownSink) Deliver(ds []Delivery) int {
	for _, d := range ds {
		s.own = append(s.own, d.Shared != nil)
	}
	return s.testSink.Deliver(ds)
}

func TestLargeBodiesAreSharedNotCopied(t *testing.T) {
	f := newFixture(t, false, nil)
	s := &ownSink{testSink: testSink{room: -1}}
	b := NewBatch()
	m := message(strings.Repeat("x", adoptMin), false)
	m.Shared = wire.NewBody(m.Body)
	m.Shared.Retain() // for the second publish
	b.Publish(m, []*Queue{f.q, f.queue(2, false, nil)})
	b.Publish(message("small", false), []*Queue{f.q})
	b.Commit(nil)
	c, _ := f.q.Attach(ConsumerOptions{Sink: s})
	c.Start()
	equal(t, s.own, "[true false]")
	b.Publish(m, []*Queue{f.q})
	b.Commit(nil)
	equal(t, s.own, "[true false true]")
}

func TestStats(t *testing.T) {
	f := newFixture(t, true, nil)
	c, _ := f.consume(ConsumerOptions{Prefetch: 2})
	f.publish("0", "1", "2")
	f.settle(func(b *Batch) { b.Requeue(c, 1, 1) })
	f.settle(func(b *Batch) { b.Settle(c, 2, 2) })
	s := f.q.Stats()
	equal(t, s.Counters, Counters{Published: 3, Delivered: 4, Redelivered: 1, Acknowledged: 1, Settled: 1})
	equal(t, []int{s.Ready, s.Unacked, s.Leaving, s.Consumers}, "[0 2 0 1]")
	if f.q.ID() != 1 || f.q.Options().Name != "q" {
		t.Fatal("not the queue that was made")
	}
}
