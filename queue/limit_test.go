package queue

import (
	"fmt"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// dead takes the dead letters and settles them: "body reason".
func (f *fixture) dead() (got []string) {
	for {
		work := f.q.TakeOutside(10)
		if len(work) == 0 {
			return got
		}
		f.settle(func(b *Batch) {
			for _, o := range work {
				got = append(got, string(o.Content.Body)+" "+o.Reason)
				b.Dead(f.q, o.Seq)
			}
		})
	}
}

// publishTagged sends messages in one batch and returns which were refused.
func (f *fixture) publishTagged(bodies ...string) []uint32 {
	b := NewBatch()
	for i, body := range bodies {
		m := message(body, true)
		m.Tag = uint32(i + 1)
		b.Publish(m, []*Queue{f.q})
	}
	b.Commit(f.log)
	return b.Refused()
}

var toDead = wire.Field{Name: "x-dead-letter-exchange", Value: ""}

func TestDropHead(t *testing.T) {
	f := newFixture(t, true, append(table("x-max-length", int32(2)), toDead))
	equal(t, f.publishTagged("1", "2", "3", "4"), "[]")
	f.counts(2, 0)
	equal(t, f.dead(), "[1 maxlen 2 maxlen]")
	equal(t, f.drain(), "[3 4]")
	equal(t, f.log.liveRefs(), 0)
}

// TestDropHeadByBytes: octets of bodies count, and nothing else; one message
// may be too large for the queue altogether (seen on RabbitMQ).
func TestDropHeadByBytes(t *testing.T) {
	f := newFixture(t, true, table("x-max-length-bytes", int32(5)))
	for _, c := range []struct {
		body  string
		ready int
	}{{"aaa", 1}, {"bb", 2}, {"c", 2}, {"dddd", 2}, {"ee", 1}, {"ffffff", 0}, {"g", 1}} {
		f.publish(c.body)
		f.counts(c.ready, 0)
	}
	equal(t, f.drain(), "[g]")
	equal(t, f.log.liveRefs(), 0)
}

// TestLimitIsOfReadyMessages: what is unacked is free, and drops the head when
// it comes back.
func TestLimitIsOfReadyMessages(t *testing.T) {
	f := newFixture(t, true, append(table("x-max-length", int32(1)), toDead))
	g := f.q.Getter()
	f.publish("1")
	f.get(g, false)
	f.publish("2")
	f.counts(1, 1)
	f.settle(func(b *Batch) { b.Requeue(g, 1, 1) })
	equal(t, f.dead(), "[1 maxlen]")
	equal(t, f.drain(), "[2]")
}

func TestLimitZeroHandsOver(t *testing.T) {
	f := newFixture(t, true, table("x-max-length", int32(0)))
	f.publish("nobody")
	_, s := f.consume(ConsumerOptions{Prefetch: 1})
	f.publish("1", "2")
	equal(t, s.take(), "[1]")
	f.counts(0, 1)
}

func TestRejectPublish(t *testing.T) {
	f := newFixture(t, true, append(table("x-max-length", int32(2), "x-overflow", "reject-publish"), toDead))
	equal(t, f.publishTagged("1", "2", "3", "4"), "[3 4]")
	equal(t, f.dead(), "[]")
	g := f.q.Getter()
	f.get(g, false)
	equal(t, f.publishTagged("5", "6"), "[2]")
	f.settle(func(b *Batch) { b.Requeue(g, 1, 1) })
	f.counts(3, 0) // a requeue is never refused
	equal(t, f.drain(), "[1* 2 5]")
	equal(t, f.log.liveRefs(), 0)
}

// TestRejectPublishBeforeConsumers: a queue of length 0 refuses although a
// consumer waits (seen on RabbitMQ).
func TestRejectPublishBeforeConsumers(t *testing.T) {
	f := newFixture(t, true, table("x-max-length", int32(0), "x-overflow", "reject-publish"))
	_, s := f.consume(ConsumerOptions{})
	equal(t, f.publishTagged("1"), "[1]")
	equal(t, s.take(), "[]")
}

func TestRejectPublishDLX(t *testing.T) {
	f := newFixture(t, true, append(table("x-max-length-bytes", int32(2), "x-overflow", "reject-publish-dlx"), toDead))
	equal(t, f.publishTagged("1", "22", "3"), "[2]")
	f.counts(2, 0)
	equal(t, f.dead(), "[22 maxlen]")
	equal(t, f.drain(), "[1 3]")
	equal(t, f.log.liveRefs(), 0)
}

// TestRejectPublishDLXOverRestart: a refused message does not come back.
func TestRejectPublishDLXOverRestart(t *testing.T) {
	f := newFixture(t, true, append(table("x-max-length", int32(1), "x-overflow", "reject-publish-dlx"), toDead))
	f.publishTagged("1", "2")
	f.restart(false)
	equal(t, f.drain(), "[1*]")
}

// restart replays the log into a new queue.
func (f *fixture) restart(clean bool) {
	args := f.q.opt.Arguments.Table
	if clean {
		f.q.Close()
	}
	clear(f.host.armed)
	f.q = f.queue(1, true, args)
	f.log.restore(map[uint64]*Queue{1: f.q}, clean)
}

// TestOneOfSeveralRefuses: the others take the message; it is named once.
func TestOneOfSeveralRefuses(t *testing.T) {
	f := newFixture(t, true, nil)
	full := table("x-max-length", int32(0), "x-overflow", "reject-publish")
	qs := []*Queue{f.queue(2, true, full), f.q, f.queue(3, true, full)}
	b := NewBatch()
	for tag := range uint32(3) {
		m := message(fmt.Sprint("m", tag), true)
		m.Tag = tag
		b.Publish(m, qs[:1+tag])
	}
	b.Commit(f.log)
	equal(t, b.Refused(), "[0 1 2]")
	f.counts(2, 0)
	b.Commit(f.log)
	equal(t, b.Refused(), "[]")
}

// TestLimitOverRestart: what a byte limit counts is known after a restart.
func TestLimitOverRestart(t *testing.T) {
	f := newFixture(t, true, table("x-max-length-bytes", int32(6)))
	f.publish("aa", "bb", "cc")
	f.restart(true)
	equal(t, f.q.Stats().ReadyBytes, 6)
	f.publish("d")
	equal(t, f.drain(), "[bb cc d]")
}

// TestLimitByPolicy trims what is there at once, in bounded steps (scenario
// policy-max-length-live).
func TestLimitByPolicy(t *testing.T) {
	f := newFixture(t, true, nil)
	const n = 2*expireStep + 10
	for range n {
		f.publish("m")
	}
	f.q.Configure(Settings{MaxLength: new(int64)})
	f.counts(0, 0)
	equal(t, f.log.liveRefs(), 0)
}

// TestDropUncoversExpired: what the dropped head held back goes with it.
func TestDropUncoversExpired(t *testing.T) {
	f := newFixture(t, true, append(table("x-max-length", int32(3)), toDead))
	f.publish("1")
	f.publishTTL("2", 10)
	f.publishTTL("3", 10000)
	f.host.pass(20 * time.Millisecond)
	f.counts(3, 0)
	f.publish("4")
	equal(t, f.dead(), "[1 maxlen 2 expired]")
	equal(t, f.drain(), "[3 4]")
}
