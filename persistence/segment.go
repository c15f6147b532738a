package persistence

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

const (
	logDir      = "log"
	headerSize  = 4096 // a page of its own: no later write touches the header's sectors
	trailerSize = 56

	headerMagic  = "LvrtSegm"
	trailerMagic = "LvrtFoot"
	segVersion   = 1

	minSegment = 1 << 20
	// maxSegment keeps offsets within the low half of a position.
	maxSegment = 1<<32 - 1<<16
)

// position of an octet: segment number in the high, offset in the low half.
func position(number uint64, off uint32) uint64 { return number<<32 | uint64(off) }

func segmentOf(pos uint64) uint64 { return pos >> 32 }

func offsetOf(pos uint64) uint32 { return uint32(pos) }

func segmentName(number uint64) string { return fmt.Sprintf("%s/%016x.seg", logDir, number) }

func spareName(number uint64) string { return fmt.Sprintf("%s/spare-%016x.seg", logDir, number) }

// parseName reads the name of a file in the log folder.
func parseName(name string) (number uint64, spare, ok bool) {
	base, found := strings.CutSuffix(name, ".seg")
	base, spare = strings.CutPrefix(base, "spare-")
	if !found || len(base) != 16 {
		return 0, false, false
	}
	number, err := strconv.ParseUint(base, 16, 64)
	return number, spare, err == nil
}

// segment is one file of the log and what is known about it. The counters are
// guarded by Log.mu; file and size change hands with it (see prepare.go).
type segment struct {
	number uint64
	salt   uint64
	size   int64  // planned size of the file
	end    uint32 // end of the last batch
	sealed bool   // the footer is on disk: nothing is written any more
	stuck  bool   // it could not be read when it was to be reclaimed

	used   int64  // octets of all stores, heads included
	shares int64  // the same octets, once per ref (by payload size + shareHead)
	live   int64  // what is left of shares
	footer uint32 // octets of footer and trailer, once sealed

	file handle
}

// shareHead stands for the head of a record in the live counters, where only
// the payload size is known.
const shareHead = 32

func share(size uint32) int64 { return int64(size) + shareHead }

// liveBytes estimates the octets of records that are needed still: the share
// of refs that are live, of the octets stored. It is exact when the records of
// a segment have one ref each; else it may err either way until the record is
// copied forward, because the copy has only its live refs.
func (s *segment) liveBytes() int64 {
	if s.live <= 0 || s.shares <= 0 {
		return 0
	}
	return int64(float64(s.used) * (float64(s.live) / float64(s.shares)))
}

// enlarge plans for at least size octets, in whole pages.
func (s *segment) enlarge(size int64) {
	s.size = max(s.size, (size+headerSize-1)/headerSize*headerSize)
}

func newHeader(number, salt uint64) []byte {
	b := make([]byte, headerSize)
	le := binary.LittleEndian
	copy(b, headerMagic)
	le.PutUint32(b[8:], segVersion)
	le.PutUint64(b[16:], number)
	le.PutUint64(b[24:], salt)
	le.PutUint32(b[32:], checksum(b[:32]))
	return b
}

// parseHeader returns the salt of the segment that b is the header of.
func parseHeader(b []byte, number uint64) (salt uint64, reason string) {
	le := binary.LittleEndian
	switch {
	case len(b) < headerSize:
		return 0, "segment header is truncated"
	case string(b[:8]) != headerMagic || le.Uint32(b[32:]) != checksum(b[:32]):
		return 0, "segment header is damaged"
	case le.Uint32(b[8:]) != segVersion:
		return 0, fmt.Sprintf("segment version %d is not known", le.Uint32(b[8:]))
	case le.Uint64(b[16:]) != number:
		return 0, fmt.Sprintf("segment header carries number %d", le.Uint64(b[16:]))
	}
	return le.Uint64(b[24:]), ""
}

// trailer is the last thing in the file of a sealed segment.
type trailer struct {
	number, salt uint64
	prev         uint64 // end of the batch before the segment's first
	length, sum  uint32 // of the footer, which ends where the trailer begins
	count        uint32 // entries in the footer
	end          uint32 // end of the last batch
	flags        uint32
}

// trailerSalvaged: something before or in this segment was lost and an operator
// said to go on; the chain of batches is not checked across its end.
const trailerSalvaged = 1

func (t *trailer) append(dst []byte) []byte {
	le := binary.LittleEndian
	at := len(dst)
	dst = append(dst, trailerMagic...)
	for _, v := range [...]uint64{t.number, t.salt, t.prev} {
		dst = le.AppendUint64(dst, v)
	}
	for _, v := range [...]uint32{t.length, t.sum, t.count, t.end, t.flags} {
		dst = le.AppendUint32(dst, v)
	}
	return le.AppendUint32(dst, checksum(dst[at:]))
}

func (t *trailer) parse(b []byte) bool {
	le := binary.LittleEndian
	if len(b) != trailerSize || string(b[:8]) != trailerMagic || le.Uint32(b[52:]) != checksum(b[:52]) {
		return false
	}
	*t = trailer{
		number: le.Uint64(b[8:]), salt: le.Uint64(b[16:]), prev: le.Uint64(b[24:]),
		length: le.Uint32(b[32:]), sum: le.Uint32(b[36:]), count: le.Uint32(b[40:]),
		end: le.Uint32(b[44:]), flags: le.Uint32(b[48:]),
	}
	return true
}
