package persistence

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"
)

// The log is circular: only the oldest segment is ever given back, after what
// is alive in it was appended again at the end and synced.
//
// Why facts may die with their segment. A fact is appended while the group is
// locked by its owner, after the records it is about; so of any record and a
// fact about it, the record stands first. Copying forward keeps that: a copy is
// made, under the same lock, only of refs that are alive, that is, about which
// no settle, cut or tombstone has been appended yet; whatever ends them later
// stands behind the copy. So no settle, cut or tombstone in the oldest segment
// is about anything in that segment's future, and everything in its past is in
// that segment too or gone: they die together, at one rename. A return count
// is different: its message lives on. The owner appends it again behind the copy.
//
// Why everything is synced before the rename, even when nothing is alive. What
// ended the records may be in memory still, together with what replaces them (a
// dead-letter settle and its publish are one append). If that were lost after
// the segment is gone, both would be.

// wakeCleaner may be called with Log.mu held.
func (l *Log) wakeCleaner() {
	select {
	case l.work.clean <- struct{}{}:
	default:
	}
}

// cleanLoop prepares segments and reclaims the oldest one when that pays.
func (l *Log) cleanLoop() {
	for {
		var retry <-chan time.Time
		if l.space.isFull() {
			retry = time.After(fullRetry) // room may be made by others
		}
		select {
		case <-l.work.clean:
		case <-retry:
		case <-l.work.stop:
			return
		}
		l.stock()
		for l.begun.Load() && l.reclaim() {
			l.stock()
		}
	}
}

// reclaim frees the oldest segment if it should be. false: nothing was freed.
func (l *Log) reclaim() bool {
	s, alive := l.candidate()
	if s == nil {
		return false
	}
	if alive {
		err := l.evacuate(s)
		if errors.Is(err, ErrClosed) {
			return false
		}
		if err != nil {
			l.keep(s, err)
			return false
		}
	}
	return l.waitSynced() && l.free(s)
}

// keep leaves a segment alone that cannot be read, and with it those behind it:
// space is lost until the next start, but no message.
func (l *Log) keep(s *segment, err error) {
	l.mu.Lock()
	s.stuck = true
	l.mu.Unlock()
	l.o.Logger.LogAttrs(context.Background(), slog.LevelError, "cannot copy the live records of the oldest log segment; the log grows until the next start",
		slog.String("segment", segmentName(s.number)), slog.Any("err", err))
}

// candidate returns the oldest segment when it is to be reclaimed, and whether
// there may be live records in it. It is when nothing in it is alive, and when
// sealed segments use more than twice the octets that are alive: together with
// the active segment, the next one and the reserve the files then take at most
// twice the live octets and four segments.
func (l *Log) candidate() (s *segment, alive bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s = l.segs.all[0]
	if !s.sealed || s.stuck || l.dead {
		return nil, false
	}
	if s.live == 0 {
		return s, false
	}
	n := l.segs.sizes()
	pays := n.sealed > 2*n.live
	if l.space.isFull() {
		pays = pays || n.waste > n.live/8+l.segs.active().size
		// The copies must fit in what is left, or they wait for room for ever.
		pays = pays && s.live < l.leftLocked()
	}
	if !pays {
		return nil, false
	}
	return s, true
}

// leftLocked is what can be appended when no further file can be had.
func (l *Log) leftLocked() int64 {
	left := l.segs.active().size - int64(offsetOf(l.end)) - l.footRoom
	if l.next != nil && l.files.isReady(l.next) {
		left += l.next.size
	}
	return left
}

// waitSynced waits until everything appended so far is synced; false: the log
// has ended.
func (l *Log) waitSynced() bool {
	l.mu.Lock()
	pos := l.end - 1
	l.wantLocked(pos)
	l.mu.Unlock()
	for {
		changed, err := l.space.changed()
		if err != nil {
			return false
		}
		if pos < l.durable.Load() {
			return true
		}
		<-changed
	}
}

// free turns the oldest segment into a spare file.
func (l *Log) free(s *segment) bool {
	l.mu.Lock()
	want := l.sizeAfter(l.segs.active().size)
	l.segs.drop()
	l.mu.Unlock()
	if err := l.files.recycle(s, l.files.drop(s), want); err != nil {
		l.mu.Lock()
		l.failLocked(err)
		l.mu.Unlock()
		return false
	}
	return true
}

// evacuation copies what is alive in a segment to the end of the log.
type evacuation struct {
	log   *Log
	s     *segment
	file  File
	group []survivor // found alive, not copied yet
	refs  []uint64   // of the group, one after another
	buf   []byte
	live  []uint64
	asked uint64                // position of the record that probe is about
	alive bool                  // the answer
	probe func([]uint64) uint64 // made once: it is asked about every record
}

// survivor is one record that was alive a moment ago.
type survivor struct {
	head
	off  uint32
	refs int // how many numbers in evacuation.refs
}

