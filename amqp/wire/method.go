package wire

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// Method is one of the generated method structs, by pointer.
type Method interface {
	// ID gives class and method number.
	ID() (class, method uint16)
	// Name is e.g. "queue.declare".
	Name() string
	// HasContent says whether a content header follows.
	HasContent() bool
	// Append adds the encoded arguments to dst.
	Append(dst []byte) []byte
	decode(d *decoder)
}

// MethodError is a method frame whose arguments do not decode: 501, named by
// the method's own numbers.
type MethodError struct {
	Reply         *Error
	Class, Method uint16
}

// Error is the reply text.
func (e *MethodError) Error() string { return e.Reply.Error() }

// Unwrap gives the reply error.
func (e *MethodError) Unwrap() error { return e.Reply }

// MethodID gives the class and method number of a method frame's payload
// without looking at the arguments.
func MethodID(payload []byte) (class, method uint16, ok bool) {
	if len(payload) < 4 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(payload), binary.BigEndian.Uint16(payload[2:]), true
}

// MethodName is the name for a class and method number, "none" when no method
// has them.
func MethodName(class, method uint16) string {
	if m := newMethod(uint32(class)<<16 | uint32(method)); m != nil {
		return m.Name()
	}
	return "none"
}

// ParseMethod decodes a method frame's payload into a new struct. Errors:
// *Error 501 for a payload without numbers or a short string that is not UTF-8
// (RabbitMQ names no method then), ErrUnknownMethod, ErrBadTable, and
// *MethodError for arguments too short or too long, as RabbitMQ has them.
func ParseMethod(payload []byte) (Method, error) {
	class, method, ok := MethodID(payload)
	if !ok {
		return nil, unknownFrame(FrameMethod, payload)
	}
	m := newMethod(uint32(class)<<16 | uint32(method))
	if m == nil {
		return nil, ErrUnknownMethod
	}
	d := decoder{b: payload[4:]}
	m.decode(&d)
	if d.err != nil || len(d.b) > 0 {
		return nil, undecodable(payload)
	}
	if d.bad != nil {
		return nil, d.bad
	}
	return m, nil
}

func undecodable(payload []byte) error {
	class, method, ok := MethodID(payload)
	if !ok {
		return unknownFrame(FrameMethod, payload)
	}
	return &MethodError{Errorf(FrameError, "cannot decode %s", octets(payload[4:])), class, method}
}

func unknownFrame(kind uint8, payload []byte) *Error {
	return badFrame(kind, payload, "unknown_frame")
}

// badFrame is RabbitMQ's text for a frame that it cannot use. Its line breaks
// in long texts are left out.
func badFrame(kind uint8, payload []byte, reason string) *Error {
	extent := "all"
	if len(payload) > 16 {
		extent, payload = "first 16", payload[:16]
	}
	return Errorf(FrameError, "type %d, %s octets = %s: %s", kind, extent, snippet(payload), reason)
}

// snippet prints text as a string and everything else as octets.
func snippet(b []byte) string {
	for _, c := range b {
		if (c < ' ' || c > '~') && c != '\t' && c != '\n' && c != '\r' {
			return octets(b)
		}
	}
	if len(b) == 0 {
		return "<<>>"
	}
	return "<<" + strconv.Quote(string(b)) + ">>"
}

// octets prints b in Erlang's notation, as RabbitMQ's texts have it. It stops
// where the reply text is full whatever follows.
func octets(b []byte) string {
	const most = 128
	var s strings.Builder
	s.WriteString("<<")
	for i, v := range b[:min(len(b), most)] {
		if i > 0 {
			s.WriteByte(',')
		}
		s.WriteString(strconv.Itoa(int(v)))
	}
	s.WriteString(">>")
	return s.String()
}

