package amqp

import (
	"net"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

const (
	// softLimit is how much may wait for the socket before consumers are
	// refused more deliveries.
	softLimit = 512 << 10
	// hardLimit is how much may wait before the reader stops reading: only
	// answers and gets get past softLimit.
	hardLimit = 2 << 20
	// refSize is from where on a body is written from where it lies and not
	// copied: below, one big write is cheaper than many small pieces.
	refSize = 16 << 10
	// keepSegment bounds the segments kept for reuse.
	keepSegment = 1 << 20
)

// segment is octets on their way to a socket: b, with bodies of others in
// between.
type segment struct {
	b     []byte
	refs  []ref
	kept  []*wire.Body // what refs refer to
	size  int          // of b and all refs
	parts [][]byte     // scratch of writeTo
}

// ref is a piece of a body that goes out before b[at:].
type ref struct {
	at    int
	piece []byte
}

// grown takes b back after something was appended to it.
func (s *segment) grown(b []byte) {
	s.size += len(b) - len(s.b)
	s.b = b
}

// method adds a method frame.
func (s *segment) method(ch uint16, m wire.Method) { s.grown(wire.AppendMethod(s.b, ch, m)) }

// content adds header and body frames; a large body that is shared is referred
// to.
func (s *segment) content(ch uint16, c *queue.Content, frameMax uint32) {
	body := c.Body
	s.grown(wire.AppendHeader(s.b, ch, uint64(len(body)), c.Props))
	if c.Shared == nil || len(body) < refSize {
		s.grown(wire.AppendBody(s.b, ch, body, frameMax))
		return
	}
	s.kept = append(s.kept, c.Shared.Retain())
	most := len(body)
	if frameMax > wire.FrameOverhead {
		most = min(most, int(frameMax-wire.FrameOverhead))
	}
	for len(body) > 0 {
		n := min(len(body), most)
		s.grown(wire.AppendBodyHead(s.b, ch, n))
		s.refs = append(s.refs, ref{len(s.b), body[:n]})
		s.size += n
		s.grown(append(s.b, wire.FrameEnd))
		body = body[n:]
	}
}

// writeTo writes everything.
func (s *segment) writeTo(nc net.Conn) error {
	if len(s.refs) == 0 {
		_, err := nc.Write(s.b)
		return err
	}
	s.parts = s.parts[:0]
	at := 0
	for _, r := range s.refs {
		s.parts = append(s.parts, s.b[at:r.at], r.piece)
		at = r.at
	}
	s.parts = append(s.parts, s.b[at:])
	parts := net.Buffers(s.parts) // WriteTo consumes its receiver, not our slice
	_, err := parts.WriteTo(nc)
	clear(s.parts)
	return err
}

// reset empties s for reuse and lets go of the bodies.
func (s *segment) reset() {
	for _, b := range s.kept {
		b.Release()
	}
	clear(s.refs)
	clear(s.kept)
	s.b, s.refs, s.kept, s.size = s.b[:0], s.refs[:0], s.kept[:0], 0
}