// evacuate copies the live records of the segment forward.
func (l *Log) evacuate(s *segment) error {
	file, err := l.files.acquire(s)
	if err != nil {
		return err
	}
	defer l.files.release(s)
	e := evacuation{log: l, s: s, file: file}
	e.probe = func([]uint64) uint64 {
		e.alive = true
		return e.asked
	}
	foot, err := footerOf(s, file)
	if err != nil {
		return err
	}
	r := newFooterReader(foot)
	for n := 1; ; n++ {
		var h head
		off, more, err := r.read(&h)
		if err != nil {
			return err
		}
		if !more || n%1024 == 0 && l.emptied(s) {
			return e.flush()
		}
		if err := e.consider(off, &h); err != nil {
			return err
		}
	}
}

// footerOf reads the footer of a sealed segment, or makes it again from the
// records.
func footerOf(s *segment, file File) ([]byte, error) {
	f := found{segment: &segment{number: s.number, salt: s.salt, size: s.size}, file: file}
	ok, err := f.readFooter()
	if err != nil || ok {
		return f.foot, err
	}
	sc := scan{window: window{file: file, size: s.size}, number: s.number, salt: s.salt}
	if err := sc.run(); err != nil {
		return nil, err
	}
	if sc.end != s.end {
		return nil, &CorruptionError{File: segmentName(s.number), Offset: int64(sc.end), Reason: "footer and records are damaged"}
	}
	return sc.foot.buf, nil
}

// emptied tells whether nothing is alive in the segment any more. (What is
// waiting in a group still counts as alive.)
func (l *Log) emptied(s *segment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.live == 0 || l.dead
}

// consider adds a record to the group if anything of it is alive. Asking first
// saves reading the dead ones.
func (e *evacuation) consider(off uint32, h *head) error {
	l := e.log
	if h.kind != kindStore || h.flags&FlagVolatile != 0 && h.term != l.o.Incarnation {
		return nil
	}
	if len(e.group) > 0 {
		if first := e.group[0].off; off+h.length+h.size-first > mergeBytes {
			if err := e.flush(); err != nil {
				return err
			}
		}
	}
	at := len(e.refs)
	e.refs = h.appendRefs(e.refs)
	refs := e.refs[at:]
	e.asked = position(e.s.number, off)
	e.live = l.orphans.among(refs, e.asked, e.live[:0])
	if e.alive = len(e.live) > 0; !e.alive {
		l.o.Owner.Relocate(e.asked, refs, e.probe)
	}
	if !e.alive {
		e.refs = e.refs[:at]
		return nil
	}
	e.group = append(e.group, survivor{head: *h, off: off, refs: len(refs)})
	return nil
}

// flush copies the group.
func (e *evacuation) flush() error {
	if len(e.group) == 0 {
		return nil
	}
	first, last := e.group[0], e.group[len(e.group)-1]
	n := int(last.off + last.length + last.size - first.off)
	e.buf = slices.Grow(e.buf[:0], n)[:n]
	got, err := readSome(e.file, e.buf, int64(first.off))
	if err != nil {
		return err
	}
	clear(e.buf[got:])
	refs := e.refs
	for i := range e.group {
		c := &e.group[i]
		b := e.buf[c.off-first.off:][:c.length+c.size]
		e.move(c, refs[:c.refs:c.refs], b[c.length:], bodySumOf(b, c))
		refs = refs[c.refs:]
	}
	e.group, e.refs = e.group[:0], e.refs[:0]
	if e.log.backlog.Load() > backlogMax/2 && !e.log.waitSynced() {
		return ErrClosed
	}
	return nil
}

// bodySumOf returns the payload's checksum as it is to be stored with the copy.
// A damaged record is copied as it is, and stays recognisable as damaged.
func bodySumOf(b []byte, c *survivor) uint32 {
	var h head
	if parseHead(b, &h) == nil && h.kind == kindStore && h.size == c.size {
		return h.bodySum
	}
	return ^checksum(b[c.length:])
}

// move asks the owner again, now with the copy at hand.
func (e *evacuation) move(c *survivor, refs []uint64, payload []byte, bodySum uint32) {
	l := e.log
	pos := position(e.s.number, c.off)
	orphaned := l.orphans.among(refs, pos, nil)
	done := false
	copyTo := func(live []uint64) uint64 {
		done = true
		all := append(slices.Clone(live), orphaned...)
		a := l.Begin()
		rel := a.copy(&record{refs: all, flags: c.flags, term: c.term, attr: c.attr}, payload, bodySum)
		for range len(all) / 2 {
			a.Release(pos, c.size)
		}
		at := a.Commit() + rel
		for i := 0; i < len(orphaned); i += 2 {
			l.orphans.put(orphaned[i], orphaned[i+1], place{at, c.size})
		}
		l.count.relocated.Add(1)
		return at
	}
	l.o.Owner.Relocate(pos, refs, copyTo)
	if !done && len(orphaned) > 0 {
		copyTo(nil)
	}
}
