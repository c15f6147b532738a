package amqp

import (
	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// stepSize is how much memory an announced body gets before its octets come:
// an announcement alone costs nothing.
const stepSize = 1 << 20

// assembly is the message that the frames of a channel are making: method,
// header, body (spec: 4.2.6). Until the read ends, its parts are views into
// the read buffer; keep copies them.
type assembly struct {
	phase  phase
	pub    wire.Publish
	props  []byte
	size   uint64 // announced
	body   []byte // what came so far, in shared if that is set
	shared *wire.Body
	left   uint64 // octets of the body to come
	store  []byte // holds route and props across reads

	stored phase // atHeader: store holds the route; atBody: and the props
}

type phase uint8

const (
	atMethod phase = iota
	atHeader
	atBody
)

func (a *assembly) busy() bool { return a.phase != atMethod }

func errNotMethod() error {
	return wire.Errorf(wire.UnexpectedFrame, "expected method frame, got non method frame instead")
}

func errNotHeader() error {
	return wire.Errorf(wire.UnexpectedFrame, "expected content header for class 60, got non content header frame instead")
}

func errNotBody() error {
	return wire.Errorf(wire.UnexpectedFrame, "expected content body, got non content body frame instead")
}

// publish begins a message. The exchange is checked at once, so that no memory
// is spent on what is refused.
func (ch *channel) publish(payload []byte) error {
	if ch.holdPublish() {
		ch.park.on = true
		ch.putOff(wire.FrameMethod, payload)
		return nil
	}
	pub, err := wire.ParsePublish(payload)
	if err != nil {
		return ch.conn.undecodable(ch, err)
	}
	if pub.Immediate {
		err = wire.Errorf(wire.NotImplemented, "immediate=true")
	} else {
		err = ch.publisher.Check(pub.Exchange)
	}
	if err != nil {
		ch.conn.fail(ch, 60, 40, err)
		return nil
	}
	a := &ch.asm
	a.phase, a.pub, a.stored = atHeader, pub, atMethod
	ch.touch()
	return nil
}

// contentFrame handles a frame that should be content.
func (ch *channel) contentFrame(kind uint8, payload []byte) {
	var err error
	class, method := uint16(60), uint16(40)
	switch a := &ch.asm; {
	case a.phase == atMethod:
		class, method, err = 0, 0, errNotMethod()
	case a.phase == atHeader && kind != wire.FrameHeader:
		err = errNotHeader()
	case a.phase == atHeader:
		err = ch.header(payload)
	case kind != wire.FrameBody:
		err = errNotBody()
	default:
		err = ch.body(payload)
	}
	if err != nil {
		ch.conn.fail(ch, class, method, err)
	}
}

func (ch *channel) header(payload []byte) error {
	h, err := wire.ParseHeader(payload)
	if err != nil {
		return err
	}
	if h.Class != 60 {
		return wire.Errorf(wire.UnexpectedFrame, "expected content header for class 60, got one for class %d instead", h.Class)
	}
	if most := ch.conn.srv.opt.MaxMessageSize; h.BodySize > most {
		return wire.Errorf(wire.PreconditionFailed, "message size %d is larger than configured max size %d", h.BodySize, most)
	}
	a := &ch.asm
	a.props, a.size, a.left, a.body, a.shared = h.Props, h.BodySize, h.BodySize, nil, nil
	a.phase = atBody
	if a.size == 0 {
		return ch.complete(nil, nil)
	}
	ch.touch()
	return nil
}

// body handles a body frame that was buffered.
func (ch *channel) body(payload []byte) error {
	a := &ch.asm
	n := uint64(len(payload))
	switch {
	case n > a.left:
		return errNotBody()
	case n == a.size && n < refSize: // the whole of it: no copy
		return ch.complete(payload, nil)
	}
	copy(ch.grow(n), payload)
	return ch.bodyGrown()
}

// bodyGrown ends the message when its body is complete.
func (ch *channel) bodyGrown() error {
	if ch.asm.left > 0 {
		ch.touch()
		return nil
	}
	return ch.complete(ch.asm.body, ch.asm.shared)
}

// direct says whether the payload of a body frame of this size is read straight
// into the message.
func (a *assembly) direct(size uint32) bool {
	return a.phase == atBody && a.size >= refSize && uint64(size) <= a.left && size > 0
}

// readBody reads a body frame's payload from the socket into the message. The
// channel may end meanwhile: the reader attends to others while it reads.
func (ch *channel) readBody(size uint32) error {
	c := ch.conn
	if err := c.r.ReadInto(ch.grow(uint64(size))); err != nil {
		return err
	}
	if !ch.asm.busy() {
		return nil
	}
	if err := ch.bodyGrown(); err != nil {
		c.fail(ch, 60, 40, err)
	}
	return nil
}

// grow makes room for n octets more of the announced body and returns it. The
// memory grows by doubling steps and is at last of the announced size.
func (ch *channel) grow(n uint64) []byte {
	a := &ch.asm
	have := uint64(len(a.body))
	if need := have + n; need > uint64(cap(a.body)) {
		room := min(a.size, max(need, 2*uint64(cap(a.body)), min(a.size, stepSize)))
		var shared *wire.Body
		if a.size >= refSize {
			shared = ch.conn.srv.bodies.Take(int(room))
			a.body = append(shared.Octets()[:0:room], a.body...)
		} else {
			a.body = append(make([]byte, 0, room), a.body...)
		}
		a.shared.Release()
		a.shared = shared
	}
	a.body = a.body[:have+n]
	a.left -= n
	return a.body[have:]
}

// complete hands the message to the publisher. shared, if not nil, is what body
// lies in.
func (ch *channel) complete(body []byte, shared *wire.Body) error {
	a := &ch.asm
	a.phase, a.body, a.shared = atMethod, nil, nil
	view, err := wire.ScanProperties(a.props)
	if err != nil {
		return err
	}
	ch.touch()
	a.stored = atMethod // the publisher looks into store until its Flush, before which keep does not write
	return ch.publisher.Publish(a.pub, a.props, view, body, shared)
}

// keep copies what came of the message out of the read buffer. It is called at
// the end of a read, after the publisher's Flush.
func (a *assembly) keep() {
	if a.phase == atMethod || a.stored == a.phase {
		return
	}
	n, exchange := len(a.pub.Route), len(a.pub.Exchange)
	a.store = append(a.store[:0], a.pub.Route...)
	if a.phase == atBody {
		a.store = append(a.store, a.props...)
		a.props = a.store[n:]
	}
	a.stored = a.phase
	a.pub.Route = a.store[:n:n]
	a.pub.Exchange = a.store[1 : 1+exchange]
	a.pub.RoutingKey = a.store[2+exchange : n]
}

// Return sends basic.return: a mandatory message that reached no queue.
func (ch *channel) Return(code wire.Code, text string, c queue.Content) {
	exchange, key := wire.SplitRoute(c.Route)
	o := ch.conn.out
	s := o.lock()
	defer o.unlock()
	if ch.muted {
		return
	}
	s.method(ch.id, &wire.BasicReturn{
		ReplyCode: uint16(code), ReplyText: text, Exchange: string(exchange), RoutingKey: string(key),
	})
	c.Shared = nil
	s.content(ch.id, &c, o.frameMax)
}
