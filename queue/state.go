package queue

// Config is what a queue's arguments say to its state machine.
type Config struct {
	TTL        int64 // of messages, nanoseconds; negative: none
	Lease      int64 // x-expires, nanoseconds; 0: none
	DeadLetter bool  // messages that end without being consumed go to the broker
	AutoDelete bool
	// ExpireAnywhere lets deadlines act wherever a message stands.
	ExpireAnywhere bool
	Limit          *Limit // nil: none
	Quorum         bool   // order of a quorum queue
	Single         bool   // one consumer at a time is active
	Priorities     uint8  // highest priority; 0: none
	Counting       bool   // count how often a message comes back
	// FreeNacks leaves basic.nack out of the count (RabbitMQ 4.3).
	FreeNacks bool
	Retry     *DelayedRetry // nil: none
	Dedup     Deduplication
	Patience  int64 // how long a delivery may be held, nanoseconds; 0: for ever
	// DeliveryLimit is how often it may, of a counting queue; negative: always.
	DeliveryLimit int64
}

// State is the state machine of one queue. It is deterministic: the same
// commands give the same effects.
type State struct {
	config Config
	// admit is the one impurity: it asks the channel of a shared consumer for
	// one credit and takes it.
	admit func(holder uint32) bool

	index index
	order
	counts map[uint64]uint32 // of messages with markCounted: how often they came back
	// suspect is one above the last message that a crash may have seen
	// delivered: all below count as delivered.
	suspect uint64

	holders   []*holder // by number; nil: free
	spare     []uint32  // free numbers
	rota      rota
	consumers int // attached
	exclusive bool
	ready     int
	held      int
	leaving   int
	timed     int   // messages with a deadline
	bytes     int64 // bodies of the ready messages
	times
	dedup *dedup // nil: keys mean nothing
}

// times is what the state machine knows of the time.
type times struct {
	now       int64        // of the command
	idleSince int64        // start of the lease when there is no consumer
	looks     looks        // for overdue holders
	expiries  appointments // deadlines, if they act anywhere
	retries   appointments // ends of waiting
	waiting   int          // messages that wait to be delivered again
}

// NewState returns an empty queue at time 0.
func NewState(c Config, mem *Memory, admit func(holder uint32) bool) *State {
	s := &State{config: c, admit: admit}
	s.index.init(mem)
	s.order.init(&c)
	s.deduplicate(c.Dedup)
	return s
}

// Apply carries out one command and leaves in fx what follows from it.
func (s *State) Apply(c *Command, fx *Effects) {
	fx.reset()
	s.now = c.Now
	switch c.Kind {
	case Enqueue:
		s.enqueue(c, fx)
	case Sent:
		s.sent(c, fx)
	case Settle:
		s.settle(c, fx)
	case Discard:
		s.discard(c, fx)
	case Requeue, Nack, Reject:
		s.requeue(s.holders[c.Holder], c.From, c.To, requeued+comeback(c.Kind-Requeue), fx)
		s.trim(c.Now, fx)
		s.dispatch(c.Now, fx)
	case Checkout:
		s.checkout(c, fx)
	case Purge:
		s.purge(c, fx, statusReady)
	case Drop:
		s.purge(c, fx, statusFree)
	case Leave:
		s.leave(c.From, fx)
	case Withhold:
		s.withhold(c, fx)
	case Touch:
		s.idleSince = c.Now
	case Tick:
		s.tick(c.Now, fx)
	case Watch:
		s.watch(c.Now, fx)
	case Recover:
		s.idleSince = c.Now // a lease begins when the queue can be used
		s.recover(fx)
		s.tick(c.Now, fx)
	case Configure:
		s.config, s.idleSince = *c.Config, c.Now
		s.allowAll()
		s.deduplicate(c.Config.Dedup)
		s.appointAll()
		s.trim(c.Now, fx)
	default:
		s.applyConsumer(c, fx)
	}
}

// applyConsumer is the part of Apply about consumers coming and going.
func (s *State) applyConsumer(c *Command, fx *Effects) {
	if c.Kind == Attach {
		s.attach(c, fx)
		return
	}
	h := s.holders[c.Holder]
	switch c.Kind {
	case Open, Block:
		h.open = c.Kind == Open
		s.review(h)
	case Recall:
		s.recall(h, fx)
	case Detach:
		s.detach(h, c.Now, fx)
	case Release:
		s.detach(h, c.Now, fx)
		s.requeue(h, 1, h.sent, lost, fx)
		s.holders[h.slot] = nil
		s.spare = append(s.spare, h.slot)
	}
	s.trim(c.Now, fx)
	s.dispatch(c.Now, fx)
}

// enqueue adds a message. When nothing is before it, a waiting consumer gets it
// whatever its TTL; otherwise a TTL of 0 is over at once (RabbitMQ).
func (s *State) enqueue(c *Command, fx *Effects) {
	if s.config.Limit != nil && s.refuse(c, fx) {
		return
	}
	if c.Key != nil && s.isDuplicate(c, fx) {
		return
	}
	ttl := c.TTL
	if s.config.TTL >= 0 && (ttl < 0 || s.config.TTL < ttl) {
		ttl = s.config.TTL
	}
	deadline := int64(noDeadline)
	if ttl >= 0 {
		deadline = c.Now + ttl
		s.timed++
	}
	alone := s.ready == 0
	seq, e := s.index.push(entry{c.Loc, c.Size, c.Marks | statusReady}, deadline)
	s.ready++
	s.bytes += bodySize(c.Size, c.Marks)
	if s.lanes != nil {
		s.lanes.join(seq, c.Marks)
	}
	if ttl >= 0 {
		s.appoint(seq, deadline)
	}
	if c.Key != nil && s.dedup != nil {
		s.dedup.remember(seq, c.Key.Text, c.Now)
	}
	if alone {
		s.next = seq
		if h := s.turn(); h != nil {
			s.give(h, seq, e, fx)
		}
	}
	if s.ready > 0 {
		s.dispatch(c.Now, fx)
		if ttl >= 0 {
			s.expire(c.Now, fx)
		}
		s.trim(c.Now, fx)
	}
	fx.Seq = seq
}

