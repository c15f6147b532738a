package broker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// slow is a socket that takes as many deliveries as it has room for.
type slow struct{ room int }

func (s *slow) Deliver(ds []queue.Delivery) int {
	n := min(s.room, len(ds))
	s.room -= n
	return n
}

func (*slow) Cancelled() {}

func (*slow) Admit() bool { return true }

// TestAwaitRoomIsForWhatWasPublished: a channel that has published more than
// the socket takes waits for it once, and not again for what it only acks.
func TestAwaitRoomIsForWhatWasPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		c := n.client("guest", "/")
		n.must(c.declare(wire.QueueDeclare{Queue: "q"}))
		q, err := c.Queue("q", Read)
		n.must(err)
		socket := &slow{}
		k, err := q.Attach(queue.ConsumerOptions{NoAck: true, Sink: socket})
		n.must(err)
		k.Start()
		p := c.NewPublisher(1, nil)
		body := make([]byte, 64<<10)
		publish := func() {
			n.must(p.Check(nil))
			route := wire.AppendRoute(nil, "", "q")
			x, key := wire.SplitRoute(route)
			n.must(p.Publish(wire.Publish{Exchange: x, RoutingKey: key, Route: route}, new(wire.Properties).Append(nil), wire.PropertyView{}, body, nil))
			p.Flush()
		}
		for range 80 { // 5 MB of the 4 that are let in
			publish()
		}
		waited := func() time.Duration {
			began := time.Now()
			p.Flush()
			p.AwaitRoom()
			return time.Since(began)
		}
		if d := waited(); d == 0 {
			t.Error("the publisher did not wait")
		}
		socket.room = 1 // it moves: it would be waited for again
		k.Resume()
		if d := waited(); d != 0 {
			t.Errorf("waited %v for nothing of its own", d)
		}
		publish()
		if d := waited(); d == 0 {
			t.Error("the publisher did not wait when it published again")
		}
	})
}
