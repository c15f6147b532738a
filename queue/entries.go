package queue

import "math"

// entry is one message in its queue: 16 octets without a pointer, so that ten
// million of them are 160 MB that the garbage collector never looks at.
type entry struct {
	loc  uint64 // where the contents are, see loc.go
	size uint32 // octets of route + properties' length + properties + body
	meta uint32 // status and marks
}

// Status of an entry: the low two bits of meta. Bits 8 to 15 are the priority,
// bits 16 to 31 the octets of the payload that are not body.
const (
	statusFree    = 0 // no message: never stored or settled
	statusReady   = 1
	statusHeld    = 2 // checked out to a consumer
	statusLeaving = 3 // dead-lettered and not yet settled, or withheld as unreadable
	statusMask    = 3

	markPersistent = 1 << 2 // must survive a restart of a durable queue
	markDelivered  = 1 << 3 // a sink took it once: the next delivery is redelivered
	markTimed      = 1 << 4 // has a deadline
	markCounted    = 1 << 5 // came back to a counting queue
	markWaiting    = 1 << 7 // of a leaving one: it waits to be delivered again
	markOut        = 1 << 6 // as the log has it, was sent and neither came back nor ended
)

const (
	priorityShift = 8

	headShift = 16
	headMax   = 1<<16 - 1 // of a larger head, the rest counts as body
)

// headMark is what the meta of an entry says about its payload's head.
func headMark(octets int) uint32 { return uint32(min(octets, headMax)) << headShift }

// bodySize is what a message counts for x-max-length-bytes (RabbitMQ: octets of
// the body only).
func bodySize(size, meta uint32) int64 { return int64(size) - int64(meta>>headShift) }

func (e *entry) priority() uint8 { return uint8(e.meta >> priorityShift) }

func (e *entry) body() int64 { return bodySize(e.size, e.meta) }

const (
	blockShift = 7
	blockLen   = 1 << blockShift // entries of a block
	blockMask  = blockLen - 1
)

// noDeadline is later than every deadline.
const noDeadline = math.MaxInt64

type (
	block     [blockLen]entry
	deadlines [blockLen]int64 // nanoseconds since the queue's epoch
)

// slot is one block of the index; deadlines exist only when an entry of the
// block has one.
type slot struct {
	block     *block
	deadlines *deadlines
	live      int
}

// index maps sequence numbers to entries. Numbers start at 1 and never repeat.
// A block is given back as soon as all its messages are gone.
type index struct {
	slots window[slot]
	tail  uint64 // next number
	mem   *Memory
}

func (x *index) init(mem *Memory) { x.tail, x.mem = 1, mem }

// entry returns the live entry of seq or nil.
func (x *index) entry(seq uint64) *entry {
	s := x.slots.at(seq >> blockShift)
	if s == nil || s.block == nil {
		return nil
	}
	e := &s.block[seq&blockMask]
	if e.meta&statusMask == statusFree {
		return nil
	}
	return e
}

// push stores e under the next number.
func (x *index) push(e entry, deadline int64) (seq uint64, at *entry) {
	seq = x.tail
	x.tail++
	at = x.put(seq, e, deadline)
	if seq&blockMask == 0 {
		x.trim(seq>>blockShift - 1)
	}
	return seq, at
}

// put stores e where no message is.
func (x *index) put(seq uint64, e entry, deadline int64) *entry {
	s := x.slots.at(seq >> blockShift)
	if s == nil || s.block == nil {
		x.slots.set(seq>>blockShift, slot{block: x.mem.block()})
		s = x.slots.at(seq >> blockShift)
	}
	s.live++
	if deadline != noDeadline {
		if s.deadlines == nil {
			s.deadlines = x.mem.deadlines()
		}
		s.deadlines[seq&blockMask] = deadline
		e.meta |= markTimed
	}
	at := &s.block[seq&blockMask]
	*at = e
	return at
}

// free removes the entry of seq. The block being filled stays even when empty,
// or a queue of one message at a time would take and give back a block for each.
func (x *index) free(seq uint64) {
	n := seq >> blockShift
	s := x.slots.at(n)
	s.block[seq&blockMask] = entry{}
	s.live--
	if s.live == 0 && n != x.tail>>blockShift {
		x.release(n, s)
	}
}

// trim gives back block n if nothing in it is live.
func (x *index) trim(n uint64) {
	if s := x.slots.at(n); s != nil && s.block != nil && s.live == 0 {
		x.release(n, s)
	}
}

func (x *index) release(n uint64, s *slot) {
	x.mem.giveBlock(s.block)
	x.mem.giveDeadlines(s.deadlines)
	x.slots.drop(n)
}

// deadline returns when the entry expires, noDeadline when never.
func (x *index) deadline(seq uint64, e *entry) int64 {
	if e.meta&markTimed == 0 {
		return noDeadline
	}
	return x.slots.at(seq >> blockShift).deadlines[seq&blockMask]
}

// after returns the lowest number >= seq that may be live: an empty block is
// skipped in one step. ok is false at the end.
func (x *index) after(seq uint64) (uint64, bool) {
	if s := x.slots.at(seq >> blockShift); s != nil && s.block != nil {
		return seq, seq < x.tail
	}
	n, ok := x.slots.next(seq >> blockShift)
	if !ok {
		return x.tail, false
	}
	return max(seq, n<<blockShift), true
}

// nextLive returns the first live entry at or after seq, nil at the end.
func (x *index) nextLive(seq uint64) (uint64, *entry) {
	for seq < x.tail {
		var ok bool
		if seq, ok = x.after(seq); !ok {
			break
		}
		if e := x.entry(seq); e != nil {
			return seq, e
		}
		seq++
	}
	return x.tail, nil
}
