package persistence

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// batch is a stretch of the log that is written as a whole, its COMMIT record
// included. last batches are empty: they say that the segment ends here.
type batch struct {
	seg        *segment
	start, end uint64
	last       bool
}

type waiter struct {
	pos uint64
	to  interface{ Durable(pos uint64) }
}

// Notify asks for the position to be synced. true: it is already. Else w.Durable
// is called once, with the position up to which everything is synced by then, on
// the committer's goroutine or in Hasten, without any lock that others wait for;
// never after the log died. It must not wait.
func (l *Log) Notify(pos uint64, w interface{ Durable(pos uint64) }) bool {
	if pos < l.durable.Load() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	pos = min(pos, l.end-1) // the end of all there is: what stands before it
	if pos < l.durable.Load() {
		return true
	}
	if !l.dead {
		l.waiters = append(l.waiters, waiter{pos, w})
		l.wantLocked(pos)
	}
	return false
}

func (l *Log) wantLocked(pos uint64) {
	l.wanted = max(l.wanted, min(pos, l.end-1))
	l.kickLocked()
}

func (l *Log) kickLocked() {
	if l.kicked {
		return
	}
	l.kicked = true
	select {
	case l.work.kick <- struct{}{}:
	default:
	}
}

// armLocked starts the timer that bounds how long an append can stay unsynced
// when nobody waits for it. An idle log has no timer running.
func (l *Log) armLocked(firm bool) {
	if !firm {
		return
	}
	l.firm = l.end
	if !l.armed {
		l.armed = true
		l.work.settle.Reset(l.o.SettleSync)
	}
}

func (l *Log) settleDue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
	if l.firm > l.durable.Load() {
		l.wantLocked(l.firm)
	}
}

// quickSync is the time of a sync up to which Hasten does one on its caller's
// goroutine.
const quickSync = time.Millisecond

// committer writes and syncs, on its own goroutine or on that of Hasten, one
// round at a time. Open fills it in before that, Close uses it after.
type committer struct {
	turn     sync.Mutex // held during a round; guards what follows
	log      *Log
	seg      *segment // being written; nil before the first batch
	foot     footer
	prev     uint64 // end of the last batch written
	first    uint64 // prev of the first batch of seg
	taken    int64  // octets written and not synced
	batches  []batch
	chunks   []*chunk
	ready    []waiter
	sums     []byte
	zeros    []byte
	alone    bool // the last sync was quick, and at most one waited for it
	reported bool
}

func (c *committer) run() {
	l := c.log
	for {
		select {
		case <-l.work.kick:
		case <-l.work.stop:
			c.report()
			return
		}
		for c.round(false) {
		}
		c.report()
	}
}

func (c *committer) report() {
	if err := c.log.Err(); err != nil && !c.reported {
		c.reported = true
		c.log.o.OnError(err)
	}
}

// Hasten makes pos durable on the caller's goroutine, which saves two switches
// of threads, if nothing speaks against it: the disk is quick, no other round
// is under way, and nobody has company to share a sync with. false says nothing.
func (l *Log) Hasten(pos uint64) (durable bool) {
	c := l.work.committer
	if !c.turn.TryLock() {
		return false
	}
	defer c.turn.Unlock()
	l.mu.Lock()
	if l.dead || !c.alone || len(l.batches) > 0 || l.segs.active() != c.seg {
		l.mu.Unlock()
		return false
	}
	c.takeLocked()
	c.commit(true)
	return pos < l.durable.Load()
}

// round writes what has come in since the last one and syncs it if somebody
// wants that. false: there was nothing to do.
func (c *committer) round(force bool) bool {
	c.turn.Lock()
	defer c.turn.Unlock()
	l := c.log
	l.mu.Lock()
	l.kicked = false
	want := force || l.wanted >= l.durable.Load() || l.backlog.Load() > backlogMax/2
	if l.dead || !want && l.unwritten < writeAt && len(l.batches) == 0 {
		l.mu.Unlock()
		return false
	}
	c.takeLocked()
	return c.commit(want)
}

// takeLocked takes what is to be written, and unlocks Log.mu.
func (c *committer) takeLocked() {
	l := c.log
	l.closeBatchLocked()
	c.batches, l.batches = l.batches, c.batches[:0]
	l.unwritten = 0
	l.mu.Unlock()
}

// commit writes what was taken and syncs it if that is wanted. It says whether
// there was something, and it is well.
func (c *committer) commit(want bool) bool {
	l := c.log
	worked := len(c.batches) > 0
	err := c.writeAll()
	if err == nil && want && c.taken > 0 {
		worked = true
		err = c.sync()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.failLocked(err)
		return false
	}
	l.tail.evict(c.prev)
	return worked
}

func (c *committer) writeAll() error {
	for _, b := range c.batches {
		if b.seg != c.seg {
			if err := c.open(b.seg); err != nil {
				return err
			}
		}
		var err error
		if b.last {
			err = c.seal(b.seg)
		} else {
			err = c.write(b)
		}
		if err != nil {
			return err
		}
	}
	clear(c.batches)
	return nil
}

// open begins a segment: its file is there, durably, before anything is
// written to it.
func (c *committer) open(s *segment) error {
	c.seg, c.first = s, c.prev
	c.foot.reset()
	return c.log.provide(s)
}

