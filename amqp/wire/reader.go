package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
)

// readSize is the read buffer: bigger gains little, smaller costs much (one
// system call per fill).
const readSize = 64 << 10

// Waiter is a source that can say when it has something to read. A Reader over
// one holds no buffer while it waits, so that idle connections cost little.
type Waiter interface {
	// Wait returns when a read would not wait, or with the error it would give.
	Wait() error
}

// Head begins a frame: its payload of Size octets has to be taken with
// Payload or ReadInto before the next Head.
type Head struct {
	Type    uint8
	Channel uint16
	Size    uint32
}

// Reader takes frames off a stream. It is used by one goroutine.
type Reader struct {
	src      io.Reader
	wait     func() error
	buf      *[readSize]byte
	r, w     int
	head     Head
	frameMax uint32
	spare    []byte // for frames that do not fit in buf
}

// buffers is shared by all Readers of a process: a cache, not state.
var buffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// NewReader makes a Reader whose frames are at most FrameMinSize until
// SetFrameMax.
func NewReader(src io.Reader) *Reader {
	r := &Reader{src: src, frameMax: FrameMinSize}
	if w, ok := src.(Waiter); ok {
		r.wait = w.Wait
	}
	return r
}

// SetFrameMax sets the negotiated frame_max; 0 means unlimited.
func (r *Reader) SetFrameMax(n uint32) { r.frameMax = n }

// Close gives the buffer back.
func (r *Reader) Close() { r.release() }

func (r *Reader) release() {
	if r.buf != nil {
		buffers.Put(r.buf)
		r.buf, r.r, r.w = nil, 0, 0
	}
	r.spare = nil
}

// fill reads until n octets are buffered. Views handed out before are void.
func (r *Reader) fill(n int) error {
	if r.w == r.r && r.wait != nil {
		r.release()
		if err := r.wait(); err != nil {
			return err
		}
	}
	if r.buf == nil {
		r.buf = buffers.Get().(*[readSize]byte)
	}
	if r.r > 0 && r.r+n > readSize || r.r == r.w {
		r.w = copy(r.buf[:], r.buf[r.r:r.w])
		r.r = 0
	}
	m, err := io.ReadAtLeast(r.src, r.buf[r.w:], n-(r.w-r.r))
	r.w += m
	if errors.Is(err, io.EOF) && r.w > r.r {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Peek gives the next n octets (at most 64 KiB) without taking them.
func (r *Reader) Peek(n int) ([]byte, error) {
	if r.w-r.r < n {
		if err := r.fill(n); err != nil {
			return nil, err
		}
	}
	return r.buf[r.r : r.r+n], nil
}

// Skip drops n octets that Peek has shown.
func (r *Reader) Skip(n int) { r.r += n }

// Head waits for a frame's head. A frame above the limit is *Error 501, as
// RabbitMQ's; a timeout leaves what has been read in place, so that Head may be
// called again.
func (r *Reader) Head() (Head, error) {
	b, err := r.Peek(7)
	if err != nil {
		return Head{}, err
	}
	r.head = Head{b[0], binary.BigEndian.Uint16(b[1:]), binary.BigEndian.Uint32(b[3:])}
	// RabbitMQ allows a payload of exactly frame_max octets.
	if r.frameMax > 0 && r.head.Size > r.frameMax {
		return r.head, badFrame(r.head.Type, nil, fmt.Sprintf("{frame_too_large,%d,%d}", r.head.Size, r.frameMax-FrameOverhead))
	}
	r.r += 7
	return r.head, nil
}

// Payload gives the frame's payload; the view holds while Buffered says true.
func (r *Reader) Payload() ([]byte, error) {
	n := int(r.head.Size)
	if n+1 > readSize {
		if cap(r.spare) < n {
			r.spare = make([]byte, n)
		}
		payload := r.spare[:n] // waiting for the end octet may let go of spare
		return payload, r.ReadInto(payload)
	}
	b, err := r.Peek(n + 1)
	if err != nil {
		return nil, cut(err)
	}
	r.r += n + 1
	return b[:n], r.checkEnd(b[n], b[:n])
}

// ReadInto reads the payload into dst, whose length is the frame's Size,
// without passing it through the buffer.
func (r *Reader) ReadInto(dst []byte) error {
	var n int
	if r.buf != nil {
		n = copy(dst, r.buf[r.r:r.w])
		r.r += n
	}
	if n < len(dst) {
		if _, err := io.ReadFull(r.src, dst[n:]); err != nil {
			return cut(err)
		}
	}
	b, err := r.Peek(1)
	if err != nil {
		return cut(err)
	}
	r.r++
	return r.checkEnd(b[0], dst)
}

// cut is err for a stream that ends inside a frame.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *Reader) checkEnd(end byte, payload []byte) error {
	if end == FrameEnd {
		return nil
	}
	return badFrame(r.head.Type, payload, "{invalid_frame_end_marker,"+strconv.Itoa(int(end))+"}")
}

// Buffered says whether a whole frame can be taken without reading the stream.
// While it does, views handed out before stay valid.
func (r *Reader) Buffered() bool {
	have := r.w - r.r
	if have < 7 {
		return false
	}
	size := uint64(binary.BigEndian.Uint32(r.buf[r.r+3:]))
	return uint64(have) >= size+FrameOverhead
}

// UnknownFrame is the error for a frame type that does not exist, or one
// without the payload it must have.
func UnknownFrame(kind uint8, payload []byte) *Error { return unknownFrame(kind, payload) }
