package queue

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// Message is one message on its way into queues. Its views stay valid until
// the batch is committed; one reference to what is Shared goes over to the batch.
type Message struct {
	Content
	Persistent bool
	Priority   uint8
	Again      bool   // the broker's own, e.g. a dead letter: never a duplicate
	Tag        uint32 // the caller's own, see Batch.Refused
	TTL        int64  // milliseconds of its expiration property; negative: none
}

// Options says what a queue is.
type Options struct {
	ID         uint64 // creation index: a queue deleted and re-declared has another
	VHost      string
	Name       string
	Durable    bool
	Exclusive  bool
	AutoDelete bool
	Arguments  Arguments
	Log        Log // nil: memory only
	Clock      Clock
	Host       Host
	Memory     *Memory // shared by the queues of a broker; nil: its own
	// ArenaBytes bounds the bodies kept in memory that are not in the log; what
	// is beyond goes to the log, to be gone at the next start. 0 is 8 MiB.
	ArenaBytes int64
	FreeNacks  bool // basic.nack does not count towards the delivery limit
	// ConsumerTimeout is how long a delivery may be held by whom neither the
	// queue nor the consumer says; 0 is for ever.
	ConsumerTimeout time.Duration
}

const arenaDefault = 8 << 20

// Queue is one queue on this node. All methods may be called from any
// goroutine, except those of the recovery before Restored.
type Queue struct {
	opt    Options
	logged bool                  // persistent messages go to the log
	epoch  time.Time             // zero of the state machine's time
	mark   atomic.Pointer[Batch] // the batch that counts this queue among its own

	mu        sync.Mutex // guards what follows
	settings  Settings
	state     *State
	arena     arena
	consumers []*Consumer // by holder number; nil: free
	pages     pages
	outside   outside
	room      room
	run       span   // settled messages whose fact is not yet in the append
	sent      []span // sent messages of a counting queue whose fact is not yet
	counting  bool   // returns are counted
	plain     bool   // nothing is asked of a message but its size and time
	armed     int64  // when the host was asked to tick, noDeadline when not
	deleted   bool
	counters  Counters
	live      live
}

// New returns an empty queue. A durable one is either new or about to be
// restored: Restore, RestoreSettled and RestoreFact, then Restored.
func New(o Options) *Queue {
	if o.Memory == nil {
		o.Memory = new(Memory)
	}
	if o.ArenaBytes == 0 {
		o.ArenaBytes = arenaDefault
	}
	q := &Queue{opt: o, logged: o.Durable && !o.Exclusive && o.Log != nil, epoch: o.Clock.Now(), armed: noDeadline}
	q.settings = o.Arguments.Settings
	config := q.config()
	q.state = NewState(config, o.Memory, q.admit)
	q.arena.init(o.Memory)
	q.locked(func(w *work) {}) // an expiring queue's lease begins
	return q
}

// ID returns the creation index.
func (q *Queue) ID() uint64 { return q.opt.ID }

// Options returns what the queue was made with.
func (q *Queue) Options() Options { return q.opt }

// Counts returns the numbers that queue.declare-ok and the management API show.
// Unacked includes what waits for a consumer's socket.
func (q *Queue) Counts() (ready, unacked, consumers int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.state.ready, q.state.held, q.state.consumers
}

// Touch renews the lease of an expiring queue: it was declared again.
func (q *Queue) Touch() {
	q.locked(func(w *work) { q.apply(w, &Command{Kind: Touch}) })
}

// Tick lets time pass; the host calls it when armed. It may come early or late.
func (q *Queue) Tick(time.Time) {
	q.locked(func(w *work) {
		q.armed = noDeadline
		q.apply(w, &Command{Kind: Tick, Now: q.time(w)})
	})
}

// admit asks a shared consumer's channel for credit.
func (q *Queue) admit(slot uint32) bool { return q.consumers[slot].opt.Sink.Admit() }

// errMissing is what a client hears that comes too late.
func (q *Queue) errMissing() error {
	return wire.Errorf(wire.NotFound, "no queue '%s' in vhost '%s'", q.opt.Name, q.opt.VHost)
}

// Inequivalent returns the 406 RabbitMQ gives when an existing queue is declared
// with other flags or arguments, nil when they are equivalent.
func (q *Queue) Inequivalent(durable, autoDelete bool, received wire.Table) error {
	at := place{q.opt.VHost, q.opt.Name}
	if durable != q.opt.Durable {
		return at.inequivalentFlag("durable", durable)
	}
	if autoDelete != q.opt.AutoDelete {
		return at.inequivalentFlag("auto_delete", autoDelete)
	}
	return q.opt.Arguments.Inequivalent(q.opt.VHost, q.opt.Name, received)
}
