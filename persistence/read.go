package persistence

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	headGuess  = 64        // a head of one ref, with a short attr, is shorter
	mergeGap   = 16 << 10  // records this near to each other are read together
	mergeBytes = 256 << 10 // as long as it does not become more than this
)

// Read appends the payload of the record at pos to dst, from memory or from
// disk. ErrMoved: the record was copied forward or is gone; look its position
// up again. *CorruptionError: it cannot be read, nor can it later.
func (l *Log) Read(pos uint64, size uint32, dst []byte) ([]byte, error) {
	if out, ok := l.tail.payload(pos, size, dst); ok {
		return out, nil
	}
	s, file, err := l.acquire(pos)
	if err != nil {
		return dst, err
	}
	defer l.files.release(s)
	at := len(dst)
	n := headGuess + int(size)
	for {
		dst = slices.Grow(dst[:at], n)[:at+n]
		got, err := readSome(file, dst[at:], int64(offsetOf(pos)))
		if err != nil {
			return dst[:at], fmt.Errorf("read %s: %w", segmentName(s.number), err)
		}
		b := dst[at : at+got]
		length, _, bad := frame(b)
		if bad == nil && int(length)+int(size) > n {
			n = int(length) + int(size)
			continue
		}
		payload, err := payloadOf(b, size)
		if err != nil {
			return dst[:at], l.corrupt(s, pos, err)
		}
		return dst[:at+copy(dst[at:], payload)], nil
	}
}

// acquire returns the segment that pos lies in, with its file open.
func (l *Log) acquire(pos uint64) (*segment, File, error) {
	l.mu.Lock()
	s := l.segs.at(segmentOf(pos))
	l.mu.Unlock()
	if s == nil {
		return nil, nil, ErrMoved
	}
	file, err := l.files.acquire(s)
	return s, file, err
}

func (l *Log) corrupt(s *segment, pos uint64, err error) error {
	return &CorruptionError{File: segmentName(s.number), Offset: int64(offsetOf(pos)), Reason: err.Error()}
}

var (
	errNoStore = errors.New("no record of that size begins here")
	errBodySum = errors.New("checksum of the payload does not match")
)

// payloadOf checks the record at the start of b and returns its payload.
func payloadOf(b []byte, size uint32) ([]byte, error) {
	length, kind, err := frame(b)
	if err != nil {
		return nil, err
	}
	if kind != kindStore || length < storeFixed || uint64(length)+uint64(size) > uint64(len(b)) ||
		binary.LittleEndian.Uint32(b[headFixed:]) != size {
		return nil, errNoStore
	}
	if checksum(b[4:length]) != binary.LittleEndian.Uint32(b) {
		return nil, errBadSum
	}
	payload := b[length:][:size]
	if checksum(payload) != binary.LittleEndian.Uint32(b[headFixed+4:]) {
		return nil, errBodySum
	}
	return payload, nil
}

// readSome reads as much of b as the file has.
func readSome(f File, b []byte, off int64) (int, error) {
	n, err := f.ReadAt(b, off)
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// ReadBatch calls visit with the payload of each record, in order; a payload is
// valid during the call. Neighbours are read together, up to 256 KiB at once, so
// positions should ascend. dst is the buffer to use; it may be nil. The first
// error ends it: Read's errors, for the record after the last one visited.
func (l *Log) ReadBatch(pos []uint64, size []uint32, dst []byte, visit func(i int, payload []byte)) error {
	for i := 0; i < len(pos); {
		if out, ok := l.tail.payload(pos[i], size[i], dst[:0]); ok {
			dst = out
			visit(i, out)
			i++
			continue
		}
		n, buf, err := l.readRun(pos[i:], size[i:], dst, func(k int, p []byte) { visit(i+k, p) })
		dst = buf
		if err != nil {
			return err
		}
		i += n
	}
	return nil
}

// readRun reads the first record and the ones after it that are near enough.
func (l *Log) readRun(pos []uint64, size []uint32, dst []byte, visit func(k int, payload []byte)) (int, []byte, error) {
	n, octets := run(pos, size)
	if n == 1 {
		return l.readOne(pos[0], size[0], dst, visit)
	}
	s, file, err := l.acquire(pos[0])
	if err != nil {
		return 0, dst, err
	}
	defer l.files.release(s)
	dst = slices.Grow(dst[:0], octets)[:octets]
	got, err := readSome(file, dst, int64(offsetOf(pos[0])))
	if err != nil {
		return 0, dst, fmt.Errorf("read %s: %w", segmentName(s.number), err)
	}
	for k := range n {
		at := min(pos[k]-pos[0], uint64(got))
		payload, err := payloadOf(dst[at:got], size[k])
		if err != nil && k > 0 { // perhaps a long head at the end of the run
			return k, dst, nil
		}
		if err != nil {
			return l.readOne(pos[0], size[0], dst, visit)
		}
		visit(k, payload)
	}
	return n, dst, nil
}

func (l *Log) readOne(pos uint64, size uint32, dst []byte, visit func(k int, payload []byte)) (int, []byte, error) {
	out, err := l.Read(pos, size, dst[:0])
	if err == nil {
		visit(0, out)
	}
	return 1, out, err
}

// run tells how many of the records lie near enough to each other to be read
// at once, and how many octets that takes.
func run(pos []uint64, size []uint32) (n, octets int) {
	end := pos[0] + headGuess + uint64(size[0])
	for n = 1; n < len(pos); n++ {
		p := pos[n]
		last := p + headGuess + uint64(size[n])
		if p <= pos[n-1] || p > end+mergeGap || segmentOf(p) != segmentOf(pos[0]) || last-pos[0] > mergeBytes {
			break
		}
		end = max(end, last)
	}
	return n, int(end - pos[0])
}
