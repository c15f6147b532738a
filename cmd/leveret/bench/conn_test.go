package bench

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

func optionsFor(p *peer) Options {
	o := DefaultOptions()
	o.Broker.URI = p.uri()
	o.Length.Grace = 5 * time.Second
	return o
}

func TestDialNegotiates(t *testing.T) {
	for _, c := range []struct {
		name  string
		asked uint32
		want  uint32
	}{
		{"as the broker suggests", 0, 1 << 16}, {"less", 8192, 8192}, {"never more", 1 << 20, 1 << 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := optionsFor(newPeer(t))
			o.Broker.FrameMax = c.asked
			conn, err := dial(t.Context(), o.Broker, 4096)
			if err != nil {
				t.Fatal(err)
			}
			if conn.frameMax != c.want || conn.channelMax != 50 {
				t.Errorf("frame_max %d, channel_max %d; want %d, 50", conn.frameMax, conn.channelMax, c.want)
			}
			if err := conn.closeAtOnce(time.Second); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSmallerOfTwoLimits(t *testing.T) {
	for _, c := range [][3]uint32{{0, 0, 0}, {0, 5, 5}, {5, 0, 5}, {4, 5, 4}, {5, 4, 4}} {
		if got := smaller(c[0], c[1]); got != c[2] {
			t.Errorf("smaller(%d, %d) = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

func TestBrokersRefusalIsReportedInFull(t *testing.T) {
	for _, c := range []struct {
		name, refuse, scope string
		want                string
	}{
		{"login", "connection.start-ok", "connection", "closed the connection: 530 NOT_ALLOWED - no (class 10, method 11)"},
		{"vhost", "connection.open", "connection", "closed the connection: 530 NOT_ALLOWED - no (class 10, method 40)"},
		{"queue", "queue.declare", "channel", "closed the channel: 406 PRECONDITION_FAILED - no (class 50, method 10)"},
		{"consume", "basic.consume", "channel", "closed the channel: 406 PRECONDITION_FAILED - no (class 60, method 20)"},
		{"publish", "basic.publish", "channel", "closed the channel: 406 PRECONDITION_FAILED - no (class 60, method 40)"},
		{"confirms", "confirm.select", "connection", "closed the connection: 530 NOT_ALLOWED - no (class 85, method 10)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			p.refuse, p.refuseScope = c.refuse, c.scope
			o := optionsFor(p)
			o.Load.Confirm = 10
			o.Length.Messages = 100
			_, err := Run(t.Context(), o, nil)
			var closed *Closed
			if !errors.As(err, &closed) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}

func TestDialErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("AMQP\x00\x00\x09\x01")) // another protocol version
			c.Close()
		}
	}()
	o := DefaultOptions()
	o.Broker.URI = "amqp://" + l.Addr().String()
	if _, err := dial(t.Context(), o.Broker, 4096); err == nil || !strings.Contains(err.Error(), "handshake") {
		t.Errorf("error = %v, want a failed handshake", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := dial(ctx, o.Broker, 4096); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want the context's", err)
	}
}

// pipeConn is a conn over net.Pipe whose other end plays a broker by hand.
func pipeConn(t *testing.T) (*conn, net.Conn) {
	t.Helper()
	near, far := net.Pipe()
	t.Cleanup(func() {
		near.Close()
		far.Close()
	})
	return newConn(near, 4096), far
}

func TestHousekeeping(t *testing.T) {
	for _, c := range []struct {
		name   string
		in     []byte
		answer []byte
		err    string
	}{
		{"heartbeat", wire.AppendHeartbeat(nil), wire.AppendHeartbeat(nil), ""},
		{"channel.flow", wire.AppendMethod(nil, 1, &wire.ChannelFlow{Active: true}), wire.AppendMethod(nil, 1, &wire.ChannelFlowOk{Active: true}), ""},
		{"connection.close", wire.AppendMethod(nil, 0, &wire.ConnectionClose{ReplyCode: 320, ReplyText: "bye"}),
			wire.AppendMethod(nil, 0, &wire.ConnectionCloseOk{}), "closed the connection: 320 bye"},
		{"channel.close", wire.AppendMethod(nil, 7, &wire.ChannelClose{ReplyCode: 404, ReplyText: "no"}),
			wire.AppendMethod(nil, 7, &wire.ChannelCloseOk{}), "closed the channel: 404 no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			near, far := pipeConn(t)
			received := make(chan error, 1)
			go func() { // ends with the pipe
				_, err := near.receive()
				received <- err
			}()
			if _, err := far.Write(c.in); err != nil {
				t.Fatal(err)
			}
			answer := make([]byte, len(c.answer))
			if _, err := far.Read(answer); err != nil || !bytes.Equal(answer, c.answer) {
				t.Errorf("answer %v (%v), want %v", answer, err, c.answer)
			}
			if c.err == "" {
				return
			}
			if err := <-received; err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error = %v, want %q", err, c.err)
			}
		})
	}
}

func TestBlockedIsNoted(t *testing.T) {
	near, _ := pipeConn(t)
	for _, c := range []struct {
		m    wire.Method
		want bool
	}{{&wire.ConnectionBlocked{Reason: "low on disk"}, true}, {&wire.ConnectionUnblocked{}, false}} {
		octets := wire.AppendMethod(nil, 0, c.m)
		own, err := near.housekeeping(frame{kind: wire.FrameMethod, data: octets[7 : len(octets)-1]})
		if !own || err != nil || near.blocked.Load() != c.want {
			t.Errorf("%s: own %v, error %v, blocked %v", c.m.Name(), own, err, near.blocked.Load())
		}
	}
}
