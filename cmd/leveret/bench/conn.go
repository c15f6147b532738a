package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// Closed is the broker's connection.close or channel.close.
type Closed struct {
	Scope         string
	Code          uint16
	Text          string
	Class, Method uint16
}

// Error has everything the broker said.
func (c *Closed) Error() string {
	return fmt.Sprintf("the broker closed the %s: %d %s (class %d, method %d)", c.Scope, c.Code, c.Text, c.Class, c.Method)
}

// errEnded is a connection that ended because this side closed it.
var errEnded = errors.New("connection closed")

// dialTimeout bounds TCP and AMQP handshake.
const dialTimeout = 30 * time.Second

// A conn is one AMQP connection. Reading (scan, rpc, receive) belongs to one
// goroutine; any goroutine may write whole frames.
type conn struct {
	scan       *scanner
	frameMax   uint32
	channelMax uint16
	blocked    atomic.Bool // by connection.blocked

	mu  sync.Mutex // one write of whole frames at a time
	net net.Conn
	out []byte // scratch of send, guarded by mu
}

// dial connects and completes the AMQP handshake, reading through a buffer of
// bufSize octets.
func dial(ctx context.Context, o BrokerOptions, bufSize int) (*conn, error) {
	t, err := parseURI(o.URI)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: -1}
	nc, err := d.DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	c := newConn(nc, bufSize)
	_ = nc.SetDeadline(time.Now().Add(dialTimeout)) // a failure shows in the reads below
	if err := c.handshake(t, o); err != nil {
		nc.Close()
		return nil, fmt.Errorf("AMQP handshake with %s: %w", t.address, err)
	}
	_ = nc.SetDeadline(time.Time{})
	return c, nil
}

func newConn(nc net.Conn, bufSize int) *conn {
	return &conn{net: nc, scan: newScanner(nc, bufSize)}
}

func (c *conn) handshake(t target, o BrokerOptions) error {
	if err := c.write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return err
	}
	if _, err := expect[*wire.ConnectionStart](c, 0); err != nil {
		return err
	}
	tune, err := call[*wire.ConnectionTune](c, 0, &wire.ConnectionStartOk{
		ClientProperties: clientProperties(),
		Mechanism:        "PLAIN",
		Response:         "\x00" + t.user + "\x00" + t.password,
		Locale:           "en_US",
	})
	if err != nil {
		return err
	}
	ok := &wire.ConnectionTuneOk{ChannelMax: tune.ChannelMax, FrameMax: smaller(tune.FrameMax, o.FrameMax), Heartbeat: tune.Heartbeat}
	if o.Heartbeat >= 0 {
		ok.Heartbeat = uint16(o.Heartbeat)
	}
	c.frameMax, c.channelMax = ok.FrameMax, ok.ChannelMax
	if c.channelMax == 0 {
		c.channelMax = 1<<16 - 1
	}
	_, err = call[*wire.ConnectionOpenOk](c, 0, ok, &wire.ConnectionOpen{VirtualHost: t.vhost})
	return err
}

// smaller of two limits of which 0 is none.
func smaller(a, b uint32) uint32 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func clientProperties() wire.Table {
	return wire.Table{
		{Name: "product", Value: "leveret bench"},
		{Name: "capabilities", Value: wire.Table{
			{Name: "publisher_confirms", Value: true},
			{Name: "basic.nack", Value: true},
			{Name: "consumer_cancel_notify", Value: true},
			{Name: "connection.blocked", Value: true},
			{Name: "authentication_failure_close", Value: true},
		}},
	}
}

// write sends whole frames with one system call, if the socket takes them.
func (c *conn) write(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.net.Write(b)
	return err
}

// send writes methods at once.
func (c *conn) send(ch uint16, methods ...wire.Method) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = c.out[:0]
	for _, m := range methods {
		c.out = wire.AppendMethod(c.out, ch, m)
	}
	_, err := c.net.Write(c.out)
	return err
}

// call sends methods, the last of them a request, and waits for its answer.
func call[T wire.Method](c *conn, ch uint16, methods ...wire.Method) (T, error) {
	if err := c.send(ch, methods...); err != nil {
		var none T
		// What the broker said before it hung up explains more than the write.
		if _, said := c.receive(); said != nil {
			err = said
		}
		return none, err
	}
	return expect[T](c, ch)
}