// dispatch gives ready messages away, one consumer after the other, as long as
// there are both. Expired messages at the head go first.
func (s *State) dispatch(now int64, fx *Effects) {
	for s.ready > 0 && !fx.More {
		h := s.rota.front()
		if h == nil {
			return
		}
		if s.timed > 0 {
			s.expire(now, fx)
			if s.ready == 0 || fx.More {
				return
			}
		}
		if h = s.turn(); h == nil {
			return
		}
		seq := s.head()
		s.give(h, seq, s.index.entry(seq), fx)
	}
}

// turn returns the consumer to be served next. A shared one whose channel has
// no credit waits for Open.
func (s *State) turn() *holder {
	for {
		h := s.rota.front()
		if h == nil || !h.shared || s.admit(h.slot) {
			return h
		}
		h.open = false
		s.rota.review(h)
	}
}

// unready takes the head, seq, out of the order and leaves it in status.
func (s *State) unready(seq uint64, e *entry, status uint32) {
	if s.lanes == nil && len(s.returned) == 0 && seq == s.next {
		s.next++
	} else {
		s.pull(seq, e)
	}
	e.meta = e.meta&^statusMask | status
	s.ready--
	s.bytes -= e.body()
}

// give checks the head out to h.
func (s *State) give(h *holder, seq uint64, e *entry, fx *Effects) {
	s.unready(seq, e, statusHeld)
	s.held++
	h.give(seq)
	if h.level != nil {
		s.rota.turn(h)
	}
	fx.touch(h.slot)
}

// sent moves deliveries that the sink took from unsent to held; those of a
// no-ack consumer are settled with that.
func (s *State) sent(c *Command, fx *Effects) {
	h := s.holders[c.Holder]
	noAck := h.noAck || c.NoAck
	for end := min(h.sent+c.To, h.last); h.sent < end; {
		h.sent++
		if noAck {
			seq := h.take(h.sent)
			s.held--
			s.gone(seq, s.index.entry(seq), fx)
			continue
		}
		s.index.entry(h.seq(h.sent)).meta |= markDelivered
	}
	s.review(h)
	s.dispatch(c.Now, fx)
}

// settle ends messages that were acknowledged.
func (s *State) settle(c *Command, fx *Effects) {
	h := s.holders[c.Holder]
	for id := h.first(c.From, c.To); id != 0; id = h.first(id+1, c.To) {
		seq := h.take(id)
		s.held--
		s.gone(seq, s.index.entry(seq), fx)
	}
	s.review(h)
	s.dispatch(c.Now, fx)
}

// discard ends messages that were rejected, or hands them to the broker.
func (s *State) discard(c *Command, fx *Effects) {
	h := s.holders[c.Holder]
	for id := h.first(c.From, c.To); id != 0; id = h.first(id+1, c.To) {
		seq := h.take(id)
		s.held--
		s.bury(seq, s.index.entry(seq), reasonRejected, fx)
	}
	s.review(h)
	s.dispatch(c.Now, fx)
}

// bury ends a message that is neither ready nor held any more: by way of the
// dead-letter exchange when the queue has one.
func (s *State) bury(seq uint64, e *entry, why reason, fx *Effects) {
	if !s.config.DeadLetter {
		s.gone(seq, e, fx)
		return
	}
	e.meta |= statusLeaving
	s.leaving++
	fx.Dead = append(fx.Dead, deadLetter{seq, why})
}

// gone forgets a message whose counts are settled already.
func (s *State) gone(seq uint64, e *entry, fx *Effects) {
	if e.meta&(markTimed|markCounted) != 0 || s.dedup != nil {
		s.unmark(seq, e)
	}
	fx.Gone = append(fx.Gone, Gone{seq, e.loc, e.size, e.meta})
	s.index.free(seq)
}

// unmark forgets what is kept about a message outside of its entry.
func (s *State) unmark(seq uint64, e *entry) {
	if e.meta&markTimed != 0 {
		s.timed--
	}
	if e.meta&markCounted != 0 {
		delete(s.counts, seq)
	}
	if s.dedup != nil {
		s.dedup.forget(seq)
	}
}

// requeue lets messages come back.
func (s *State) requeue(h *holder, from, to uint64, how comeback, fx *Effects) {
	for id := h.first(from, to); id != 0; id = h.first(id+1, to) {
		s.comeBack(h.take(id), how, fx)
	}
	s.review(h)
}

// recall takes back what was checked out and not sent: nobody outside has seen
// those ids, so the next messages get them again.
func (s *State) recall(h *holder, fx *Effects) {
	for ; h.last > h.sent; h.last-- {
		s.comeBack(h.take(h.last), unsent, fx)
	}
	s.review(h)
}

// checkout gives the head to a getter.
func (s *State) checkout(c *Command, fx *Effects) {
	s.idleSince = c.Now
	if s.timed > 0 {
		s.expire(c.Now, fx)
	}
	if s.ready == 0 || fx.More {
		return
	}
	h := s.holders[c.Holder]
	fx.Seq = s.head()
	s.give(h, fx.Seq, s.index.entry(fx.Seq), fx)
	fx.ID = h.last
}

func (s *State) review(h *holder) {
	if h.level != nil {
		s.rota.review(h)
	}
}
