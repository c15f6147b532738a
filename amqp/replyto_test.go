package amqp

import (
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// ask publishes a request with the pseudo reply address.
func (c *client) ask(ch uint16, queue string) {
	p := wire.Properties{Flags: wire.FlagReplyTo | wire.FlagCorrelationID, ReplyTo: replyQueue, CorrelationID: "7"}
	c.write(appendPublish(nil, ch, queue, []byte("ask"), p.Append(nil)...))
}

// address takes a request and gives its reply address.
func (c *client) address(ch uint16, queue string) string {
	c.t.Helper()
	c.awaitReady(ch, queue, 1)
	c.send(ch, &wire.BasicGet{Queue: queue, NoAck: true})
	want[*wire.BasicGetOk](c)
	_, payload, err := c.next()
	if err != nil {
		c.t.Fatal(err)
	}
	h, err := wire.ParseHeader(payload)
	if err != nil {
		c.t.Fatal(err)
	}
	p, err := wire.ParseProperties(h.Props)
	if err != nil || p.CorrelationID != "7" {
		c.t.Fatalf("properties %+v, %v", p, err)
	}
	c.next()
	return p.ReplyTo
}

func TestReplyGoesToTheRequestersChannel(t *testing.T) {
	s := startServer(t, Options{})
	c, srv := dial(t, s).open(0).channel(1), dial(t, s).open(0).channel(1)
	c.declare(1, "srv")
	c.send(1, &wire.BasicConsume{Queue: replyQueue, ConsumerTag: "r", NoAck: true})
	want[*wire.BasicConsumeOk](c)
	c.ask(1, "srv")
	to := srv.address(1, "srv")
	if !strings.HasPrefix(to, replyQueue+".") {
		t.Fatalf("reply to %q", to)
	}
	body := strings.Repeat("x", 3*refSize)
	srv.write(appendPublish(nil, 1, to, []byte(body)))
	if d := want[*wire.BasicDeliver](c); d.ConsumerTag != "r" || d.DeliveryTag != 1 || d.RoutingKey != to {
		t.Errorf("got %+v", d)
	}
	if got := string(c.body()); got != body {
		t.Errorf("got %d octets", len(got))
	}
}

func TestReplyConsumerEnds(t *testing.T) {
	cases := []struct {
		name string
		end  func(c *client)
	}{
		{"by cancel", func(c *client) {
			c.send(1, &wire.BasicCancel{ConsumerTag: "r"})
			want[*wire.BasicCancelOk](c)
		}},
		{"with its channel", func(c *client) {
			c.send(1, &wire.ChannelClose{})
			want[*wire.ChannelCloseOk](c)
		}},
		{"with its connection", func(c *client) {
			c.send(0, &wire.ConnectionClose{})
			want[*wire.ConnectionCloseOk](c)
		}},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			s := startServer(t, Options{})
			c, srv := dial(t, s).open(0).channel(1), dial(t, s).open(0).channel(1)
			srv.declare(1, "srv")
			c.send(1, &wire.BasicConsume{Queue: replyQueue, ConsumerTag: "r", NoAck: true})
			want[*wire.BasicConsumeOk](c)
			c.ask(1, "srv")
			to := srv.address(1, "srv")
			k.end(c)
			m := wire.AppendMethod(nil, 1, &wire.BasicPublish{RoutingKey: to, Mandatory: true})
			srv.write(wire.AppendHeader(m, 1, 0, []byte{0, 0}))
			if m := want[*wire.BasicReturn](srv); m.RoutingKey != to || m.ReplyCode != 312 {
				t.Errorf("got %+v", m)
			}
		})
	}
}

func TestReplyConsumerRules(t *testing.T) {
	consume := &wire.BasicConsume{Queue: replyQueue, ConsumerTag: "r", NoAck: true}
	cases := []struct {
		name string
		send func(c *client)
		text string
		hard bool
	}{
		{"with acknowledgements", func(c *client) { c.send(1, &wire.BasicConsume{Queue: replyQueue}) },
			"PRECONDITION_FAILED - reply consumer cannot acknowledge", false},
		{"twice", func(c *client) {
			c.send(1, consume, &wire.BasicConsume{Queue: replyQueue, ConsumerTag: "s", NoAck: true})
			want[*wire.BasicConsumeOk](c)
		}, "PRECONDITION_FAILED - reply consumer already set", false},
		{"the same tag", func(c *client) {
			c.send(1, consume, &wire.BasicConsume{Queue: "q", ConsumerTag: "r"})
			want[*wire.BasicConsumeOk](c)
		}, "NOT_ALLOWED - attempt to reuse consumer tag 'r'", true},
		{"a request without one", func(c *client) { c.ask(1, "q") },
			"PRECONDITION_FAILED - fast reply consumer does not exist", false},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			c := dial(t, startServer(t, Options{})).open(0).channel(1)
			k.send(c)
			_, m, err := c.receive()
			if err != nil {
				t.Fatal(err)
			}
			var text string
			var hard bool
			switch m := m.(type) {
			case *wire.ChannelClose:
				text = m.ReplyText
			case *wire.ConnectionClose:
				text, hard = m.ReplyText, true
			}
			if text != k.text || hard != k.hard {
				t.Errorf("got %s %+v", m.Name(), m)
			}
		})
	}
}
