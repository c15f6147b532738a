package queue

import (
	"encoding/binary"

	"github.com/leveretmq/leveret/amqp/wire"
)

// A location says where the contents of a message are:
//
//	0...          a position in the log (never 0)
//	10 chunk:30 offset:32   in the queue's arena
//	11 number:62  in the batch that is being applied: one of its messages
//
// A pending location never outlives the batch that made it.
const (
	locArena   = 1 << 63
	locPending = 1<<63 | 1<<62
	locKind    = locPending
	chunkBits  = 30
)

func inLog(loc uint64) bool     { return loc&locArena == 0 }
func inArena(loc uint64) bool   { return loc&locKind == locArena }
func isPending(loc uint64) bool { return loc&locKind == locPending }

// Content is a message as the wire brought it: views that whoever keeps them
// copies, except a Body that is Shared.
type Content struct {
	Route  []byte // exchange and routing key, each an AMQP short string
	Props  []byte // property flags and list
	Body   []byte
	Shared *wire.Body // not nil: Body is its octets, kept with a reference and no copy
}

// payloadSize is the length of c as it is stored: route, a little-endian u32
// with the length of the properties, properties, body.
func (c *Content) payloadSize() int { return c.headSize() + len(c.Body) }

// headSize is what of it is not body.
func (c *Content) headSize() int { return len(c.Route) + 4 + len(c.Props) }

// appendHead appends the stored form without the body.
func (c *Content) appendHead(dst []byte) []byte {
	dst = append(dst, c.Route...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(c.Props)))
	return append(dst, c.Props...)
}

// ParseContent splits a payload as the log stores it (route, little-endian u32
// length of the properties, properties, body) into views. What does not parse comes back as
// the zero Content: the log has checked the record, so that is a defect.
func ParseContent(payload []byte) Content {
	n := routeLen(payload)
	if n == 0 || len(payload) < n+4 {
		return Content{}
	}
	p := n + 4 + int(binary.LittleEndian.Uint32(payload[n:]))
	if p < n+4 || p > len(payload) {
		return Content{}
	}
	return Content{Route: payload[:n:n], Props: payload[n+4 : p : p], Body: payload[p:]}
}

// routeLen is the length of the two short strings at the start of b, 0 when
// they are cut off.
func routeLen(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	n := 1 + int(b[0])
	if n >= len(b) {
		return 0
	}
	n += 1 + int(b[n])
	if n > len(b) {
		return 0
	}
	return n
}
