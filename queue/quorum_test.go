package queue

import (
	"fmt"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

var isQuorum = wire.Field{Name: "x-queue-type", Value: "quorum"}

// countOf gives the x-delivery-count of a delivery as "#n", "" without one.
func countOf(props []byte) string {
	p, err := wire.ParseProperties(props)
	if err != nil {
		return err.Error()
	}
	if n, ok := p.Headers.Get(countHeader); ok {
		return fmt.Sprintf("#%v", n)
	}
	return ""
}

// newQuorum makes a quorum queue; a negative limit is none.
func newQuorum(t *testing.T, limit int32, more ...wire.Field) *fixture {
	args := append(wire.Table{isQuorum}, more...)
	if limit >= 0 {
		args = append(args, wire.Field{Name: "x-delivery-limit", Value: limit})
	}
	return newFixture(t, true, args)
}

// take gets n messages and keeps them.
func (f *fixture) take(c *Consumer, n int) (got []string) {
	for range n {
		got = append(got, f.get(c, false))
	}
	return got
}

// TestQuorumComesBack is the order that RabbitMQ 3.10 shows: requeued messages
// go to the tail without a delivery limit and to the head with one, lost ones
// to the head, in the order of coming back.
func TestQuorumComesBack(t *testing.T) {
	for _, c := range []struct {
		name     string
		limit    int32
		returned func(f *fixture, g *Consumer)
		want     string
	}{
		{"requeue without limit", -1, func(f *fixture, g *Consumer) {
			f.settle(func(b *Batch) { b.Requeue(g, 1, 1); b.Requeue(g, 2, 2) })
		}, "[c#0 d#0 a*#1 b*#1]"},
		{"requeue with limit, the later first", 9, func(f *fixture, g *Consumer) {
			f.settle(func(b *Batch) { b.Requeue(g, 2, 2); b.Requeue(g, 1, 1) })
		}, "[b*#1 a*#1 c#0 d#0]"},
		{"lost without limit", -1, func(f *fixture, g *Consumer) { g.Release() }, "[a*#1 b*#1 c#0 d#0]"},
		{"requeued, then published", -1, func(f *fixture, g *Consumer) {
			f.settle(func(b *Batch) { b.Recover(g) })
			f.publish("e")
		}, "[c#0 d#0 a*#1 b*#1 e#0]"},
		{"one requeued, one lost", -1, func(f *fixture, g *Consumer) {
			f.settle(func(b *Batch) { b.Requeue(g, 1, 1) })
			g.Release()
		}, "[b*#1 c#0 d#0 a*#1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newQuorum(t, c.limit)
			f.publish("a", "b", "c", "d")
			g := f.q.Getter()
			f.take(g, 2)
			c.returned(f, g)
			equal(t, f.drain(), c.want)
			equal(t, f.log.liveRefs(), 0)
		})
	}
}

// TestQuorumUnsent: what no client has seen goes back uncounted, before all
// others.
func TestQuorumUnsent(t *testing.T) {
	f := newQuorum(t, -1)
	s := newSink()
	s.room = 1
	c, _ := f.consume(ConsumerOptions{Sink: s})
	f.publish("a", "b", "c")
	c.Cancel()
	equal(t, f.drain(), "[b#0 c#0]")
	c.Release()
	equal(t, f.drain(), "[a*#1]")
}

// TestDeliveryLimit: a limit of 2 means three deliveries (scenario
// quorum-delivery-limit); a consumer sees the count from the second on.
func TestDeliveryLimit(t *testing.T) {
	f := newQuorum(t, 2, toDead)
	f.publish("m")
	c, s := f.consume(ConsumerOptions{})
	for id := range uint64(3) {
		f.settle(func(b *Batch) { b.Requeue(c, id+1, id+1) })
	}
	equal(t, s.take(), "[m m*#1 m*#2]")
	equal(t, f.dead(), "[m delivery_limit]")
	f.counts(0, 0)
	equal(t, f.log.liveRefs(), 0)
	equal(t, len(f.q.state.counts), 0)
}