// AppendMethod adds m's whole frame.
func AppendMethod(dst []byte, ch uint16, m Method) []byte {
	class, method := m.ID()
	dst, at := beginFrame(dst, FrameMethod, ch)
	dst = appendShort(appendShort(dst, class), method)
	return endFrame(m.Append(dst), at)
}

// Publish is basic.publish as views into the frame. Route is exchange and
// routing key as the two short strings they came as.
type Publish struct {
	Exchange, RoutingKey, Route []byte
	Mandatory, Immediate        bool
}

// IsPublish and IsAck tell the hot methods from a method frame's payload.
func IsPublish(payload []byte) bool {
	return len(payload) >= 4 && binary.BigEndian.Uint32(payload) == 60<<16|40
}

// IsAck says whether payload is basic.ack.
func IsAck(payload []byte) bool {
	return len(payload) >= 4 && binary.BigEndian.Uint32(payload) == 60<<16|80
}

// ParsePublish reads a method frame's payload that IsPublish; nothing is
// copied.
func ParsePublish(payload []byte) (Publish, error) {
	var p Publish
	if len(payload) < 7 {
		return p, undecodable(payload)
	}
	b := payload[6:] // after the numbers and reserved-1, once the access ticket
	n := int(b[0]) + 1
	if len(b) < n+1 {
		return p, undecodable(payload)
	}
	k := int(b[n]) + 1
	if len(b) != n+k+1 {
		return p, undecodable(payload)
	}
	p.Exchange, p.RoutingKey, p.Route = b[1:n], b[n+1:n+k], b[:n+k]
	p.Mandatory, p.Immediate = b[n+k]&1 != 0, b[n+k]&2 != 0
	return p, nil
}

// ParseAck reads a method frame's payload that IsAck.
func ParseAck(payload []byte) (tag uint64, multiple bool, err error) {
	if len(payload) != 13 {
		return 0, false, undecodable(payload)
	}
	return binary.BigEndian.Uint64(payload[4:]), payload[12]&1 != 0, nil
}

// AppendDeliver adds basic.deliver's whole frame; route is exchange and
// routing key as AppendRoute writes them.
func AppendDeliver(dst []byte, ch uint16, consumerTag string, tag uint64, redelivered bool, route []byte) []byte {
	dst, at := beginFrame(dst, FrameMethod, ch)
	dst = append(dst, 0, 60, 0, 60)
	dst = appendShortstr(dst, consumerTag)
	dst = binary.BigEndian.AppendUint64(dst, tag)
	var r byte
	if redelivered {
		r = 1
	}
	dst = append(append(dst, r), route...)
	return endFrame(dst, at)
}

// AppendAck adds basic.ack's whole frame.
func AppendAck(dst []byte, ch uint16, tag uint64, multiple bool) []byte {
	return appendSettle(dst, ch, 80, tag, multiple)
}

// AppendNack adds basic.nack's whole frame as a broker sends it: a publish
// that was not taken, never to be requeued.
func AppendNack(dst []byte, ch uint16, tag uint64, multiple bool) []byte {
	return appendSettle(dst, ch, 120, tag, multiple)
}

func appendSettle(dst []byte, ch uint16, method byte, tag uint64, multiple bool) []byte {
	dst, at := beginFrame(dst, FrameMethod, ch)
	dst = append(dst, 0, 60, 0, method)
	dst = binary.BigEndian.AppendUint64(dst, tag)
	return endFrame(appendBits(dst, multiple), at)
}

// AppendRoute adds exchange and routing key as two short strings.
func AppendRoute(dst []byte, exchange, routingKey string) []byte {
	return appendShortstr(appendShortstr(dst, exchange), routingKey)
}

// SplitRoute gives the two strings of a route; both are empty when it is
// malformed.
func SplitRoute(route []byte) (exchange, routingKey []byte) {
	d := decoder{b: route}
	exchange, routingKey = d.shortstrView(), d.shortstrView()
	if d.err != nil {
		return nil, nil
	}
	return exchange, routingKey
}
