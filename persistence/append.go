package persistence

import "fmt"

// Append gathers records that enter the log together: after a crash all of
// them are there or none. It is used by one goroutine at a time and goes back
// to the log with Commit.
type Append struct {
	log      *Log
	buf      []byte
	heads    int64 // octets of heads: bounds what the footer takes
	used     int64
	shares   int64
	firm     bool // something in it must be synced by itself in the end
	released []release
}

// release is the live share given back in one segment.
type release struct {
	number uint64
	bytes  int64
}

// maxPooled bounds the buffer that a pooled Append keeps.
const maxPooled = 1 << 20

// Begin returns an empty Append. From the first one on the owner is asked to
// relocate records: it has the log in its hands then.
func (l *Log) Begin() *Append {
	if !l.begun.Load() {
		l.begun.Store(true)
		l.wakeCleaner()
	}
	return l.pool.Get().(*Append)
}

// Store adds a record for the (group, index) pairs in refs. Its payload is
// route | u32 length of props | props | body. flags beyond FlagVolatile and attr
// are the owner's; both come back at recovery. The result is relative: the
// record's position is it plus what Commit returns.
func (a *Append) Store(refs []uint64, flags uint8, attr, route, props, body []byte) (rel uint64) {
	r := record{refs: refs, flags: flags, attr: attr, route: route, props: props, body: body}
	if flags&FlagVolatile != 0 {
		r.term = a.log.o.Incarnation
	} else {
		a.firm = true
	}
	at := len(a.buf)
	var headLen int
	a.buf, headLen = appendStore(a.buf, &r)
	a.account(len(a.buf)-at, headLen, len(refs)/2)
	return uint64(at)
}

// copy adds a record as Store does, with a payload that was stored before.
func (a *Append) copy(r *record, payload []byte, bodySum uint32) (rel uint64) {
	a.firm = true
	at := len(a.buf)
	var headLen int
	a.buf, headLen = appendCopy(a.buf, r, payload, bodySum)
	a.account(len(a.buf)-at, headLen, len(r.refs)/2)
	return uint64(at)
}

func (a *Append) account(octets, headLen, refs int) {
	a.heads += int64(headLen)
	a.used += int64(octets)
	a.shares += int64(refs) * share(uint32(octets-headLen))
}

// Fact adds a fact about earlier records: see the Kind constants.
func (a *Append) Fact(kind uint8, group, x, y uint64) {
	if kind == 0 || kind > kindMaxFact {
		panic(fmt.Sprintf("persistence: no fact has kind %d", kind))
	}
	at := len(a.buf)
	a.buf = appendFact(a.buf, kind, group, x, y)
	a.heads += int64(len(a.buf) - at)
	a.firm = true
}

// Release tells that one ref of the record at pos, with size octets of payload,
// is needed no more. It only moves a counter, by which the log knows when
// reclaiming a segment pays; nothing is written. A ref that Owner.Relocate moved
// is released by the log itself.
func (a *Append) Release(pos uint64, size uint32) {
	n := segmentOf(pos)
	if i := len(a.released) - 1; i >= 0 && a.released[i].number == n {
		a.released[i].bytes += share(size)
		return
	}
	a.released = append(a.released, release{n, share(size)})
}

// Commit puts the records into the log and returns the position to which the
// results of Store are relative. It copies them into memory and never waits for
// the disk: Notify tells when they are durable. The Append must not be used
// afterwards. Without records nothing is written and the result is 0.
func (a *Append) Commit() (base uint64) {
	base = a.log.append(a)
	a.recycle()
	return base
}

func (a *Append) recycle() {
	if cap(a.buf) > maxPooled {
		a.buf = nil
	}
	*a = Append{log: a.log, buf: a.buf[:0], released: a.released[:0]}
	a.log.pool.Put(a)
}

func (l *Log) append(a *Append) (base uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(a.buf)
	if !l.dead {
		l.releaseLocked(a.released)
	}
	if n == 0 {
		return 0
	}
	if l.dead {
		return l.skipLocked(n)
	}
	active := l.segs.active()
	if !l.fitsLocked(active, n, a.heads) {
		if active = l.rollLocked(n, a.heads); active == nil {
			return l.skipLocked(n)
		}
	}
	base = l.end
	c := l.tail.room(n, base)
	at := c.used.Load()
	copy(c.buf[at:], a.buf)
	c.used.Store(at + int64(n))
	l.end += uint64(n)
	l.footRoom += a.heads
	l.unwritten += int64(n)
	l.backlog.Add(int64(n))
	active.used += a.used
	active.shares += a.shares
	active.live += a.shares
	l.armLocked(a.firm)
	if l.unwritten > writeAt {
		l.kickLocked()
	}
	return base
}

// skipLocked gives out positions after the log has died, so that its users can
// go on until somebody stops them. Nothing is kept.
func (l *Log) skipLocked(n int) (base uint64) {
	if uint64(offsetOf(l.end))+uint64(n) > maxSegment {
		l.end = position(segmentOf(l.end)+1, headerSize)
	}
	base = l.end
	l.end += uint64(min(n, maxSegment/2))
	return base
}

func (l *Log) fitsLocked(s *segment, n int, heads int64) bool {
	return int64(offsetOf(l.end))+segmentNeed(n, l.footRoom+heads) <= s.size
}

// segmentNeed is the room that n octets of records take with all that must
// follow them in the same segment.
func segmentNeed(n int, footer int64) int64 {
	return int64(n) + commitSize + footer + trailerSize
}

// rollLocked ends the active segment and makes the next one active. Its file
// may not exist yet: the committer sees to that before it writes there. nil
// means that no segment can be large enough, and that the log has died of it.
func (l *Log) rollLocked(n int, heads int64) *segment {
	need := headerSize + segmentNeed(n, heads)
	if need > maxSegment {
		l.failLocked(fmt.Errorf("append of %d octets is larger than a segment can be", n))
		return nil
	}
	old := l.segs.active()
	if offsetOf(l.end) == headerSize {
		old.enlarge(need)
		return old
	}
	l.closeBatchLocked()
	old.end = offsetOf(l.end)
	l.batches = append(l.batches, batch{seg: old, start: l.end, end: l.end, last: true})
	s := l.next
	if s == nil {
		s = l.planLocked()
	}
	l.next = nil
	s.enlarge(need)
	l.segs.push(s)
	l.end = position(s.number, headerSize)
	l.start = l.end
	l.footRoom = 0
	l.kickLocked()
	l.wakeCleaner()
	return s
}

// closeBatchLocked ends the open batch with room for its COMMIT record, which
// the committer fills in.
func (l *Log) closeBatchLocked() {
	if l.end == l.start {
		return
	}
	c := l.tail.room(commitSize, l.end)
	c.used.Add(commitSize)
	l.end += commitSize
	l.batches = append(l.batches, batch{seg: l.segs.active(), start: l.start, end: l.end})
	l.start = l.end
	l.unwritten += commitSize
	l.backlog.Add(commitSize)
}

func (l *Log) releaseLocked(rs []release) {
	for _, r := range rs {
		s := l.segs.at(r.number)
		if s == nil {
			continue
		}
		s.live -= r.bytes
		l.released += r.bytes
		if s.live <= 0 && s.sealed && s.number == l.segs.first {
			l.wakeCleaner()
		}
	}
	if l.released > l.segs.active().size/8 {
		l.released = 0
		l.wakeCleaner()
	}
}