func (c *committer) write(b batch) error {
	l := c.log
	c.chunks = l.tail.span(b.start, b.end, c.chunks[:0])
	footBefore := len(c.foot.buf)
	mark := commit{
		start: offsetOf(b.start), salt: b.seg.salt, number: b.seg.number,
		synced: l.durable.Load(), prev: c.prev,
	}
	heads := c.walk(b, &mark)
	for _, ch := range c.chunks {
		p, at := ch.clip(b.start, b.end)
		if at+uint64(len(p)) == b.end {
			mark.put(p[len(p)-commitSize:])
		}
		if err := b.seg.file.writeAt(p, offsetOf(at)); err != nil {
			return fmt.Errorf("write segment %016x: %w", b.seg.number, err)
		}
	}
	if err := c.writeAhead(b); err != nil {
		return fmt.Errorf("write segment %016x: %w", b.seg.number, err)
	}
	l.count.written.Add(int64(b.end - b.start))
	c.prev = b.end
	c.taken += int64(b.end - b.start)

	l.mu.Lock()
	if l.segs.active() == b.seg {
		l.footRoom += int64(len(c.foot.buf)-footBefore) - heads
	}
	l.mu.Unlock()
	return nil
}

// aheadSize is how far zeros are written beyond a small batch in a file that
// was never written before. One journal entry of the file system then serves
// many syncs: measured with 8 KiB batches, a sync takes half the time.
const aheadSize = 64 << 10

func (c *committer) writeAhead(b batch) error {
	h, end := &b.seg.file, int64(offsetOf(b.end))
	if b.end-b.start >= aheadSize || end <= h.ahead {
		h.ahead = max(h.ahead, end)
		return nil
	}
	h.ahead = min(end+aheadSize, b.seg.size)
	if end >= h.ahead {
		return nil
	}
	return h.writeAt(c.zeros[:h.ahead-end], uint32(end))
}

// walk goes over the records of a batch: it counts them, sums up their
// checksums for the COMMIT record and adds them to the footer. It returns the
// octets of their heads.
func (c *committer) walk(b batch, mark *commit) (heads int64) {
	var h head
	c.sums = c.sums[:0]
	for _, ch := range c.chunks {
		p, at := ch.clip(b.start, b.end-commitSize)
		for len(p) > 0 {
			length, kind, err := frame(p)
			if err == nil {
				err = h.decode(p[:length], kind, binary.LittleEndian.Uint32(p))
			}
			if err != nil {
				panic(fmt.Sprintf("persistence: own record at %x cannot be read: %v", at, err))
			}
			c.sums = binary.LittleEndian.AppendUint32(c.sums, h.sum)
			c.foot.add(offsetOf(at), &h)
			n := int(h.length + h.size)
			p, at = p[n:], at+uint64(n)
			heads += int64(h.length)
			mark.count++
		}
	}
	mark.sums = checksum(c.sums)
	return heads
}

// clip returns the octets of the chunk that lie in from..to, and their position.
func (c *chunk) clip(from, to uint64) (p []byte, at uint64) {
	end := min(c.end(), to)
	at = max(c.base, from)
	if at >= end {
		return nil, at
	}
	return c.buf[at-c.base : end-c.base], at
}

// seal ends a segment with its footer and syncs it, so that only the newest
// segment can have holes after a crash. The records are synced first: a footer
// that survives a crash must not speak of records that did not.
func (c *committer) seal(s *segment) error {
	if c.taken > 0 {
		if err := c.sync(); err != nil {
			return err
		}
	}
	if err := c.writeFooter(s, 0); err != nil {
		return err
	}
	if err := c.sync(); err != nil {
		return err
	}
	c.log.markSealed(s, len(c.foot.buf))
	c.log.files.unpin(s)
	c.seg = nil
	return nil
}

func (l *Log) markSealed(s *segment, footer int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.sealed = true
	s.footer = uint32(footer + trailerSize)
	l.wakeCleaner()
}

// writeFooter puts footer and trailer at the end of the segment's planned size.
func (c *committer) writeFooter(s *segment, flags uint32) error {
	t := trailer{
		number: s.number, salt: s.salt, prev: c.first, end: s.end, flags: flags,
		length: uint32(len(c.foot.buf)), sum: checksum(c.foot.buf), count: c.foot.count,
	}
	n := len(c.foot.buf)
	b := t.append(c.foot.buf)
	c.foot.buf = b[:n]
	c.log.count.written.Add(int64(len(b)))
	if err := s.file.writeAt(b, uint32(s.size-int64(len(b)))); err != nil {
		return fmt.Errorf("write footer of segment %016x: %w", s.number, err)
	}
	return nil
}

// sync makes what was written durable and tells those who wait for it.
func (c *committer) sync() error {
	l := c.log
	began := time.Now()
	if err := c.seg.file.file.Datasync(); err != nil {
		return fmt.Errorf("sync segment %016x: %w", c.seg.number, err)
	}
	quick := time.Since(began) < quickSync
	l.count.syncs.Add(1)
	l.mu.Lock()
	l.durable.Store(c.prev)
	l.backlog.Add(-c.taken)
	c.taken = 0
	c.ready = c.ready[:0]
	rest := l.waiters[:0]
	for _, w := range l.waiters {
		if w.pos < c.prev {
			c.ready = append(c.ready, w)
		} else {
			rest = append(rest, w)
		}
	}
	clear(l.waiters[len(rest):])
	l.waiters = rest
	c.alone = quick && len(c.ready) <= 1
	l.mu.Unlock()
	l.space.wake()
	for _, w := range c.ready {
		w.to.Durable(c.prev)
	}
	clear(c.ready)
	return nil
}
