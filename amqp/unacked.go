package amqp

import "sort"

// held is a delivery that waits for its acknowledgement: who delivered it under
// which id. State is free once it is settled.
type held struct {
	tag   uint64
	id    uint64
	slot  uint32
	state heldState
}

type heldState uint32

const (
	free heldState = iota
	open
	inTx // settled in a transaction that is not committed
)

// unacked holds the un-acknowledged deliveries of a channel by delivery tag: a
// ring whose tags rise, mostly without gaps. Tags of deliveries that need no
// acknowledgement are counted and not held.
type unacked struct {
	last uint64 // the last tag given
	ring []held // length a power of two
	head int
	n    int // entries from head, the free ones among them included
	live int // entries that are not free
}

func (u *unacked) at(i int) *held { return &u.ring[(u.head+i)&(len(u.ring)-1)] }

// tag gives the next delivery tag.
func (u *unacked) tag() uint64 {
	u.last++
	return u.last
}

// push gives the next tag to a delivery that has to be acknowledged.
func (u *unacked) push(slot uint32, id uint64) uint64 {
	if u.n == len(u.ring) {
		u.makeRoom()
	}
	u.n++
	u.live++
	*u.at(u.n - 1) = held{tag: u.tag(), id: id, slot: slot, state: open}
	return u.last
}

const leastRing = 16

// makeRoom drops the settled entries, or doubles the ring when it has few: one
// message that is never acknowledged does not make it grow.
func (u *unacked) makeRoom() {
	size := len(u.ring)
	if u.live > size/2 || size == 0 {
		size = max(2*size, leastRing)
	}
	ring := make([]held, size)
	n := 0
	for i := range u.n {
		if e := u.at(i); e.state != free {
			ring[n] = *e
			n++
		}
	}
	u.ring, u.head, u.n = ring, 0, n
}

// find returns the index of the entry with tag, -1 when there is none. Without
// gaps it is found at once: an entry is never further from the head than its
// tag.
func (u *unacked) find(tag uint64) int {
	if u.n == 0 || tag < u.at(0).tag {
		return -1
	}
	high := u.n - 1
	if d := tag - u.at(0).tag; d < uint64(high) {
		high = int(d)
	}
	if u.at(high).tag == tag {
		return high
	}
	i := sort.Search(high, func(i int) bool { return u.at(i).tag >= tag })
	if i < high && u.at(i).tag == tag {
		return i
	}
	return -1
}

// span returns the entries that a settlement means: from, and to inclusive.
// RabbitMQ: tag 0 with multiple means all, also none; otherwise the tag itself
// has to be open.
func (u *unacked) span(tag uint64, multiple bool) (from, to int, ok bool) {
	if tag == 0 && multiple {
		return 0, u.n - 1, true
	}
	i := u.find(tag)
	if i < 0 || u.at(i).state != open {
		return 0, 0, false
	}
	if multiple {
		return 0, i, true
	}
	return i, i, true
}

// drop makes an entry free.
func (u *unacked) drop(e *held) {
	e.state = free
	u.live--
}

// trim gives up the free entries at the head.
func (u *unacked) trim() {
	for u.n > 0 && u.at(0).state == free {
		u.head = (u.head + 1) & (len(u.ring) - 1)
		u.n--
	}
	if u.n == 0 && len(u.ring) > 4096 {
		u.ring, u.head = nil, 0 // a burst is over
	}
}
