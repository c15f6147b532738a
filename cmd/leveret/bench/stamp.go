package bench

import "encoding/binary"

// StampSize is the length of the stamp at the start of a body.
const StampSize = 24

// stamp identifies one message: the seq-th of a stream, which is one routing
// key of one producer of one run. Layout, big-endian: run u32, producer u16,
// stream u16, seq u64, time i64 in nanoseconds since 1970.
type stamp struct {
	run              uint32
	producer, stream uint16
	seq              uint64
	time             int64
}

func (s stamp) put(b []byte) {
	_ = b[StampSize-1]
	binary.BigEndian.PutUint32(b, s.run)
	binary.BigEndian.PutUint16(b[4:], s.producer)
	binary.BigEndian.PutUint16(b[6:], s.stream)
	putStamp(b, s.seq, s.time)
}

// putStamp sets what changes from message to message.
func putStamp(b []byte, seq uint64, time int64) {
	_ = b[StampSize-1]
	binary.BigEndian.PutUint64(b[8:], seq)
	binary.BigEndian.PutUint64(b[16:], uint64(time))
}

func readStamp(b []byte) stamp {
	_ = b[StampSize-1]
	return stamp{
		run:      binary.BigEndian.Uint32(b),
		producer: binary.BigEndian.Uint16(b[4:]),
		stream:   binary.BigEndian.Uint16(b[6:]),
		seq:      binary.BigEndian.Uint64(b[8:]),
		time:     int64(binary.BigEndian.Uint64(b[16:])),
	}
}
