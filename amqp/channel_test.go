package amqp

import (
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

func TestErrorsNameTheMethod(t *testing.T) {
	cases := []struct {
		name          string
		send          func(c *client)
		connection    bool
		code          wire.Code
		class, method uint16
		text          string
	}{
		{"unknown delivery tag", func(c *client) { c.send(1, &wire.BasicAck{DeliveryTag: 42}) },
			false, 406, 60, 80, "PRECONDITION_FAILED - unknown delivery tag 42"},
		{"nack of an unknown tag", func(c *client) { c.send(1, &wire.BasicNack{DeliveryTag: 7, Multiple: true}) },
			false, 406, 60, 120, "PRECONDITION_FAILED - unknown delivery tag 7"},
		{"no queue declared", func(c *client) { c.send(1, &wire.QueuePurge{}) },
			false, 404, 50, 30, "NOT_FOUND - no previously declared queue"},
		{"flow off", func(c *client) { c.send(1, &wire.ChannelFlow{}) },
			true, 540, 20, 20, "NOT_IMPLEMENTED - active=false"},
		{"prefetch size", func(c *client) { c.send(1, &wire.BasicQos{PrefetchSize: 10}) },
			true, 540, 60, 10, "NOT_IMPLEMENTED - prefetch_size!=0 (10)"},
		{"recover without requeue", func(c *client) { c.send(1, &wire.BasicRecover{}) },
			true, 540, 60, 110, "NOT_IMPLEMENTED - requeue=false"},
		{"immediate", func(c *client) { c.send(1, &wire.BasicPublish{Immediate: true}) },
			true, 540, 60, 40, "NOT_IMPLEMENTED - immediate=true"},
		{"second open", func(c *client) { c.send(1, &wire.ChannelOpen{}) },
			true, 504, 20, 10, "CHANNEL_ERROR - second 'channel.open' seen"},
		{"channel never opened", func(c *client) { c.send(9, &wire.BasicQos{}) },
			true, 504, 60, 10, "CHANNEL_ERROR - expected 'channel.open'"},
		{"a server's method", func(c *client) { c.send(1, &wire.BasicConsumeOk{}) },
			true, 503, 60, 21, "COMMAND_INVALID - unimplemented method"},
		{"a connection's method", func(c *client) { c.send(1, &wire.ConnectionClose{}) },
			true, 503, 10, 50, "COMMAND_INVALID - unimplemented method"},
		{"a channel's method on channel 0", func(c *client) { c.send(0, &wire.BasicQos{}) },
			true, 504, 60, 10, "CHANNEL_ERROR - unexpected method in connection state running"},
		{"commit without select", func(c *client) { c.send(1, &wire.TxCommit{}) },
			false, 406, 90, 20, "PRECONDITION_FAILED - channel is not transactional"},
		{"rollback without select", func(c *client) { c.send(1, &wire.TxRollback{}) },
			false, 406, 90, 30, "PRECONDITION_FAILED - channel is not transactional"},
		{"tx after confirm", func(c *client) { c.send(1, &wire.ConfirmSelect{Nowait: true}, &wire.TxSelect{}) },
			false, 406, 90, 10, "PRECONDITION_FAILED - cannot switch from confirm to tx mode"},
		{"message too large", func(c *client) {
			c.send(1, &wire.BasicPublish{RoutingKey: "q"})
			c.write(wire.AppendHeader(nil, 1, 1<<40, []byte{0, 0}))
		}, false, 406, 60, 40, "PRECONDITION_FAILED - message size 1099511627776 is larger than configured max size 134217728"},
		{"method for header", func(c *client) { c.send(1, &wire.BasicPublish{}, &wire.BasicQos{}) },
			true, 505, 60, 40, "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead"},
		{"header alone", func(c *client) { c.write(wire.AppendHeader(nil, 1, 1, []byte{0, 0})) },
			true, 505, 0, 0, "UNEXPECTED_FRAME - expected method frame, got non method frame instead"},
		{"header alone on a new channel", func(c *client) { c.write(wire.AppendHeader(nil, 5, 1, []byte{0, 0})) },
			true, 505, 0, 0, "UNEXPECTED_FRAME - expected method frame, got non method frame instead"},
		{"body on channel 0", func(c *client) { c.write([]byte{3, 0, 0, 0, 0, 0, 0, wire.FrameEnd}) },
			true, 505, 0, 0, "UNEXPECTED_FRAME - type 3, all octets = <<>>"},
		{"heartbeat on a channel", func(c *client) { c.write([]byte{8, 0, 1, 0, 0, 0, 0, wire.FrameEnd}) },
			true, 505, 0, 0, "UNEXPECTED_FRAME - type 8, all octets = <<>>"},
		{"frame too large", func(c *client) { c.write([]byte{3, 0, 1, 0, 2, 0, 1}) },
			true, 501, 0, 0, "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,131073,131064}"},
		{"wrong end", func(c *client) { c.write([]byte{1, 0, 1, 0, 0, 0, 4, 0, 10, 0, 50, 0}) },
			true, 501, 0, 0, "FRAME_ERROR - type 1, all octets = <<0,10,0,50>>: {invalid_frame_end_marker,0}"},
		{"properties cut off", func(c *client) {
			c.send(1, &wire.BasicPublish{})
			c.write(wire.AppendHeader(nil, 1, 0, []byte{0x80, 0, 5, 'a'}))
		}, true, 541, 0, 0, "INTERNAL_ERROR"},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			c := dial(t, startServer(t, Options{})).open(0).channel(1)
			k.send(c)
			if k.connection {
				m := want[*wire.ConnectionClose](c)
				if m.ReplyCode != uint16(k.code) || m.ClassID != k.class || m.MethodID != k.method || m.ReplyText != k.text {
					t.Errorf("got %+v", m)
				}
				return
			}
			m := want[*wire.ChannelClose](c)
			if m.ReplyCode != uint16(k.code) || m.ClassID != k.class || m.MethodID != k.method || m.ReplyText != k.text {
				t.Errorf("got %+v", m)
			}
			c.send(1, &wire.BasicQos{}, &wire.ChannelCloseOk{}, &wire.ChannelOpen{})
			want[*wire.ChannelOpenOk](c) // what came before close-ok was dropped
		})
	}
}

