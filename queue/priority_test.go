package queue

import (
	"fmt"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// prioritized makes a queue of priorities up to most.
func prioritized(t *testing.T, most int32, more ...wire.Field) *fixture {
	return newFixture(t, true, append(table("x-max-priority", most), more...))
}

// publishAt sends one message of a priority; its body is "name/priority".
func (f *fixture) publishAt(name string, priority uint8, ttl int64) {
	b := NewBatch()
	m := message(fmt.Sprintf("%s/%d", name, priority), true)
	m.Priority, m.TTL = priority, ttl
	b.Publish(m, []*Queue{f.q})
	b.Commit(f.log)
}

// TestPriorityOrder: higher first, in order within one; what is above the highest
// counts as that.
func TestPriorityOrder(t *testing.T) {
	f := prioritized(t, 5)
	for i, p := range []uint8{1, 5, 0, 9, 1, 5} {
		f.publishAt(string(rune('a'+i)), p, -1)
	}
	equal(t, f.drain(), "[b/5 d/9 f/5 a/1 e/1 c/0]")
	equal(t, f.log.liveRefs(), 0)
}

// TestPriorityRequeue: a message comes back to its place in its priority.
func TestPriorityRequeue(t *testing.T) {
	f := prioritized(t, 5)
	f.publishAt("a", 1, -1)
	f.publishAt("b", 5, -1)
	f.publishAt("c", 5, -1)
	g := f.q.Getter()
	f.take(g, 3)
	f.publishAt("d", 5, -1)
	f.settle(func(b *Batch) { b.Recover(g) })
	equal(t, f.drain(), "[b/5* c/5* d/5 a/1*]")
}

// TestPriorityExpiry: time acts at the head of the queue only, so a lower
// message may wait behind one that lives longer (seen on RabbitMQ).
func TestPriorityExpiry(t *testing.T) {
	f := prioritized(t, 5, toDead)
	f.publishAt("high", 5, 1000)
	f.publishAt("low", 1, 10)
	f.host.pass(20 * time.Millisecond)
	f.counts(2, 0)
	f.host.pass(time.Second)
	equal(t, f.dead(), "[high/5 expired low/1 expired]")
}

// TestPriorityDropHead: the head is of the highest priority, even if that is
// the message just published (seen on RabbitMQ).
func TestPriorityDropHead(t *testing.T) {
	f := prioritized(t, 5, wire.Field{Name: "x-max-length", Value: int32(2)})
	for i, p := range []uint8{1, 5, 1, 3} {
		f.publishAt(string(rune('a'+i)), p, -1)
	}
	equal(t, f.drain(), "[a/1 c/1]")
}

func TestPriorityOverRestart(t *testing.T) {
	for _, clean := range []bool{true, false} {
		f := prioritized(t, 200)
		for i, p := range []uint8{1, 255, 0, 2, 1} {
			f.publishAt(string(rune('a'+i)), p, -1)
		}
		f.moveAll()
		f.restart(clean)
		red := "*"
		if clean {
			red = ""
		}
		equal(t, f.drain(), fmt.Sprintf("[b/255%[1]s d/2%[1]s a/1%[1]s e/1%[1]s c/0%[1]s]", red))
	}
}

// TestPriorityOfOneRecord: one record for queues that know more and fewer
// priorities, and none.
func TestPriorityOfOneRecord(t *testing.T) {
	f := prioritized(t, 3)
	qs := []*Queue{f.queue(2, true, nil), f.q, f.queue(3, true, table("x-max-priority", int32(9)))}
	b := NewBatch()
	for i, p := range []uint8{4, 7} {
		m := message(string(rune('a'+i)), true)
		m.Priority = p
		b.Publish(m, qs)
	}
	b.Commit(f.log)
	equal(t, len(f.log.records), 2)
	restored := map[uint64]*Queue{}
	for i, args := range []wire.Table{table("x-max-priority", int32(3)), nil, table("x-max-priority", int32(9))} {
		restored[uint64(i+1)] = f.queue(uint64(i+1), true, args)
	}
	f.log.restore(restored, true)
	for id, want := range map[uint64]string{1: "[a b]", 2: "[a b]", 3: "[b a]"} {
		f.q = restored[id]
		equal(t, f.drain(), want)
	}
}

// TestPriorityKin: consumers of one channel get the highest first too.
func TestPriorityKin(t *testing.T) {
	f := prioritized(t, 5)
	for i, p := range []uint8{1, 5, 0, 5} {
		f.publishAt(string(rune('a'+i)), p, -1)
	}
	ch := &channelSink{}
	cs := f.kin(ch, 2, ConsumerOptions{})
	ch.room = -1
	cs[0].Resume()
	ch.expect(t, "ab/5", "ad/5", "aa/1", "ac/0")
}

// TestPriorityFromDisk reads ahead in the order of delivery.
func TestPriorityFromDisk(t *testing.T) {
	f := prioritized(t, 3)
	const n = 3 * pageMessages
	for i := range n {
		f.publishAt(fmt.Sprint(i), uint8(i%3), -1)
	}
	f.log.cached = f.log.end
	f.log.reads = 0
	c, s := f.consume(ConsumerOptions{Prefetch: 1})
	for id := uint64(1); id <= n; id++ {
		f.host.pages()
		f.settle(func(b *Batch) { b.Settle(c, id, id) })
	}
	equal(t, len(s.got), n)
	equal(t, s.got[0]+" "+s.got[n-1], fmt.Sprintf("2/2 %d/0", n-3))
	if f.log.reads > n+n/4 {
		t.Fatalf("%d reads for %d messages", f.log.reads, n)
	}
}
