package conformance

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// Frame types and the end octet (AMQP 0-9-1 section 4.2.3).
const (
	frameMethod    = 1
	frameHeader    = 2
	frameBody      = 3
	frameHeartbeat = 8
	frameEnd       = 0xCE

	frameHead     = 7
	frameOverhead = frameHead + 1
	frameMinSize  = 4096
	// The tune frame may leave frames unlimited; no dialogue has larger ones.
	frameCeiling = 16 << 20
)

type frame struct {
	kind    uint8
	channel uint16
	payload []byte
}

// append adds the frame with the given end octet, which is wrong on purpose in
// some scenarios.
func (f frame) append(dst []byte, end byte) []byte {
	dst = append(dst, f.kind)
	dst = binary.BigEndian.AppendUint16(dst, f.channel)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(f.payload)))
	dst = append(dst, f.payload...)
	return append(dst, end)
}

// errProtocolHeader carries the eight octets of a protocol header, which a
// server sends in place of a frame when it does not speak the client's version.
type errProtocolHeader [8]byte

func (e errProtocolHeader) Error() string { return fmt.Sprintf("protocol header %x", e[:]) }

// readFrame reads one frame of at most max octets in all; max 0 means that the
// size was tuned to unlimited.
func readFrame(r *bufio.Reader, max uint32) (frame, error) {
	head, err := r.Peek(frameHead)
	if err != nil {
		return frame{}, err
	}
	if string(head[:4]) == "AMQP" {
		var h errProtocolHeader
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return frame{}, err
		}
		return frame{}, h
	}
	f := frame{kind: head[0], channel: binary.BigEndian.Uint16(head[1:])}
	size := binary.BigEndian.Uint32(head[3:])
	if max == 0 {
		max = frameCeiling
	}
	if size > max-frameOverhead {
		return f, faultf("frame of %d octets is longer than frame-max %d", uint64(size)+frameOverhead, max)
	}
	rest := make([]byte, frameHead+size+1)
	if _, err := io.ReadFull(r, rest); err != nil {
		return f, err
	}
	if end := rest[len(rest)-1]; end != frameEnd {
		return f, faultf("frame ends with octet %02x, not ce", end)
	}
	f.payload = rest[frameHead : len(rest)-1]
	return f, nil
}

// A fault is something no scenario can expect: octets that do not decode.
type fault string

func (f fault) Error() string { return string(f) }

func faultf(format string, args ...any) error { return fault(fmt.Sprintf(format, args...)) }
