package persistence

import (
	"encoding/binary"
	"sort"
	"sync"
	"sync/atomic"
)

const (
	firstChunk = 32 << 10  // an idle log keeps little memory
	fullChunk  = 256 << 10 // chunks double up to this
	maxFree    = 8         // recycled chunks kept
)

// chunk is a stretch of the newest part of the log in memory. An append lies
// in one chunk and one segment as a whole. Octets below used never change,
// except those of a COMMIT record, which only the committer looks at.
type chunk struct {
	base uint64 // position of buf[0]
	buf  []byte
	used atomic.Int64
}

func (c *chunk) end() uint64 { return c.base + uint64(c.used.Load()) }

// tail keeps the chunks, ascending by position: those not yet written always,
// written ones up to a number of octets, so that consumers which keep up never
// read the disk. Log.mu is held by whoever appends; mu guards the list.
type tail struct {
	mu     sync.RWMutex
	chunks []*chunk
	free   []*chunk
	held   int64 // octets of all chunks in the list
	keep   int64 // how many written ones may stay
	next   int   // capacity of the next chunk
}

// room returns the chunk to append n octets to, whose base and position are
// those of pos when it is a new one.
func (t *tail) room(n int, pos uint64) *chunk {
	if len(t.chunks) > 0 { // only appenders change the list's end, and they hold Log.mu
		c := t.chunks[len(t.chunks)-1]
		if c.end() == pos && len(c.buf)-int(c.used.Load()) >= n {
			return c
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.take(n)
	c.base = pos
	c.used.Store(0)
	t.chunks = append(t.chunks, c)
	t.held += int64(len(c.buf))
	return c
}

func (t *tail) take(n int) *chunk {
	if last := len(t.free) - 1; last >= 0 && n <= fullChunk {
		c := t.free[last]
		t.free = t.free[:last]
		return c
	}
	size := max(t.next, firstChunk)
	t.next = min(2*size, fullChunk)
	return &chunk{buf: make([]byte, max(n, size))}
}

// evict drops the oldest chunks that end at or below written, as long as more
// than keep octets are held. Log.mu is held. The last chunk stays, because
// there is room in it, unless one large append filled it.
func (t *tail) evict(written uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for n < len(t.chunks) && t.held > t.keep && t.chunks[n].end() <= written {
		c := t.chunks[n]
		if n == len(t.chunks)-1 && len(c.buf) <= fullChunk {
			break
		}
		t.held -= int64(len(c.buf))
		if len(t.free) < maxFree && len(c.buf) == fullChunk {
			t.free = append(t.free, c)
		}
		n++
	}
	if n > 0 {
		rest := copy(t.chunks, t.chunks[n:])
		clear(t.chunks[rest:])
		t.chunks = t.chunks[:rest]
	}
}

// find returns the chunk that holds pos, or nil. mu is held.
func (t *tail) findLocked(pos uint64) *chunk {
	i := sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].base > pos }) - 1
	if i < 0 || pos >= t.chunks[i].end() {
		return nil
	}
	return t.chunks[i]
}

// payload appends to dst the payload of the record at pos.
func (t *tail) payload(pos uint64, size uint32, dst []byte) ([]byte, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	c := t.findLocked(pos)
	if c == nil {
		return dst, false
	}
	b := c.buf[pos-c.base : c.used.Load()]
	length, kind, err := frame(b)
	if err != nil || kind != kindStore || uint64(len(b)) < uint64(length)+uint64(size) ||
		binary.LittleEndian.Uint32(b[headFixed:]) != size {
		return dst, false
	}
	return append(dst, b[length:][:size]...), true
}

// span returns the chunks that hold the positions from..to. The committer uses
// it: what it asks for is unwritten, hence cannot be evicted under its hands.
func (t *tail) span(from, to uint64, out []*chunk) []*chunk {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i := sort.Search(len(t.chunks), func(i int) bool { return t.chunks[i].end() > from })
	for ; i < len(t.chunks) && t.chunks[i].base < to; i++ {
		out = append(out, t.chunks[i])
	}
	return out
}
