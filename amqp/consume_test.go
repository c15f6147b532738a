package amqp

import (
	"fmt"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

func TestNoteMakesRuns(t *testing.T) {
	a, b := &consumer{}, &consumer{}
	type step struct {
		k    *consumer
		kind queue.Kind
		id   uint64
	}
	cases := []struct {
		name  string
		steps []step
		want  []settle
	}{
		{"one", []step{{a, queue.Settle, 1}}, []settle{{a, queue.Settle, 1, 1}}},
		{"a run", []step{{a, queue.Settle, 1}, {a, queue.Settle, 2}, {a, queue.Settle, 3}}, []settle{{a, queue.Settle, 1, 3}}},
		{"a gap", []step{{a, queue.Settle, 1}, {a, queue.Settle, 3}}, []settle{{a, queue.Settle, 1, 1}, {a, queue.Settle, 3, 3}}},
		{"backwards", []step{{a, queue.Settle, 2}, {a, queue.Settle, 1}}, []settle{{a, queue.Settle, 2, 2}, {a, queue.Settle, 1, 1}}},
		{"two consumers", []step{{a, queue.Settle, 1}, {b, queue.Settle, 2}}, []settle{{a, queue.Settle, 1, 1}, {b, queue.Settle, 2, 2}}},
		{"two kinds", []step{{a, queue.Settle, 1}, {a, queue.Requeue, 2}}, []settle{{a, queue.Settle, 1, 1}, {a, queue.Requeue, 2, 2}}},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			var got []settle
			for _, s := range k.steps {
				got = note(got, s.k, s.kind, s.id)
			}
			if !slices.Equal(got, k.want) {
				t.Errorf("got %v, want %v", got, k.want)
			}
		})
	}
}

func TestHoldersReuseSlots(t *testing.T) {
	var h holders
	list := make([]*consumer, 5)
	for i := range list {
		list[i] = &consumer{}
		h.add(list[i])
	}
	h.remove(list[2])
	h.remove(list[2]) // once is enough
	h.remove(list[4])
	for range 2 {
		k := &consumer{}
		h.add(k)
		if h.at(k.slot) != k {
			t.Errorf("slot %d holds another", k.slot)
		}
	}
	if len(h.slots) != 5 {
		t.Errorf("%d slots for five", len(h.slots))
	}
	for _, i := range []int{0, 1, 3} {
		if h.at(list[i].slot) != list[i] {
			t.Errorf("holder %d lost its slot", i)
		}
	}
}

func TestQueueDeletionTellsWhoUnderstands(t *testing.T) {
	for _, understands := range []bool{true, false} {
		t.Run(fmt.Sprintf("capability %t", understands), func(t *testing.T) {
			s := startServer(t, Options{})
			c := dial(t, s)
			if understands {
				c.login(allCapabilities())
			} else {
				c.login(nil)
			}
			c.send(0, &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 131072}, &wire.ConnectionOpen{VirtualHost: "/"})
			want[*wire.ConnectionOpenOk](c)
			c.channel(1)
			c.declare(1, "q")
			c.write(appendPublish(nil, 1, "q", []byte("m")))
			c.send(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"})
			want[*wire.BasicConsumeOk](c)
			d := want[*wire.BasicDeliver](c)
			c.body()

			other := dial(t, s).open(0).channel(1)
			other.send(1, &wire.QueueDelete{Queue: "q"})
			want[*wire.QueueDeleteOk](other)
			if understands {
				if m := want[*wire.BasicCancel](c); m.ConsumerTag != "c" || !m.NoWait {
					t.Errorf("got %+v", m)
				}
			}
			// The delivery is still the channel's to acknowledge, and the tag free.
			c.declare(1, "q")
			c.send(1, &wire.BasicAck{DeliveryTag: d.DeliveryTag}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"})
			want[*wire.BasicConsumeOk](c)
		})
	}
}

func TestNothingComesAfterCancelOk(t *testing.T) {
	s := startServer(t, Options{})
	c, p := dial(t, s).open(0).channel(1), dial(t, s).open(0).channel(1)
	c.declare(1, "q")
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		m := appendPublish(nil, 1, "q", []byte("m"))
		for {
			select {
			case <-stop:
				return
			default:
				p.write(m)
			}
		}
	}()
	for range 50 {
		c.send(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
		want[*wire.BasicConsumeOk](c)
		want[*wire.BasicDeliver](c)
		c.body()
		c.send(1, &wire.BasicCancel{ConsumerTag: "c"})
		for {
			_, m, err := c.receive()
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := m.(*wire.BasicCancelOk); ok {
				break
			}
			c.body()
		}
		c.send(1, &wire.BasicQos{})
		want[*wire.BasicQosOk](c) // nothing in between
	}
	close(stop)
	<-stopped
}

func TestUnackedGoBack(t *testing.T) {
	cases := []struct {
		name string
		end  func(c *client)
	}{
		{"channel.close", func(c *client) {
			c.send(1, &wire.ChannelClose{})
			want[*wire.ChannelCloseOk](c)
		}},
		{"channel error", func(c *client) {
			c.send(1, &wire.BasicAck{DeliveryTag: 99})
			want[*wire.ChannelClose](c)
		}},
		{"connection.close", func(c *client) {
			c.send(0, &wire.ConnectionClose{})
			want[*wire.ConnectionCloseOk](c)
		}},
		{"connection error", func(c *client) {
			c.send(1, &wire.ChannelFlow{})
			want[*wire.ConnectionClose](c)
		}},
		{"socket gone", func(c *client) { c.nc.Close() }},
		{"recover", func(c *client) {
			c.send(1, &wire.BasicCancel{ConsumerTag: "c"}, &wire.BasicRecover{Requeue: true})
			want[*wire.BasicCancelOk](c)
			want[*wire.BasicRecoverOk](c)
		}},
		{"nack", func(c *client) {
			c.send(1, &wire.BasicCancel{ConsumerTag: "c"}, &wire.BasicNack{Multiple: true, Requeue: true}, &wire.BasicQos{})
			want[*wire.BasicCancelOk](c)
			want[*wire.BasicQosOk](c)
		}},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			s := startServer(t, Options{})
			c, other := dial(t, s).open(0).channel(1), dial(t, s).open(0).channel(1)
			c.declare(1, "q")
			var b []byte
			for i := range 5 {
				b = appendPublish(b, 1, "q", []byte{byte('a' + i)})
			}
			c.write(b)
			c.send(1, &wire.BasicQos{PrefetchCount: 3}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"})
			want[*wire.BasicQosOk](c)
			want[*wire.BasicConsumeOk](c)
			for range 3 {
				want[*wire.BasicDeliver](c)
				c.body()
			}
			k.end(c)
			other.awaitReady(1, "q", 5)
			var got []string
			for range 5 {
				other.send(1, &wire.BasicGet{Queue: "q", NoAck: true})
				g := want[*wire.BasicGetOk](other)
				got = append(got, fmt.Sprintf("%s %t", other.body(), g.Redelivered))
			}
			if expected := []string{"a true", "b true", "c true", "d false", "e false"}; !slices.Equal(got, expected) {
				t.Errorf("got %v, want %v", got, expected)
			}
		})
	}
}

// awaitReady asks until the queue has n ready messages.
func (c *client) awaitReady(ch uint16, queue string, n uint32) {
	c.t.Helper()
	for {
		c.send(ch, &wire.QueueDeclare{Queue: queue, Passive: true})
		if want[*wire.QueueDeclareOk](c).MessageCount == n {
			return
		}
	}
}