// TestDeliveryLimitOnLoss: the loss of the channel counts like a requeue.
func TestDeliveryLimitOnLoss(t *testing.T) {
	f := newQuorum(t, 1)
	f.publish("m")
	for _, want := range []string{"m#0", "m*#1", ""} {
		g := f.q.Getter()
		equal(t, f.get(g, false), want)
		g.Release()
	}
	f.counts(0, 0)
	equal(t, f.log.liveRefs(), 0)
}

// TestCountsOverRestart: what was with a client when the node ended has come
// back, whether it ended cleanly or not; messages that were not are not counted.
func TestCountsOverRestart(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprint("clean ", clean), func(t *testing.T) {
			f := newQuorum(t, 3, toDead)
			f.publish("a", "b", "c")
			red := "*"
			if clean {
				red = ""
			}
			for n := range 3 {
				g := f.q.Getter()
				first := "a#0"
				if n > 0 {
					first = fmt.Sprintf("a*#%d", n)
				}
				equal(t, f.get(g, false), first)
				if n == 1 { // moving the record loses nothing
					f.moveAll()
				}
				if clean {
					g.Release()
				}
				f.restart(clean)
			}
			equal(t, f.take(f.q.Getter(), 3), "[a*#3 b"+red+"#0 c"+red+"#0]")
			f.restart(false)
			equal(t, f.dead(), "[a delivery_limit]")
			equal(t, f.drain(), "[b*#1 c*#1]")
			equal(t, f.log.liveRefs(), 0)
		})
	}
}

// moveAll moves every live record and forgets the facts before, as the log does
// that reclaims its oldest part.
func (f *fixture) moveAll() {
	old := f.log.order
	f.log.order = nil
	for _, o := range old {
		if r, ok := o.(*memoryRecord); ok && f.log.records[r.pos] == r && r.live > 0 {
			Relocate([]*Queue{f.q}, r.pos, r.refs, func(live []uint64) uint64 { return f.log.move(r.pos, live) })
		}
	}
}

// TestSentIsLoggedOnce: messages sent in one pass are one fact, after their
// records, and a second delivery of the same message is none.
func TestSentIsLoggedOnce(t *testing.T) {
	f := newQuorum(t, -1)
	f.consume(ConsumerOptions{})
	_, other := f.consume(ConsumerOptions{NoAck: true})
	f.publish("1", "2", "3", "4", "5")
	equal(t, other.take(), "[2 4]")
	var facts []string
	for _, o := range f.log.order {
		switch o := o.(type) {
		case *memoryRecord:
			facts = append(facts, "record")
		case memoryFact:
			facts = append(facts, fmt.Sprint(o.kind, ":", o.x, "+", o.y))
		}
	}
	equal(t, facts, "[record record record 5:1+0 5:3+0 5:5+0]")
}

// TestQuorumKeepsTransient: delivery-mode means nothing (seen on RabbitMQ).
func TestQuorumKeepsTransient(t *testing.T) {
	f := newQuorum(t, -1)
	b := NewBatch()
	b.Publish(message("m", false), []*Queue{f.q})
	b.Commit(f.log)
	f.restart(true)
	equal(t, f.drain(), "[m#0]")
}

func TestQuorumTTLAndLength(t *testing.T) {
	f := newQuorum(t, 5, toDead, wire.Field{Name: "x-max-length", Value: int32(2)})
	g := f.q.Getter()
	f.publish("a")
	f.take(g, 1)
	f.publish("b")
	f.publishTTL("c", 10)
	f.settle(func(b *Batch) { b.Recover(g) })
	equal(t, f.dead(), "[a maxlen]")
	f.take(g, 1)
	f.host.pass(20 * time.Millisecond)
	equal(t, f.dead(), "[c expired]")
}

// TestQuorumRefusals: global qos is 540; the exclusive flag is ignored.
func TestQuorumRefusals(t *testing.T) {
	f := newQuorum(t, -1)
	_, err := f.q.Attach(ConsumerOptions{Sink: newSink(), Global: true})
	equal(t, err, "NOT_IMPLEMENTED - queue 'q' in vhost '/' does not support global qos")
	f.consume(ConsumerOptions{Exclusive: true})
	f.consume(ConsumerOptions{Exclusive: true})
}