// expect waits for a method of type T on a channel.
func expect[T wire.Method](c *conn, ch uint16) (T, error) {
	var none T
	for {
		f, err := c.receive()
		if err != nil {
			return none, err
		}
		if f.kind != wire.FrameMethod {
			continue
		}
		m, err := wire.ParseMethod(f.data)
		if err != nil {
			return none, err
		}
		answer, ok := m.(T)
		if !ok || f.channel != ch {
			return none, fmt.Errorf("the broker sent %s on channel %d, not %s on channel %d", m.Name(), f.channel, none.Name(), ch)
		}
		return answer, nil
	}
}

// receive waits for the next frame that is not the connection's own business
// (heartbeats, closes, blocked notices).
func (c *conn) receive() (frame, error) {
	for {
		f, err := c.scan.next()
		if err != nil {
			return f, err
		}
		own, err := c.housekeeping(f)
		if err != nil || !own {
			return f, err
		}
	}
}

// Class and method numbers that housekeeping looks for.
const (
	idConnectionClose     = 10<<16 | 50
	idConnectionCloseOk   = 10<<16 | 51
	idConnectionBlocked   = 10<<16 | 60
	idConnectionUnblocked = 10<<16 | 61
	idChannelFlow         = 20<<16 | 20
	idChannelClose        = 20<<16 | 40
	idChannelCloseOk      = 20<<16 | 41
)

// housekeeping does what any AMQP client must do and says whether f was of
// that kind. The peer's closes are errors.
func (c *conn) housekeeping(f frame) (own bool, err error) {
	if f.kind == wire.FrameHeartbeat {
		return true, c.write(wire.AppendHeartbeat(nil))
	}
	if f.kind != wire.FrameMethod {
		return false, nil
	}
	switch methodID(f.data) {
	case idConnectionClose, idConnectionCloseOk, idConnectionBlocked, idConnectionUnblocked,
		idChannelFlow, idChannelClose, idChannelCloseOk:
	default:
		return false, nil
	}
	m, err := wire.ParseMethod(f.data)
	if err != nil {
		return true, err
	}
	return true, c.housekeep(f.channel, m)
}

func (c *conn) housekeep(ch uint16, m wire.Method) error {
	switch m := m.(type) {
	case *wire.ConnectionClose:
		_ = c.send(0, &wire.ConnectionCloseOk{}) // the broker is going anyway
		return &Closed{"connection", m.ReplyCode, m.ReplyText, m.ClassID, m.MethodID}
	case *wire.ChannelClose:
		_ = c.send(ch, &wire.ChannelCloseOk{})
		return &Closed{"channel", m.ReplyCode, m.ReplyText, m.ClassID, m.MethodID}
	case *wire.ChannelCloseOk:
		return c.send(0, &wire.ConnectionClose{ReplyCode: uint16(wire.ReplySuccess), ReplyText: "done"})
	case *wire.ConnectionCloseOk:
		return errEnded
	case *wire.ConnectionBlocked:
		c.blocked.Store(true)
	case *wire.ConnectionUnblocked:
		c.blocked.Store(false)
	case *wire.ChannelFlow:
		return c.send(ch, &wire.ChannelFlowOk{Active: m.Active})
	}
	return nil
}

// methodID is 0 for a payload without numbers.
func methodID(payload []byte) uint32 {
	class, method, _ := wire.MethodID(payload)
	return uint32(class)<<16 | uint32(method)
}

// finish begins the orderly end: the answer to channel.close, which comes after
// everything sent before it was worked on, makes the reader close the
// connection too (housekeep).
func (c *conn) finish(grace time.Duration) error {
	_ = c.net.SetReadDeadline(time.Now().Add(grace)) // the reader reports it
	return c.send(1, &wire.ChannelClose{ReplyCode: uint16(wire.ReplySuccess), ReplyText: "done"})
}

// close is finish for a conn without a reader of its own; it waits.
func (c *conn) close(grace time.Duration) error {
	defer c.net.Close()
	if err := c.finish(grace); err != nil {
		return err
	}
	for {
		if _, err := c.receive(); err != nil {
			if errors.Is(err, errEnded) {
				return nil
			}
			return err
		}
	}
}

// openChannel opens channel 1.
func (c *conn) openChannel() error {
	_, err := call[*wire.ChannelOpenOk](c, 1, &wire.ChannelOpen{})
	return err
}
