package queue

// Counters are totals since the queue was made.
type Counters struct {
	Published    uint64
	Delivered    uint64 // by consumers and gets, redeliveries included
	NoAck        uint64 // of those, by consumers without acknowledgement
	Got          uint64 // of those, by gets that want one
	GotNoAck     uint64 // of those, by gets that do not
	GotNothing   uint64 // gets from the empty queue, in no other count
	Redelivered  uint64
	Acknowledged uint64
	Settled      uint64 // messages that left: acknowledged, discarded, dropped, expired, purged
	DeadLetters  uint64
	Deduplicated uint64 // publishes that were duplicates
	Corrupt      uint64 // stored bodies that could not be read
}

// Add adds what another queue has counted.
func (c *Counters) Add(o *Counters) {
	c.Published += o.Published
	c.Delivered += o.Delivered
	c.NoAck += o.NoAck
	c.Got += o.Got
	c.GotNoAck += o.GotNoAck
	c.GotNothing += o.GotNothing
	c.Redelivered += o.Redelivered
	c.Acknowledged += o.Acknowledged
	c.Settled += o.Settled
	c.DeadLetters += o.DeadLetters
	c.Deduplicated += o.Deduplicated
	c.Corrupt += o.Corrupt
}

// Stats is a sample of a queue. Octets are of bodies (RabbitMQ); of messages
// that a restart brought back, whose bodies' sizes are kept for a length limit
// only, they may be of route and properties too.
type Stats struct {
	Counters
	Ready, Unacked, Leaving, Consumers int
	Delayed                            int   // wait to be delivered again
	Persistent                         int   // messages that survive a restart
	ReadyBytes                         int64 // of the ready messages
	Bytes                              int64 // of all messages
	PersistentBytes                    int64
	ArenaBytes                         int64 // memory held for bodies
}

// Stats returns a sample for the management API.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.state
	return Stats{Counters: q.counters, Ready: s.ready, Unacked: s.held, Leaving: s.leaving, Consumers: s.consumers, Delayed: s.waiting,
		Persistent: q.live.persistent, ReadyBytes: s.bytes, Bytes: q.live.bytes, PersistentBytes: q.live.persistentBytes, ArenaBytes: q.arena.held}
}

// live sums up the messages of a queue, whatever becomes of them.
type live struct {
	bytes, persistentBytes int64
	persistent             int
}

// add counts a message that came; n is -1 for one that left.
func (l *live) add(n int, size, marks uint32) {
	octets := int64(n) * bodySize(size, marks)
	l.bytes += octets
	if marks&markPersistent != 0 {
		l.persistent += n
		l.persistentBytes += octets
	}
}

// count counts deliveries that c has taken.
func (q *Queue) count(c *Consumer, ds []Delivery) {
	n := uint64(len(ds))
	q.counters.Delivered += n
	if c.opt.NoAck {
		q.counters.NoAck += n
	}
	for i := range ds {
		if ds[i].Redelivered {
			q.counters.Redelivered++
		}
	}
}

// countGet counts a delivery by a get.
func (q *Queue) countGet(noAck, redelivered bool) {
	q.counters.Delivered++
	if noAck {
		q.counters.GotNoAck++
	} else {
		q.counters.Got++
	}
	if redelivered {
		q.counters.Redelivered++
	}
}