func TestUnknownMethodDropsTheSocket(t *testing.T) {
	c := dial(t, startServer(t, Options{})).open(0).channel(1)
	c.write([]byte{1, 0, 1, 0, 0, 0, 4, 0, 99, 0, 1, wire.FrameEnd})
	c.closed()
}

func TestChannelMaxCountsChannels(t *testing.T) {
	c := dial(t, startServer(t, Options{}))
	c.login(nil)
	c.send(0, &wire.ConnectionTuneOk{ChannelMax: 2, FrameMax: 131072}, &wire.ConnectionOpen{VirtualHost: "/"})
	want[*wire.ConnectionOpenOk](c)
	c.channel(900).channel(7)
	c.send(7, &wire.ChannelClose{})
	want[*wire.ChannelCloseOk](c)
	c.channel(65535)
	c.send(1, &wire.ChannelOpen{})
	m := want[*wire.ConnectionClose](c)
	if m.ReplyCode != 530 || !strings.Contains(m.ReplyText, "number of channels opened (2) has reached the negotiated channel_max (2)") {
		t.Errorf("got %+v", m)
	}
}

func TestBothSidesCloseAChannel(t *testing.T) {
	c := dial(t, startServer(t, Options{})).open(0).channel(1)
	c.send(1, &wire.BasicAck{DeliveryTag: 1}, &wire.ChannelClose{})
	want[*wire.ChannelClose](c)
	want[*wire.ChannelCloseOk](c)
	c.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{})
	want[*wire.ChannelOpenOk](c)
}

func TestUpdateSecret(t *testing.T) {
	c := dial(t, startServer(t, Options{})).open(0)
	c.send(0, &wire.ConnectionUpdateSecret{NewSecret: "guest"})
	want[*wire.ConnectionUpdateSecretOk](c)
	c.send(0, &wire.ConnectionUpdateSecret{NewSecret: "no"})
	if m := want[*wire.ConnectionClose](c); m.ReplyCode != 530 {
		t.Errorf("got %+v", m)
	}
}
