package amqp

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// forced is a close that somebody else wants: the server, the broker.
type forced struct {
	mu       sync.Mutex
	err      *wire.Error
	channels []overdue // that hold a delivery for too long
}

type overdue struct {
	ch      *channel
	timeout time.Duration
}

// takeChannels returns the channels that are to be closed, once.
func (f *forced) takeChannels() []overdue {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.channels
	f.channels = nil
	return list
}

// take returns what is wanted, once; nil: nothing.
func (f *forced) take() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.err
	f.err = nil
	if err == nil {
		return nil
	}
	return err
}

// force closes the connection with err. Any goroutine may call it.
func (c *conn) force(err *wire.Error) {
	c.forced.mu.Lock()
	c.forced.err = err
	c.forced.mu.Unlock()
	c.in.wake()
}

// overdue notes that a queue waits for an acknowledgement no longer. Called
// under the queue's mutex, on any goroutine.
func (ch *channel) overdue(timeout time.Duration) {
	f := &ch.conn.forced
	f.mu.Lock()
	f.channels = append(f.channels, overdue{ch, timeout})
	f.mu.Unlock()
	ch.conn.in.wake()
}

// closeOverdue closes the channels whose deliveries were not acknowledged in
// time (RabbitMQ: no method is named).
func (c *conn) closeOverdue() {
	for _, o := range c.forced.takeChannels() {
		if c.channels.open[o.ch.id] == o.ch && o.ch.state == channelOpen {
			c.fail(o.ch, 0, 0, wire.Errorf(wire.PreconditionFailed, "delivery acknowledgement on channel %d timed out. "+
				"Timeout value used: %d ms. This timeout value can be configured, see consumers doc guide to learn more",
				o.ch.id, o.timeout.Milliseconds()))
		}
	}
}

// fail ends what err is about. It is the one place that turns errors into
// channel.close and connection.close: class and method are those of the method
// being handled, the code decides which of the two it is. ch is nil for errors
// outside any channel.
func (c *conn) fail(ch *channel, class, method uint16, err error) {
	if c.state >= closing {
		return
	}
	var reply *wire.Error
	if !errors.As(err, &reply) {
		reply = &wire.Error{Code: wire.InternalError, Cause: err}
	}
	if reply.Code == wire.InternalError {
		class, method = 0, 0 // RabbitMQ: the channel process died and names nothing
	}
	switch {
	case ch != nil && ch.delay(class, method, err):
	case ch != nil && !reply.Connection && !reply.Code.Hard():
		c.logChannelError(ch, wire.MethodName(class, method), reply)
		ch.close(class, method, reply)
	default:
		c.logError(ch, wire.MethodName(class, method), reply)
		c.close(class, method, reply)
	}
}

// undecodable handles a method frame that does not decode. RabbitMQ drops the
// socket without a word when its reader cannot go on; that ends the connection
// here too.
func (c *conn) undecodable(ch *channel, err error) error {
	var bad *wire.MethodError
	switch {
	case errors.Is(err, wire.ErrUnknownMethod), errors.Is(err, wire.ErrBadTable):
		return dropped(err)
	case errors.As(err, &bad):
		c.fail(ch, bad.Class, bad.Method, bad.Reply)
	default:
		c.fail(ch, 0, 0, err)
	}
	return nil
}

// replyText cuts a text to what a short string holds.
func replyText(e *wire.Error) string {
	s := e.Error()
	return s[:min(len(s), 255)]
}

// close sends connection.close and waits for close-ok, dropping all else.
func (c *conn) close(class, method uint16, e *wire.Error) {
	c.hide()
	c.releaseChannels()
	c.out.reply(0, &wire.ConnectionClose{
		ReplyCode: uint16(e.Code), ReplyText: replyText(e), ClassID: class, MethodID: method,
	})
	c.state = closing
	wait := c.srv.opt.CloseTimeout
	if errors.Is(e, broker.ErrVHostDeleted) {
		wait = min(wait, abandoned)
	}
	c.patience(wait)
}

// abandoned is how long a connection of a deleted virtual host waits for
// close-ok. RabbitMQ drops the socket at once, often before its client has read
// why.
const abandoned = time.Second

// leave answers the client's connection.close. RabbitMQ: exclusive queues are
// gone before close-ok, and the socket is the client's to close.
func (c *conn) leave() {
	c.hide()
	c.releaseChannels()
	c.session.Close()
	c.session = nil
	c.out.reply(0, &wire.ConnectionCloseOk{})
	c.state = leaving
	c.patience(c.srv.opt.CloseTimeout)
}

// patience ends the connection after d.
func (c *conn) patience(d time.Duration) {
	c.deadline = time.Now().Add(d)
	c.in.wake() // for the read deadline
}

// frameAtEnd handles a frame while the connection ends.
func (c *conn) frameAtEnd(h wire.Head, payload []byte) error {
	if h.Channel != 0 || h.Type != wire.FrameMethod {
		return nil
	}
	class, method, _ := wire.MethodID(payload)
	switch {
	case c.state == closing && class == 10 && method == 51: // connection.close-ok
		return errEnded
	case c.state == closing && class == 10 && method == 50: // both closed at once
		c.out.reply(0, &wire.ConnectionCloseOk{})
	}
	return nil
}

// drainMost bounds what a client may send that nobody will look at.
const drainMost = 64 << 20

// drain drops what the client sends until it closes the socket, or for d. The
// socket is not closed with octets unread: that would be a reset, which could
// overtake what we wrote last.
func (c *conn) drain(d time.Duration) error {
	c.r.Close()
	c.deadline = time.Now().Add(d)
	c.in.wake()
	buf := make([]byte, 4096)
	for sum := 0; sum < drainMost; {
		n, err := c.in.Read(buf)
		sum += n
		if err != nil && !errors.Is(err, errIdle) {
			return err
		}
	}
	return errDropped
}

// hangUp ends a connection whose client broke the handshake: what is to be
// written is written, our side is closed, and the rest is dropped for a moment.
func (c *conn) hangUp(d time.Duration) error {
	c.out.wait(0, d)
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		return c.drain(d)
	}
	return errDropped
}

var _ interface{ CloseWrite() error } = (*net.TCPConn)(nil)
