package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/leveretmq/leveret/amqp/wire"
)

// frameHead is the length of what stands before a frame's payload.
const frameHead = wire.FrameOverhead - 1

// maxMethod bounds the memory taken for a method or header frame, whatever its
// size field claims.
const maxMethod = 16 << 20

// frame is one frame as it lies in the scanner's buffer; data is valid until
// the next call. Of a body that is not all there yet, data is only the
// beginning (at least the stamp, if the frame is long enough).
type frame struct {
	kind    byte
	channel uint16
	size    int
	data    []byte
}

// A scanner takes frames off a stream and parses them in place. Bodies are not
// kept: what follows the stamp is skipped as it arrives, so that a buffer
// smaller than a body is enough. It is used by one goroutine.
type scanner struct {
	src  io.Reader
	buf  []byte
	r, w int
	skip int // octets of a body frame, with its end octet, that are to come
	// before and after run around every read of src: while it waits, nothing
	// may be held back.
	before, after func() error
}

func newScanner(src io.Reader, size int) *scanner {
	nothing := func() error { return nil }
	return &scanner{src: src, buf: make([]byte, size), before: nothing, after: nothing}
}

// next waits for a frame.
func (s *scanner) next() (frame, error) {
	if s.skip > 0 {
		if err := s.discard(); err != nil {
			return frame{}, err
		}
	}
	if s.w-s.r < frameHead {
		if err := s.fill(frameHead); err != nil {
			return frame{}, err
		}
	}
	b := s.buf[s.r:s.w]
	f := frame{kind: b[0], channel: binary.BigEndian.Uint16(b[1:]), size: int(binary.BigEndian.Uint32(b[3:]))}
	if len(b) < f.size+wire.FrameOverhead {
		return s.partial(f)
	}
	f.data = b[frameHead : frameHead+f.size]
	s.r += f.size + wire.FrameOverhead
	return f, checkEnd(b[frameHead+f.size], f.kind)
}

// partial is next for a frame that is not wholly in the buffer.
func (s *scanner) partial(f frame) (frame, error) {
	need := frameHead + min(f.size, StampSize)
	if f.kind != wire.FrameBody || f.size <= StampSize {
		need = f.size + wire.FrameOverhead
	}
	if need > maxMethod {
		return frame{}, fmt.Errorf("the broker sent a frame of type %d with %d octets", f.kind, f.size)
	}
	if s.w-s.r < need {
		if err := s.fill(need); err != nil {
			return frame{}, err
		}
	}
	b := s.buf[s.r:s.w]
	if whole := f.size + wire.FrameOverhead; len(b) >= whole {
		f.data = b[frameHead : whole-1]
		s.r += whole
		return f, checkEnd(b[whole-1], f.kind)
	}
	f.data = b[frameHead:]
	s.skip = f.size + wire.FrameOverhead - len(b)
	s.r = s.w
	return f, nil
}

// discard drops the rest of a body frame; the last octet is its end.
func (s *scanner) discard() error {
	for {
		n := min(s.skip, s.w-s.r)
		s.r += n
		s.skip -= n
		if s.skip == 0 {
			return checkEnd(s.buf[s.r-1], wire.FrameBody)
		}
		if err := s.fill(1); err != nil {
			return err
		}
	}
}

// fill reads until n octets are in the buffer, which grows if it must.
func (s *scanner) fill(n int) error {
	if s.r > 0 {
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	}
	if n > len(s.buf) {
		s.buf = append(s.buf, make([]byte, n-len(s.buf))...)
	}
	for s.w < n {
		if err := s.read(); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) read() error {
	if err := s.before(); err != nil {
		return err
	}
	n, err := s.src.Read(s.buf[s.w:])
	s.w += n
	if err2 := s.after(); err2 != nil {
		return err2
	}
	switch {
	case n > 0:
		return nil // an error comes again with the next read
	case errors.Is(err, io.EOF):
		return errDropped
	}
	return err
}

// errDropped is a connection that ended without connection.close.
var errDropped = errors.New("the broker dropped the connection without connection.close")

func checkEnd(end, kind byte) error {
	if end != wire.FrameEnd {
		return fmt.Errorf("the broker sent a frame of type %d that ends with %#x", kind, end)
	}
	return nil
}
