package wire

import "encoding/binary"

// Frame types and sizes (spec: 4.2.3).
const (
	FrameMethod    = 1
	FrameHeader    = 2
	FrameBody      = 3
	FrameHeartbeat = 8
	FrameEnd       = 0xCE
	// FrameMinSize is the least frame_max that both sides must take.
	FrameMinSize = 4096
	// FrameOverhead is the head's seven octets and the end octet.
	FrameOverhead = 8
)

const classBasic = 60

// beginFrame adds a frame head; the payload's length is put in by endFrame.
func beginFrame(dst []byte, kind byte, ch uint16) (out []byte, at int) {
	return append(dst, kind, byte(ch>>8), byte(ch), 0, 0, 0, 0), len(dst)
}

func endFrame(dst []byte, at int) []byte {
	binary.BigEndian.PutUint32(dst[at+3:], uint32(len(dst)-at-7))
	return append(dst, FrameEnd)
}

// AppendHeartbeat adds a heartbeat frame.
func AppendHeartbeat(dst []byte) []byte {
	return append(dst, FrameHeartbeat, 0, 0, 0, 0, 0, 0, FrameEnd)
}

// Header is a content header. Props is a view: property flags and list.
type Header struct {
	Class, Weight uint16
	BodySize      uint64
	Props         []byte
}

// ParseHeader reads a header frame's payload. Missing property flags are
// found by ScanProperties: RabbitMQ answers them with 541, a shorter header
// with 501.
func ParseHeader(payload []byte) (Header, error) {
	if len(payload) < 12 {
		return Header{}, unknownFrame(FrameHeader, payload)
	}
	return Header{
		Class:    binary.BigEndian.Uint16(payload),
		Weight:   binary.BigEndian.Uint16(payload[2:]),
		BodySize: binary.BigEndian.Uint64(payload[4:]),
		Props:    payload[12:],
	}, nil
}

// AppendHeader adds a whole header frame of class basic.
func AppendHeader(dst []byte, ch uint16, bodySize uint64, props []byte) []byte {
	dst, at := beginFrame(dst, FrameHeader, ch)
	dst = append(dst, 0, classBasic, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, bodySize)
	return endFrame(append(dst, props...), at)
}

// AppendBody adds body in as many frames as frameMax (0: unlimited) asks for;
// none when it is empty.
func AppendBody(dst []byte, ch uint16, body []byte, frameMax uint32) []byte {
	most := len(body)
	if frameMax > FrameOverhead {
		most = min(most, int(frameMax-FrameOverhead))
	}
	for len(body) > 0 {
		n := min(len(body), most)
		dst = AppendBodyHead(dst, ch, n)
		dst = append(append(dst, body[:n]...), FrameEnd)
		body = body[n:]
	}
	return dst
}

// AppendBodyHead adds the seven octets before a body frame's payload, for who
// writes the payload by reference.
func AppendBodyHead(dst []byte, ch uint16, size int) []byte {
	return append(dst, FrameBody, byte(ch>>8), byte(ch), byte(size>>24), byte(size>>16), byte(size>>8), byte(size))
}
