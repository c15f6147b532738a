package amqp

import (
	"encoding/json"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// TestLimits: a limit that is reached closes the connection; of channels without
// the ids of a method (RabbitMQ).
func TestLimits(t *testing.T) {
	cases := []struct {
		name string
		do   func(t *testing.T, s *Server) *client
		want wire.ConnectionClose
	}{
		{"connections", func(t *testing.T, s *Server) *client {
			dial(t, s).open(0)
			dial(t, s).open(0)
			c := dial(t, s)
			c.login(nil)
			c.send(0, &wire.ConnectionTuneOk{ChannelMax: 2, FrameMax: 131072}, &wire.ConnectionOpen{VirtualHost: "/"})
			return c
		}, wire.ConnectionClose{ReplyText: "NOT_ALLOWED - connection refused: node connection limit (2) is reached", ClassID: 10, MethodID: 40}},
		{"a user's channels", func(t *testing.T, s *Server) *client {
			if err := s.opt.Broker.SetUserLimit(t.Context(), "guest", "max-channels", json.RawMessage("1")); err != nil {
				t.Fatal(err)
			}
			c := dial(t, s).open(0).channel(1)
			c.send(1, &wire.ChannelClose{})
			want[*wire.ChannelCloseOk](c)
			c.channel(1)
			c.send(2, &wire.ChannelOpen{})
			return c
		}, wire.ConnectionClose{ReplyText: "NOT_ALLOWED - number of channels opened for user 'guest' has reached the maximum allowed user limit of (1)"}},
		{"the node's channels", func(t *testing.T, s *Server) *client {
			dial(t, s).open(0).channel(1).channel(2)
			c := dial(t, s).open(0).channel(1)
			c.send(2, &wire.ChannelOpen{})
			return c
		}, wire.ConnectionClose{ReplyText: "NOT_ALLOWED - number of channels opened on node 'test' has reached the maximum allowed limit of (3)"}},
		{"a channel's consumers", func(t *testing.T, s *Server) *client {
			c := dial(t, s).open(0).channel(1)
			c.declare(1, "q")
			c.send(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "a"})
			want[*wire.BasicConsumeOk](c)
			c.send(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "b"})
			return c
		}, wire.ConnectionClose{ReplyText: "NOT_ALLOWED - reached maximum (1) of consumers per channel", ClassID: 60, MethodID: 20}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := startLimited(t, Options{}, broker.NodeLimits{Connections: 2, Channels: 3, ConsumersPerChannel: 1})
			c.want.ReplyCode = 530
			if m := want[*wire.ConnectionClose](c.do(t, s)); *m != c.want {
				t.Errorf("got %+v", m)
			}
		})
	}
}
