package amqp

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// connState is how far a connection is.
type connState uint8

const (
	handshaking connState = iota
	running
	closing // connection.close is sent; only close-ok counts
	leaving // close-ok is sent: the client closes the socket
)

var (
	errDropped = errors.New("amqp: the client broke the protocol")
	errEnded   = errors.New("amqp: connection ended")
	errTimeout = errors.New("amqp: the client did not answer in time")
	errSilent  = errors.New("amqp: missed heartbeats from client")
	errRefused = errors.New("amqp: login refused")
	errUnheard = errors.New("amqp: the client sent nothing")
)

// conn is one connection. All of it belongs to the reader goroutine, except in,
// out, channels and forced, which lock for themselves. While it is listed, peer
// and what was negotiated do not change.
type conn struct {
	srv  *Server
	nc   net.Conn
	in   *socket
	r    *wire.Reader
	out  *outbound
	log  *slog.Logger
	peer peer

	state    connState
	deadline time.Time // when patience ends: handshake, close-ok; zero: never
	beat     heartbeat
	session  *broker.Session
	channels channels
	turn     turn
	told     atomic.Bool // publishing is held; connection.blocked was sent
	since    time.Time
	listed   atomic.Bool // from open-ok until the end begins

	forced forced
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, nc: nc, in: newSocket(nc), since: time.Now()}
	c.out = newOutbound(nc, &s.segments)
	c.in.attend = c.attend
	c.in.flush = func() { c.out.flush(c.in.try) }
	c.r = wire.NewReader(c.in)
	c.peer = newPeer(nc)
	c.peer.pid = fmt.Sprintf("<0.%d.0>", s.accepted.Add(1)+1) // <0.1.0> is the node itself
	c.log = s.opt.Logger.With("domain", "connection", "pid", c.peer.pid)
	return c
}

// serve is the reader goroutine.
func (c *conn) serve() {
	defer c.srv.remove(c)
	err := c.secure()
	if err == nil {
		err = c.handshake()
	}
	for err == nil {
		err = c.readFrame()
		if errors.Is(err, errIdle) {
			err = nil
		}
	}
	c.end(err)
}

// readFrame reads and handles one frame. An error ends the connection.
func (c *conn) readFrame() error {
	if c.turn.full != nil {
		if err := c.waitForRoom(); err != nil {
			return err
		}
	}
	if c.turn.crowded || !c.r.Buffered() {
		c.turn.crowded = false
		if err := c.endRead(); err != nil {
			return err
		}
	}
	c.in.boundary = true
	h, err := c.r.Head()
	c.in.boundary = false
	if err != nil {
		return c.lost(err)
	}
	c.turn.octets += int(h.Size)
	if err = c.frame(h); err != nil {
		return c.torn(err)
	}
	return nil
}

// lost handles an error before a frame: after one of the protocol it is not
// known where the next frame begins.
func (c *conn) lost(err error) error {
	var broken *wire.Error
	if !errors.As(err, &broken) {
		return err
	}
	c.fail(nil, 0, 0, broken)
	return c.drain(c.srv.opt.CloseTimeout)
}

// torn handles an error within a frame: after one of the protocol the next
// frame follows.
func (c *conn) torn(err error) error {
	var broken *wire.Error
	if !errors.As(err, &broken) {
		return err
	}
	c.fail(nil, 0, 0, broken)
	return nil
}

// frame takes the payload of the frame and gives it to its channel. A
// *wire.Error is about the frame's end octet.
func (c *conn) frame(h wire.Head) error {
	if h.Channel != 0 && h.Type == wire.FrameBody {
		if ch := c.channels.find(h.Channel); ch != nil && ch.asm.direct(h.Size) {
			return ch.readBody(h.Size)
		}
	}
	payload, err := c.r.Payload()
	if err != nil {
		return err
	}
	return c.handle(h, payload)
}

// handle gives a whole frame to whom it belongs.
func (c *conn) handle(h wire.Head, payload []byte) error {
	if c.state != running {
		return c.frameAtEnd(h, payload)
	}
	switch {
	case h.Type == wire.FrameHeartbeat && h.Channel == 0:
	case h.Type == wire.FrameHeartbeat:
		c.fail(nil, 0, 0, errMisplaced(h.Type))
	case h.Type < wire.FrameMethod || h.Type > wire.FrameBody:
		c.fail(nil, 0, 0, wire.UnknownFrame(h.Type, payload))
	case h.Channel == 0:
		return c.control(h, payload)
	default:
		ch := c.channels.find(h.Channel)
		if ch == nil {
			return c.open(h, payload)
		}
		return ch.frame(h.Type, payload)
	}
	return nil
}

func errMisplaced(kind uint8) error {
	return wire.Errorf(wire.UnexpectedFrame, "type %d, all octets = <<>>", kind)
}

// control handles a frame on channel 0.
func (c *conn) control(h wire.Head, payload []byte) error {
	if h.Type != wire.FrameMethod {
		c.fail(nil, 0, 0, errMisplaced(h.Type))
		return nil
	}
	m, err := wire.ParseMethod(payload)
	if err != nil {
		return c.undecodable(nil, err)
	}
	class, method := m.ID()
	switch m := m.(type) {
	case *wire.ConnectionClose:
		c.leave()
	case *wire.ConnectionUpdateSecret:
		if err := c.updateSecret(m); err != nil {
			c.fail(nil, class, method, err)
		}
	default:
		c.fail(nil, class, method, wire.Errorf(wire.ChannelError, "unexpected method in connection state running"))
	}
	return nil
}

// attend runs on the reader when a read was interrupted: it does what others
// left for the reader and what has come due.
func (c *conn) attend() (next time.Time, err error) {
	now := time.Now()
	if err := c.forced.take(); err != nil {
		if c.state == handshaking {
			return next, errEnded
		}
		c.fail(nil, 0, 0, err)
	}
	if !c.deadline.IsZero() && !now.Before(c.deadline) {
		return next, errTimeout
	}
	if c.state == running {
		c.closeOverdue()
		if err := c.revisit(); err != nil {
			return next, err
		}
	}
	if c.state > running { // the deadline is near enough
		return c.deadline, nil
	}
	if c.beat.look(now, &c.in.heard, c.out) {
		return next, errSilent
	}
	return earlier(c.deadline, c.beat.next), nil
}

// earlier returns the earlier of two times that may be zero, meaning never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// revisit goes on with the channels that waited.
func (c *conn) revisit() error {
	c.unblock()
	list := c.turn.waiting
	c.turn.waiting = nil
	for _, ch := range list {
		if err := ch.revisit(); err != nil {
			return err
		}
	}
	return c.endRead()
}

// end frees everything. err says why the connection ends.
func (c *conn) end(err error) {
	c.hide()
	c.releaseChannels()
	if c.session != nil {
		c.session.Close()
	}
	c.r.Close()
	c.out.close()
	c.logClosed(err)
}

// dropped is errDropped with what the client did.
func dropped(why error) error { return fmt.Errorf("%w: %w", errDropped, why) }
