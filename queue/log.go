package queue

import "time"

// Clock is the time a queue lives by.
type Clock interface {
	// Now carries a monotonic reading, so that a step of the wall clock
	// expires nothing early.
	Now() time.Time
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// Log is the node's shared log, the message store of durable queues.
type Log interface {
	// Begin starts an append that one goroutine fills and commits.
	Begin() Append
	// Cached appends the payload at pos to dst if it is still in memory. It
	// never waits; it is called under the queue's mutex.
	Cached(pos uint64, size uint32, dst []byte) ([]byte, bool)
	// Read appends the payload at pos to dst; it may read the disk. Any error
	// makes the queue look the position up again, for the record may have moved.
	Read(pos uint64, size uint32, dst []byte) ([]byte, error)
	// ReadBatch reads many payloads, neighbours at once. visit is called for
	// each one that was read; the payload is valid during the call. An error
	// leaves the rest unvisited.
	ReadBatch(pos []uint64, size []uint32, dst []byte, visit func(i int, payload []byte)) error
}

// Append is one atomic append to the log: after a crash all or nothing of it
// is there.
type Append interface {
	// Store adds one record for the queues refs names, as pairs of (queue id,
	// sequence number), and returns its offset from the position Commit returns.
	Store(refs []uint64, flags uint8, attr, route, props, body []byte) uint64
	// Fact notes x and y about a queue, see the Fact constants.
	Fact(kind uint8, group, x, y uint64)
	// Release says that one reference to the record at pos is gone.
	Release(pos uint64, size uint32)
	// Commit never waits for the disk. Nothing of the append is used afterwards.
	Commit() (base uint64)
}

// Facts about a queue in the log.
const (
	FactSettle    = 1 // messages x to y are gone
	FactCut       = 2 // messages up to x are gone
	FactReturn    = 3 // message x came back y times, or was just delivered; y 0: all up to x may have been
	FactTombstone = 4 // the queue is deleted
	FactSent      = 5 // messages x to x+y were sent to consumers, and their queue counts returns
)

// Flags of a stored record.
const (
	FlagVolatile  = 1 << 0 // gone at the next start, never synced for a confirm
	FlagDelivered = 1 << 1 // was delivered before it was stored
)

// Host is the broker as its queues see it. All methods are called under a
// queue's mutex: they note and return, and never call the queue.
type Host interface {
	// Outside says that q has work for the broker: call q.TakeOutside later,
	// until it returns nothing.
	Outside(q *Queue)
	// Arm asks for q.Tick at that time, in place of the time asked for before;
	// the zero time asks for none.
	Arm(q *Queue, at time.Time)
	// Fetch asks for one call of q.PageIn on a goroutine that may wait for the disk.
	Fetch(q *Queue)
}
