package queue

import (
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

func newSingle(t *testing.T, more ...wire.Field) *fixture {
	return newFixture(t, true, append(table("x-single-active-consumer", true), more...))
}

// TestSingleActive: the first to come is served alone; the next in line is of
// the highest priority, and of those the first to have come (seen on RabbitMQ).
func TestSingleActive(t *testing.T) {
	for name, end := range map[string]func(*Consumer){"cancel": (*Consumer).Cancel, "release": (*Consumer).Release} {
		t.Run(name, func(t *testing.T) {
			f := newSingle(t)
			a, as := f.consume(ConsumerOptions{Priority: 1})
			b, bs := f.consume(ConsumerOptions{Priority: 5})
			c, cs := f.consume(ConsumerOptions{Priority: 5})
			d, ds := f.consume(ConsumerOptions{Priority: 9})
			f.publish("1", "2")
			equal(t, as.take(), "[1 2]")
			equal(t, []bool{a.Active(), b.Active(), c.Active(), d.Active()}, "[true false false false]")
			f.settle(func(x *Batch) { x.Settle(a, 1, 2) })
			end(d) // who only waits leaves without notice
			end(a)
			f.publish("3")
			equal(t, bs.take(), "[3]")
			f.settle(func(x *Batch) { x.Settle(b, 1, 1) })
			end(b)
			f.publish("4")
			equal(t, cs.take(), "[4]")
			equal(t, len(as.got)+len(bs.got)+len(ds.got), 0)
			equal(t, []bool{a.Active(), b.Active(), c.Active()}, "[false false true]")
		})
	}
}

// TestSingleActiveKeeps: what a cancelled consumer holds stays with it, and
// goes to the active one when it comes back.
func TestSingleActiveKeeps(t *testing.T) {
	f := newSingle(t)
	a, as := f.consume(ConsumerOptions{Prefetch: 1})
	_, bs := f.consume(ConsumerOptions{})
	f.publish("1", "2")
	equal(t, as.take(), "[1]")
	f.counts(1, 1) // a full active consumer holds the others back
	a.Cancel()
	equal(t, bs.take(), "[2]")
	f.settle(func(b *Batch) { b.Requeue(a, 1, 1) })
	equal(t, bs.take(), "[1*]")
}

// TestSingleActiveUnsent: what the active one was not sent goes to the next.
func TestSingleActiveUnsent(t *testing.T) {
	f := newSingle(t)
	s := newSink()
	s.room = 1
	a, _ := f.consume(ConsumerOptions{Sink: s})
	_, bs := f.consume(ConsumerOptions{})
	f.publish("1", "2", "3")
	a.Release()
	equal(t, bs.take(), "[1* 2 3]")
}

func TestSingleActiveAlone(t *testing.T) {
	f := newSingle(t)
	a, _ := f.consume(ConsumerOptions{})
	a.Release()
	_, s := f.consume(ConsumerOptions{})
	f.publish("1")
	equal(t, s.take(), "[1]")
}

func TestSingleActiveRefusals(t *testing.T) {
	f := newSingle(t)
	_, err := f.q.Attach(ConsumerOptions{Sink: newSink(), Exclusive: true})
	equal(t, err, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use")
	equal(t, f.q.Gettable(), "<nil>")
	f = newSingle(t, isQuorum)
	f.consume(ConsumerOptions{Exclusive: true})
	equal(t, f.q.Gettable(), "RESOURCE_LOCKED - cannot obtain access to locked queue 'q' in vhost '/'. basic.get operations are not supported by quorum queues with single active consumer")
}
