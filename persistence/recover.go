package persistence

import (
	"fmt"
	"slices"
)

// list finds the segments, ascending, and takes the spares into the pool.
func (r *recovery) list() ([]uint64, error) {
	f := &r.log.files
	names, err := f.fs.ReadDir(logDir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, name := range names {
		n, isSpare, ok := parseName(name)
		switch {
		case !ok:
		case isSpare:
			f.pool.serial = max(f.pool.serial, n)
			file, err := f.fs.OpenFile(spareName(n), false)
			if err != nil {
				return nil, err
			}
			size, err := file.Size()
			if err != nil {
				return nil, err
			}
			f.pool.list = append(f.pool.list, spare{name: spareName(n), size: size, file: file})
		default:
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// found is a segment as recovery sees it.
type found struct {
	*segment
	file   File
	foot   []byte
	first  uint64 // prev of its first batch
	flags  uint32
	count  uint32 // entries in foot
	filled bool   // there is a batch in it
}

// segment reads one segment and hands its records to the owner.
func (r *recovery) segment(n uint64) error {
	segs := &r.log.segs
	for len(segs.all) > 0 && n != segs.active().number+1 {
		missing := segs.active().number + 1
		if err := r.salvage(&CorruptionError{File: segmentName(missing), Reason: "segment is missing"}); err != nil {
			return err
		}
		if err := r.placeholder(missing); err != nil {
			return err
		}
	}
	s := &found{segment: &segment{number: n}}
	file, err := r.log.files.fs.OpenFile(segmentName(n), false)
	if err != nil {
		return err
	}
	s.file = file
	err = r.read(s)
	if bad, ok := err.(*CorruptionError); ok {
		file.Close()
		if err := r.salvage(bad); err != nil {
			return err
		}
		return r.setAside(n)
	}
	if err != nil {
		file.Close()
		return err
	}
	return r.take(s)
}

// take lets a segment that could be read enter the log.
func (r *recovery) take(s *found) error {
	l := r.log
	l.segs.push(s.segment)
	s.segment.file = handle{file: s.file, users: 1, ready: true, ahead: s.size}
	if s.sealed {
		l.files.unpin(s.segment)
	}
	if s.filled && s.first != r.end && !r.broken && s.flags&trailerSalvaged == 0 {
		if err := r.gap(s); err != nil {
			return err
		}
	}
	r.last = s
	if s.filled {
		r.end, r.broken = position(s.number, s.end), false
	}
	r.broken = r.broken || s.flags&trailerSalvaged != 0
	if !s.sealed {
		r.scanned = append(r.scanned, s)
	}
	if err := r.replay(s); err != nil {
		return r.salvage(&CorruptionError{File: segmentName(s.number), Reason: err.Error()})
	}
	return nil
}

// gap is called at a segment that does not continue where the one before ends.
func (r *recovery) gap(s *found) error {
	err := r.salvage(&CorruptionError{
		File: segmentName(segmentOf(r.end)), Offset: int64(offsetOf(r.end)),
		Reason: fmt.Sprintf("the log goes on in %s, but what stood between is gone", segmentName(s.number)),
	})
	if err != nil || r.last == nil {
		return err
	}
	r.last.flags |= trailerSalvaged // for the next start
	if r.last.sealed {
		r.last.sealed = false
		r.scanned = append(r.scanned, r.last)
		r.last.file, err = r.log.files.acquire(r.last.segment)
	}
	return err
}

// read fills in s from its file: from the footer when there is a sound one,
// else by going over all batches.
func (r *recovery) read(s *found) error {
	name := segmentName(s.number)
	size, err := s.file.Size()
	if err != nil {
		return err
	}
	s.size = size
	b, err := readAll(s.file, 0, headerSize)
	if err != nil {
		return err
	}
	salt, reason := parseHeader(b, s.number)
	if reason != "" {
		return &CorruptionError{File: name, Reason: reason}
	}
	s.salt = salt
	sealed, err := s.readFooter()
	if err != nil || sealed {
		return err
	}
	return r.scan(s)
}

// readFooter tells whether there is a sound footer.
func (s *found) readFooter() (bool, error) {
	at := s.size - trailerSize
	if at < headerSize {
		return false, nil
	}
	b, err := readAll(s.file, at, trailerSize)
	if err != nil {
		return false, err
	}
	var t trailer
	if !t.parse(b) || t.number != s.number || t.salt != s.salt ||
		int64(t.length) > at-headerSize || int64(t.end) > at {
		return false, nil
	}
	foot, err := readAll(s.file, at-int64(t.length), int64(t.length))
	if err != nil {
		return false, err
	}
	if checksum(foot) != t.sum {
		return false, nil
	}
	s.foot, s.first, s.end, s.flags, s.count = foot, t.prev, t.end, t.flags, t.count
	s.sealed, s.footer, s.filled = true, t.length+trailerSize, t.end > headerSize
	return true, nil
}

// scan reads a segment without a footer. What follows its last sound batch is
// a torn tail, never confirmed, unless a COMMIT behind it claims that the place
// had been synced: then confirmed data is damaged.
func (r *recovery) scan(s *found) error {
	sc := scan{window: window{file: s.file, size: s.size}, number: s.number, salt: s.salt}
	if err := sc.run(); err != nil {
		return err
	}
	for {
		lost, resume, err := r.hole(&sc)
		if err != nil {
			return err
		}
		if !lost {
			break
		}
		bad := &CorruptionError{File: segmentName(s.number), Offset: int64(sc.end),
			Reason: "a batch that was synced is damaged"}
		if !r.log.o.Salvage {
			return bad
		}
		r.salvage(bad)
		s.flags |= trailerSalvaged
		if resume == 0 {
			break
		}
		if err := sc.resume(resume); err != nil {
			return err
		}
	}
	s.foot, s.first, s.end = sc.foot.buf, sc.first, sc.end
	s.filled = sc.batches > 0
	s.count = sc.foot.count
	return nil
}

// hole asks whether confirmed data is missing behind the last sound batch, and
// where the next batch begins that can be read.
func (r *recovery) hole(sc *scan) (lost bool, resume uint32, err error) {
	var starts []uint32
	err = sc.later(sc.end, func(c commit, at uint32) bool {
		lost = lost || c.synced > position(sc.number, sc.end)
		if r.log.o.Salvage && c.start > sc.end && c.start < at {
			starts = append(starts, c.start)
		}
		return !lost || r.log.o.Salvage
	})
	if err != nil || !lost {
		return lost, 0, err
	}
	for _, start := range starts {
		if _, after, err := sc.batch(start); err != nil || after != 0 {
			return lost, start, err
		}
	}
	return lost, 0, nil
}

// resume goes on scanning at a batch behind a hole.
func (s *scan) resume(start uint32) error {
	for {
		c, after, err := s.batch(start)
		if err != nil || after == 0 {
			return err
		}
		if s.batches == 0 {
			s.first = c.prev
		}
		s.accept(after)
		start = after
	}
}

// replay hands the records of a segment to the owner.
func (r *recovery) replay(s *found) error {
	l := r.log
	owner := l.o.Owner
	f := newFooterReader(s.foot)
	var h head
	for {
		off, more, err := f.read(&h)
		if !more {
			return err
		}
		if h.kind == kindStore {
			r.stored(s.segment, off, &h)
			continue
		}
		if l.orphans.groups != nil {
			l.orphans.apply(&h)
		}
		if h.kind == KindSettle {
			owner.Settled(h.group, h.a, h.b)
		} else {
			owner.Fact(h.kind, h.group, h.a, h.b)
		}
	}
}

func (r *recovery) stored(s *segment, off uint32, h *head) {
	l := r.log
	if h.flags&FlagVolatile != 0 && h.term != l.o.Incarnation {
		return
	}
	s.used += int64(h.length + h.size)
	s.shares += int64(h.count) * share(h.size)
	pos := position(s.number, off)
	if h.refs == nil {
		if !l.o.Owner.Stored(pos, h.size, h.flags, h.group, h.a, h.attr) {
			l.orphans.put(h.group, h.a, place{pos, h.size})
		}
		return
	}
	h.eachRef(func(group, index uint64) {
		if !l.o.Owner.Stored(pos, h.size, h.flags, group, index, h.attr) {
			l.orphans.put(group, index, place{pos, h.size})
		}
	})
}

// count sets the live counters, once everything has been replayed.
func (r *recovery) count() {
	l := r.log
	l.eachLive(func(pos uint64, size uint32) {
		if s := l.segs.at(segmentOf(pos)); s != nil {
			s.live += share(size)
		}
	})
}