func TestSuits(t *testing.T) {
	a, err := ParseArguments("v", "n", wire.Table{isQuorum})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		durable, exclusive, autoDelete bool
		want                           string
	}{
		{true, false, false, ""},
		{false, false, false, "non-durable"},
		{false, true, false, "exclusive-owner"},
		{false, true, true, "auto-delete"},
	} {
		want := "<nil>"
		if c.want != "" {
			want = "PRECONDITION_FAILED - invalid property '" + c.want + "' for queue 'n' in vhost 'v'"
		}
		equal(t, a.Suits("v", "n", c.durable, c.exclusive, c.autoDelete), want)
	}
}

// TestDeliveryLimitByPolicy counts from then on, on any queue.
func TestDeliveryLimitByPolicy(t *testing.T) {
	f := newFixture(t, true, table("x-dead-letter-exchange", ""))
	c, s := f.consume(ConsumerOptions{Prefetch: 1})
	f.publish("m")
	f.settle(func(b *Batch) { b.Requeue(c, 1, 1) })
	one := int64(1)
	set := f.q.Settings()
	set.DeliveryLimit = &one
	f.q.Configure(set)
	f.settle(func(b *Batch) { b.Requeue(c, 2, 2) })
	f.settle(func(b *Batch) { b.Requeue(c, 3, 3) })
	equal(t, s.take(), "[m m* m*#1]")
	equal(t, f.dead(), "[m delivery_limit]")
}

// TestAppendCounted: the header joins whatever properties there are, in place
// of a publisher's own.
func TestAppendCounted(t *testing.T) {
	own := wire.Table{{Name: "a", Value: "x"}, {Name: countHeader, Value: "mine"}, {Name: "z", Value: int32(1)}}
	for name, p := range map[string]wire.Properties{
		"none":      {},
		"plain":     {Flags: wire.FlagDeliveryMode | wire.FlagPriority, DeliveryMode: 2, Priority: 3},
		"strings":   {Flags: wire.FlagContentType | wire.FlagContentEncoding | wire.FlagMessageID, ContentType: "text/plain", ContentEncoding: "gzip", MessageID: "m"},
		"headers":   {Flags: wire.FlagHeaders | wire.FlagContentEncoding, Headers: own[:1], ContentEncoding: "e"},
		"own count": {Flags: wire.FlagHeaders | wire.FlagTimestamp, Headers: own, Timestamp: 7},
		"empty":     {Flags: wire.FlagHeaders},
	} {
		t.Run(name, func(t *testing.T) {
			raw := p.Append(nil)
			got, err := wire.ParseProperties(appendCounted(nil, raw, 7))
			if err != nil {
				t.Fatal(err)
			}
			want := wire.Table{{Name: countHeader, Value: int64(7)}}
			for _, f := range p.Headers {
				if f.Name != countHeader {
					want = append(want, f)
				}
			}
			equal(t, got.Headers, want)
			got.Headers, got.Flags = p.Headers, got.Flags&^wire.FlagHeaders|p.Flags&wire.FlagHeaders
			equal(t, got.Append(nil), raw)
		})
	}
}

func TestDeque(t *testing.T) {
	var d deque[int]
	var want []int
	for i := range 3000 {
		switch {
		case i%7 == 3:
			d.pushFront(i)
			want = append([]int{i}, want...)
		case i%3 == 0 && d.n > 0:
			equal(t, *d.front(), want[0])
			d.pop()
			want = want[1:]
		default:
			d.push(i)
			want = append(want, i)
		}
	}
	for ; d.n > 0; d.pop() {
		equal(t, *d.front(), want[0])
		want = want[1:]
	}
	for i := range 2 * windowKeep {
		d.push(i)
	}
	for d.n > 0 {
		d.pop()
	}
	equal(t, len(d.ring), 0)
}
