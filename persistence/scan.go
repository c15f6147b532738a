package persistence

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// window reads a file forward in large pieces.
type window struct {
	file File
	size int64
	buf  []byte
	off  int64 // of buf[0]
}

const windowSize = 1 << 20

// at returns n octets from off on, fewer only at the end of the file. They are
// valid until the next call.
func (w *window) at(off int64, n int) ([]byte, error) {
	n = int(max(0, min(int64(n), w.size-off)))
	if i := off - w.off; i >= 0 && i+int64(n) <= int64(len(w.buf)) {
		return w.buf[i:][:n], nil
	}
	want := int(min(int64(max(n, windowSize)), w.size-off))
	if cap(w.buf) < want {
		w.buf = make([]byte, want)
	}
	w.buf, w.off = w.buf[:want], off
	got, err := w.file.ReadAt(w.buf, off)
	if err != nil && !errors.Is(err, io.EOF) {
		w.buf = w.buf[:0]
		return nil, err
	}
	w.buf = w.buf[:got]
	return w.buf[:min(n, got)], nil
}

// scan goes over the batches of a segment that has no footer and builds one.
type scan struct {
	window
	number, salt uint64
	foot         footer
	first        uint64 // prev of the first batch
	batches      int
	end          uint32 // end of the last sound batch

	heads   []byte   // of the batch being read, one after another
	offsets []uint32 // of its records
	sums    []byte
}

// run reads batches until one is not sound. The error is one of reading.
func (s *scan) run() error {
	s.foot.reset()
	s.end = headerSize
	for {
		c, after, err := s.batch(s.end)
		if err != nil || after == 0 {
			return err
		}
		if s.batches == 0 {
			s.first = c.prev
		}
		s.accept(after)
	}
}

func (s *scan) accept(after uint32) {
	var h head
	b := s.heads
	for _, off := range s.offsets {
		length, kind, _ := frame(b)
		_ = h.decode(b[:length], kind, 0) // was decoded before
		s.foot.add(off, &h)
		b = b[length:]
	}
	s.batches++
	s.end = after
}

// batch reads the batch that begins at start. after is where it ends, 0 when
// there is no sound batch. The heads of its records are in s.heads then.
func (s *scan) batch(start uint32) (c commit, after uint32, err error) {
	s.heads, s.offsets, s.sums = s.heads[:0], s.offsets[:0], s.sums[:0]
	var h head
	for off := start; ; {
		b, err := s.head(off)
		if err != nil || b == nil {
			return c, 0, err
		}
		if c.parse(b) {
			if c.number != s.number || c.salt != s.salt || c.start != start ||
				c.count != uint32(len(s.offsets)) || c.sums != checksum(s.sums) {
				return c, 0, nil
			}
			return c, off + commitSize, nil
		}
		if parseHead(b, &h) != nil || h.kind == kindCommit {
			return c, 0, nil
		}
		end := int64(off) + int64(h.length) + int64(h.size)
		if end > s.size {
			return c, 0, nil
		}
		s.heads = append(s.heads, b...)
		s.offsets = append(s.offsets, off)
		s.sums = binary.LittleEndian.AppendUint32(s.sums, h.sum)
		if h.size > 0 {
			sum, err := s.sum(int64(off)+int64(h.length), int64(h.size))
			if err != nil || sum != h.bodySum {
				return c, 0, err
			}
		}
		off = uint32(end)
	}
}

// head returns the octets of the record head at off, nil when there is none.
func (s *scan) head(off uint32) ([]byte, error) {
	b, err := s.at(int64(off), headFixed)
	if err != nil {
		return nil, err
	}
	length, _, bad := frame(b)
	if bad != nil || int64(off)+int64(length) > s.size {
		return nil, nil
	}
	return s.at(int64(off), int(length))
}

func (s *scan) sum(off, n int64) (uint32, error) {
	var sum uint32
	for n > 0 {
		b, err := s.at(off, int(min(n, windowSize)))
		if err != nil {
			return 0, err
		}
		if len(b) == 0 {
			return ^sum, nil
		}
		sum = crc32.Update(sum, castagnoli, b)
		off, n = off+int64(len(b)), n-int64(len(b))
	}
	return sum, nil
}

// later looks for COMMIT records of this segment's life behind off. They are
// found by their salt, whatever is damaged before them. visit ends the search
// by returning false.
func (s *scan) later(off uint32, visit func(c commit, at uint32) bool) error {
	var salt [8]byte
	binary.LittleEndian.PutUint64(salt[:], s.salt)
	for at := int64(off); at < s.size; {
		b, err := s.at(at, windowSize)
		if err != nil {
			return err
		}
		i := bytes.Index(b, salt[:])
		if i < 0 {
			at += int64(max(len(b)-len(salt)+1, 1))
			continue
		}
		place := at + int64(i) - headFixed
		at += int64(i) + 1
		if place < int64(off) {
			continue
		}
		record, err := s.at(place, commitSize)
		if err != nil {
			return err
		}
		var c commit
		if c.parse(record) && c.salt == s.salt && c.number == s.number && !visit(c, uint32(place)) {
			return nil
		}
	}
	return nil
}
