package conformance

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	dialTimeout  = 10 * time.Second
	writeTimeout = 20 * time.Second
	eventBacklog = 4096
)

// conn is one socket. A goroutine of its own reads it and turns frames into
// events; it ends when the socket is closed by either side.
type conn struct {
	sock     net.Conn
	codec    *codec
	frameMax atomic.Uint32 // agreed frame-max, 0 = unlimited
	events   chan event
	done     chan struct{} // closed by close
	once     sync.Once
	reader   sync.WaitGroup
}

func dial(c *codec, address string) (*conn, error) {
	sock, err := net.DialTimeout("tcp", address, dialTimeout)
	if err != nil {
		return nil, err
	}
	out := &conn{sock: sock, codec: c, events: make(chan event, eventBacklog), done: make(chan struct{})}
	out.frameMax.Store(frameMinSize)
	out.reader.Go(out.read)
	return out, nil
}

// close closes the socket without a goodbye and waits for the reader.
func (c *conn) close() {
	c.once.Do(func() { close(c.done) })
	_ = c.sock.Close() // the peer may have closed it already
	c.reader.Wait()
}

// write sends raw octets. A socket the broker has closed is no error here: the
// scenario finds out by the events it expects. A stuck broker is one.
func (c *conn) write(b []byte) error {
	if err := c.sock.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	if _, err := c.sock.Write(b); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the broker did not read for %v", writeTimeout)
	}
	return nil
}

// send writes a method frame; extra octets are added to the payload.
func (c *conn) send(ch uint16, name string, args map[string]any, extra []byte) error {
	m := c.codec.byName[name]
	if m == nil {
		return fmt.Errorf("no method %q", name)
	}
	payload, err := c.codec.method(m, args)
	if err != nil {
		return err
	}
	if name == "connection.tune-ok" {
		c.agree(args["frame-max"])
	}
	return c.write(frame{kind: frameMethod, channel: ch, payload: append(payload, extra...)}.append(nil, frameEnd))
}

// agree notes the frame-max of a tune-ok, which bounds what may be received.
func (c *conn) agree(v any) {
	var n uint32
	if _, err := fmt.Sscan(digits(v), &n); err == nil && (n == 0 || n >= frameMinSize) {
		c.frameMax.Store(n)
	}
}

// publish writes method, content header and as many body frames as needed.
func (c *conn) publish(ch uint16, args, props map[string]any, body []byte) error {
	method, err := c.codec.method(c.codec.byName["basic.publish"], args)
	if err != nil {
		return err
	}
	header, err := c.codec.header(60, 0, uint64(len(body)), props)
	if err != nil {
		return err
	}
	out := frame{kind: frameMethod, channel: ch, payload: method}.append(nil, frameEnd)
	out = frame{kind: frameHeader, channel: ch, payload: header}.append(out, frameEnd)
	chunk := len(body)
	if limit := c.frameMax.Load(); limit != 0 {
		chunk = min(chunk, int(limit-frameOverhead))
	}
	for len(body) > 0 {
		n := min(chunk, len(body))
		out = frame{kind: frameBody, channel: ch, payload: body[:n]}.append(out, frameEnd)
		body = body[n:]
	}
	return c.write(out)
}

// next is the next event, or an error after the timeout.
func (c *conn) next(timeout time.Duration) (event, error) {
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case e := <-c.events:
		return e, nil
	case <-t.C:
		return event{}, fmt.Errorf("nothing came within %v", timeout)
	}
}

// method is the next event, which must be the named method on channel ch.
func (c *conn) method(ch uint16, name string) (event, error) {
	e, err := c.next(stepTimeout)
	if err != nil {
		return e, fmt.Errorf("waiting for %s: %w", name, err)
	}
	if !e.is(ch, name) {
		return e, fmt.Errorf("waiting for %s on channel %d, got %v", name, ch, e)
	}
	return e, nil
}

// call sends a method and waits for the answer of the given name.
func (c *conn) call(ch uint16, name string, args map[string]any, answer string) (event, error) {
	if err := c.send(ch, name, args, nil); err != nil {
		return event{}, err
	}
	return c.method(ch, answer)
}

func (c *conn) read() {
	r := bufio.NewReader(c.sock)
	in := newAssembly(c.codec)
	for {
		f, err := readFrame(r, c.frameMax.Load())
		if err != nil {
			c.ended(r, err)
			return
		}
		e, complete, err := in.add(f)
		if err != nil {
			c.ended(r, err)
			return
		}
		if complete && !c.emit(e) {
			return
		}
	}
}

func (c *conn) emit(e event) bool {
	select {
	case c.events <- e:
		return true
	case <-c.done:
		return false
	}
}

// ended turns the end of reading into the last events. Octets after a protocol
// header are never frames, so that only the end can follow one.
func (c *conn) ended(r *bufio.Reader, err error) {
	var header errProtocolHeader
	var broken fault
	switch {
	case errors.As(err, &broken):
		c.emit(event{kind: eventFault, detail: broken.Error()})
		return
	case errors.As(err, &header):
		c.emit(event{kind: eventHeader, detail: hex.EncodeToString(header[:])})
		if _, err := r.ReadByte(); err == nil {
			c.emit(event{kind: eventFault, detail: "octets after a protocol header"})
			return
		}
	}
	c.emit(event{kind: eventClosed})
}
