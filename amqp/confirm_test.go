package amqp

import (
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// confirmed reads acks and returns until n publishes are confirmed, each once.
func (c *client) confirmed(n uint64) (returned int) {
	c.t.Helper()
	for last := uint64(0); last < n; {
		_, m, err := c.receive()
		if err != nil {
			c.t.Fatal(err)
		}
		switch m := m.(type) {
		case *wire.BasicAck:
			if m.DeliveryTag <= last || !m.Multiple && m.DeliveryTag != last+1 {
				c.t.Fatalf("ack of %d multiple=%t after %d", m.DeliveryTag, m.Multiple, last)
			}
			if m.Multiple && m.DeliveryTag == last+1 {
				c.t.Errorf("multiple for publish %d alone", m.DeliveryTag)
			}
			last = m.DeliveryTag
		case *wire.BasicReturn:
			c.body()
			returned++
			if uint64(returned) <= last {
				c.t.Errorf("return %d comes after the ack of %d", returned, last)
			}
		default:
			c.t.Fatalf("got %s", m.Name())
		}
	}
	return returned
}

func TestEachPublishIsConfirmedOnce(t *testing.T) {
	c := dial(t, startServer(t, Options{})).open(0).channel(1)
	c.declare(1, "q")
	c.write(appendPublish(nil, 1, "q", []byte("before"))) // no number
	c.send(1, &wire.ConfirmSelect{}, &wire.ConfirmSelect{})
	want[*wire.ConfirmSelectOk](c)
	want[*wire.ConfirmSelectOk](c)
	const n = 5000
	go func() {
		var b []byte
		for i := range n {
			b = appendPublish(b, 1, "q", []byte("m"))
			if i%7 == 0 {
				c.write(b)
				b = b[:0]
			}
		}
		c.write(b)
	}()
	c.confirmed(n)
}

func TestReturnsComeBeforeTheirConfirms(t *testing.T) {
	c := dial(t, startServer(t, Options{})).open(0).channel(1)
	c.send(1, &wire.ConfirmSelect{Nowait: true})
	const n = 2000
	go func() {
		m := wire.AppendMethod(nil, 1, &wire.BasicPublish{RoutingKey: "none", Mandatory: true})
		m = wire.AppendBody(wire.AppendHeader(m, 1, 1, []byte{0, 0}), 1, []byte("m"), 0)
		for range n {
			c.write(m)
		}
	}()
	if got := c.confirmed(n); got != n {
		t.Errorf("%d returns, want %d", got, n)
	}
}

func TestPublishesBeforeAChannelErrorStand(t *testing.T) {
	c := dial(t, startServer(t, Options{})).open(0).channel(1).channel(2)
	c.declare(1, "q")
	b := appendPublish(nil, 1, "q", []byte("stands"))
	b = wire.AppendMethod(b, 1, &wire.BasicAck{DeliveryTag: 1})
	b = appendPublish(b, 1, "q", []byte("too late"))
	c.write(b)
	want[*wire.ChannelClose](c)
	c.send(2, &wire.QueueDeclare{Queue: "q", Passive: true})
	if m := want[*wire.QueueDeclareOk](c); m.MessageCount != 1 {
		t.Errorf("%d messages, want 1", m.MessageCount)
	}
}

func TestConfirmsEndWithTheChannel(t *testing.T) {
	s := startServer(t, Options{})
	for range 50 {
		c := dial(t, s).open(0).channel(1)
		c.send(1, &wire.ConfirmSelect{Nowait: true})
		b := appendPublish(nil, 1, "none", []byte("m"))
		b = wire.AppendMethod(b, 1, &wire.ChannelClose{})
		c.write(b)
		for {
			_, m, err := c.receive()
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := m.(*wire.ChannelCloseOk); ok {
				break
			}
		}
		c.channel(1) // and no ack in between
		c.nc.Close()
	}
}
