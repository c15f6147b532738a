package amqp

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/broker/meta"
)

// keptMeta is metadata that lives as long as the test.
type keptMeta struct{}

func (keptMeta) Load(func(key, value []byte) error) error { return nil }
func (keptMeta) Commit([]meta.Change) error               { return nil }

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }
func (wallClock) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}

// startServer starts a server over a broker in memory; both end with the test.
func startServer(t testing.TB, opt Options) *Server {
	t.Helper()
	return startLimited(t, opt, broker.NodeLimits{})
}

// startLimited is startServer over a broker with limits.
func startLimited(t testing.TB, opt Options, limits broker.NodeLimits) *Server {
	t.Helper()
	b, err := broker.Open(broker.Options{
		Meta: keptMeta{}, Clock: wallClock{}, Rand: rand.Reader, Logger: slog.New(slog.DiscardHandler),
		Compatibility: "3.10", NodeName: "test", Limits: limits,
	})
	if err != nil {
		t.Fatal(err)
	}
	opt.Broker = b
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	s := New(opt)
	t.Cleanup(func() {
		s.Shutdown(context.Background())
		b.Close(context.Background())
	})
	return s
}

// client speaks raw frames to a server.
type client struct {
	t  testing.TB
	nc net.Conn
	r  *wire.Reader
}

// pipe connects a client through memory, for tests with a clock of their own.
func pipe(t testing.TB, s *Server) *client {
	a, b := net.Pipe()
	s.ServeConn(b)
	t.Cleanup(func() { a.Close() })
	return &client{t, a, wire.NewReader(a)}
}

// dial connects a client over the loopback interface.
func dial(t testing.TB, s *Server) *client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s.ServeConn(served)
	t.Cleanup(func() { nc.Close() })
	return &client{t, nc, wire.NewReader(nc)}
}

// write sends octets.
func (c *client) write(b []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// send sends methods of a channel at once.
func (c *client) send(ch uint16, ms ...wire.Method) {
	c.t.Helper()
	var b []byte
	for _, m := range ms {
		b = wire.AppendMethod(b, ch, m)
	}
	c.write(b)
}

// appendPublish adds a whole message to the default exchange.
func appendPublish(b []byte, ch uint16, key string, body []byte, props ...byte) []byte {
	b = wire.AppendMethod(b, ch, &wire.BasicPublish{RoutingKey: key})
	if props == nil {
		props = []byte{0, 0}
	}
	return wire.AppendBody(wire.AppendHeader(b, ch, uint64(len(body)), props), ch, body, 131072)
}

// next reads the next frame.
func (c *client) next() (wire.Head, []byte, error) {
	h, err := c.r.Head()
	if err != nil {
		return h, nil, err
	}
	payload, err := c.r.Payload()
	return h, payload, err
}

// receive reads the next method frame, heartbeats left out.
func (c *client) receive() (uint16, wire.Method, error) {
	for {
		h, payload, err := c.next()
		if err != nil {
			return 0, nil, err
		}
		if h.Type == wire.FrameMethod {
			m, err := wire.ParseMethod(payload)
			return h.Channel, m, err
		}
		if h.Type != wire.FrameHeartbeat {
			return 0, nil, errors.New("not a method frame")
		}
	}
}

// want reads the next method, which has to be an M.
func want[M wire.Method](c *client) M {
	c.t.Helper()
	_, m, err := c.receive()
	if err != nil {
		c.t.Fatalf("receive: %v", err)
	}
	got, ok := m.(M)
	if !ok {
		c.t.Fatalf("got %s %+v, want %T", m.Name(), m, got)
	}
	return got
}

// body reads the content that follows a method.
func (c *client) body() []byte {
	c.t.Helper()
	h, payload, err := c.next()
	if err != nil || h.Type != wire.FrameHeader {
		c.t.Fatalf("got frame type %d, %v, want a header", h.Type, err)
	}
	header, err := wire.ParseHeader(payload)
	if err != nil {
		c.t.Fatal(err)
	}
	var body []byte
	for uint64(len(body)) < header.BodySize {
		h, payload, err := c.next()
		if err != nil || h.Type != wire.FrameBody {
			c.t.Fatalf("got frame type %d, %v, want a body", h.Type, err)
		}
		body = append(body, payload...)
	}
	return body
}

// closed waits for the end of the stream.
func (c *client) closed() {
	c.t.Helper()
	for {
		h, _, err := c.next()
		switch {
		case err == nil && h.Type == wire.FrameHeartbeat:
		case err == nil:
			c.t.Fatalf("got frame type %d, want the socket closed", h.Type)
		case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrUnexpectedEOF):
			return
		default:
			return // a reset
		}
	}
}

// allCapabilities are those of a modern client.
func allCapabilities() wire.Table {
	return wire.Table{{Name: "capabilities", Value: serverCapabilities()}}
}

// login goes to tune.
func (c *client) login(props wire.Table) {
	c.t.Helper()
	c.write([]byte(protocolHeader))
	want[*wire.ConnectionStart](c)
	c.send(0, &wire.ConnectionStartOk{ClientProperties: props, Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US"})
	want[*wire.ConnectionTune](c)
}

// open goes to open-ok.
func (c *client) open(heartbeat uint16) *client {
	c.t.Helper()
	c.login(allCapabilities())
	c.send(0, &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072, Heartbeat: heartbeat}, &wire.ConnectionOpen{VirtualHost: "/"})
	want[*wire.ConnectionOpenOk](c)
	c.r.SetFrameMax(131072)
	return c
}

// channel opens a channel.
func (c *client) channel(ch uint16) *client {
	c.t.Helper()
	c.send(ch, &wire.ChannelOpen{})
	want[*wire.ChannelOpenOk](c)
	return c
}

// declare declares a transient queue.
func (c *client) declare(ch uint16, name string) {
	c.t.Helper()
	c.send(ch, &wire.QueueDeclare{Queue: name})
	want[*wire.QueueDeclareOk](c)
}
