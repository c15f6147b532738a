package queue

import "github.com/leveretmq/leveret/amqp/wire"

const (
	chunkSmall = 4 << 10 // the first chunk of an empty arena
	chunkLarge = 64 << 10
	adoptMin   = 16 << 10 // a body from here on is kept by reference if it may be
)

// arena keeps the contents that are not in the log. Contents are appended to
// chunks; a chunk is given back when nothing in it is live, so a queue in order
// gives back its oldest chunk as it drains. The chunk being filled is last.
type arena struct {
	chunks window[*chunk]
	last   uint64 // number of the newest chunk
	live   int64  // octets of live contents
	held   int64  // octets of chunks
	mem    *Memory
}

// chunk is a stretch of contents, or one large body that was adopted with the
// rest of its message in buf.
type chunk struct {
	buf  []byte
	used int
	live int
	body *wire.Body // adopted
}

// size is the memory that k holds.
func (k *chunk) size() int64 {
	if k.body != nil {
		return int64(len(k.buf) + len(k.body.Octets()))
	}
	return int64(len(k.buf))
}

func (a *arena) init(mem *Memory) { a.mem = mem }

// put stores c and returns its location.
func (a *arena) put(c *Content) uint64 {
	size := c.payloadSize()
	if c.Shared != nil && len(c.Body) >= adoptMin {
		head := c.appendHead(make([]byte, 0, size-len(c.Body)))
		return a.add(&chunk{buf: head, used: len(head), body: c.Shared.Retain()}, size)
	}
	k := a.current()
	if k == nil || k.used+size > len(k.buf) {
		k = a.room(size)
	}
	at := k.used
	head := c.appendHead(k.buf[at:at])
	k.used += len(head) + copy(k.buf[at+len(head):], c.Body)
	k.live++
	a.live += int64(size)
	return a.loc(at)
}

// add appends a chunk that holds one message only.
func (a *arena) add(k *chunk, size int) uint64 {
	a.push(k)
	k.live = 1
	a.live += int64(size)
	return a.loc(0)
}

func (a *arena) push(k *chunk) {
	if k := a.current(); k != nil && k.live == 0 {
		a.release(a.last, k)
	}
	a.last++
	a.chunks.set(a.last, k)
	a.held += k.size()
}

func (a *arena) loc(at int) uint64 {
	return locArena | a.last&(1<<chunkBits-1)<<32 | uint64(at)
}

// current is the newest chunk unless that is full by nature.
func (a *arena) current() *chunk {
	if p := a.chunks.at(a.last); p != nil && *p != nil && (*p).body == nil {
		return *p
	}
	return nil
}

// room adds a chunk with room for size octets.
func (a *arena) room(size int) *chunk {
	var k *chunk
	switch {
	case size > chunkLarge:
		k = &chunk{buf: make([]byte, size)}
	case a.live == 0 && size <= chunkSmall:
		k = a.mem.chunk(chunkSmall)
	default:
		k = a.mem.chunk(chunkLarge)
	}
	a.push(k)
	return k
}

// number turns the low bits in loc back into a chunk's number: the newest with
// those bits.
func (a *arena) number(loc uint64) uint64 {
	const mask = 1<<chunkBits - 1
	return a.last - (a.last-loc>>32)&mask
}

// at returns views of the contents at loc.
func (a *arena) at(loc uint64, size uint32) Content {
	k := *a.chunks.at(a.number(loc))
	if k.body != nil {
		c := ParseContent(k.buf)
		c.Body, c.Shared = k.body.Octets(), k.body
		return c
	}
	at := uint32(loc)
	return ParseContent(k.buf[at : at+size])
}

// free forgets the contents at loc. The chunk being filled starts over when it
// is empty, and a large one then goes back: an idle queue keeps a small one.
func (a *arena) free(loc uint64, size uint32) {
	n := a.number(loc)
	k := *a.chunks.at(n)
	k.live--
	a.live -= int64(size)
	switch {
	case k.live > 0:
	case n != a.last || len(k.buf) != chunkSmall || k.body != nil:
		a.release(n, k)
	default:
		k.used = 0
	}
}

func (a *arena) release(n uint64, k *chunk) {
	a.chunks.drop(n)
	a.held -= k.size()
	a.mem.giveChunk(k)
}

// sparse says that most of the chunks' octets are dead: a few messages that
// nobody settles keep their chunks.
func (a *arena) sparse() bool { return a.held > 1<<20 && a.held > 8*a.live }

// giveAll gives back every chunk of an arena whose contents were copied out.
func (a *arena) giveAll() {
	for n, ok := a.chunks.next(1); ok; n, ok = a.chunks.next(n + 1) {
		a.release(n, *a.chunks.at(n))
	}
}
