package queue

import "time"

// A consumer that holds a delivery for too long is overdue (RabbitMQ: consumer
// timeout). Nothing is kept per delivery: while something is held the state
// machine looks, a few times in each timeout, at the lowest id every holder
// holds, and remembers up to which id had been sent at the last looks. So a
// delivery is never called overdue early, and late by one look at most.

// mark says that the ids up to id had been sent at that time.
type mark struct {
	id uint64
	at int64
}

const (
	looksPerTimeout = 30
	lookMost        = int64(time.Minute) // RabbitMQ's own rhythm
	lookLeast       = int64(10 * time.Millisecond)
)

// looks is the rhythm of looking.
type looks struct {
	every int64 // 0: nobody has to be looked at
	next  int64 // 0: nothing was held at the last look
}

// allow gives a holder its patience: its own, if it has one, or the queue's.
func (s *State) allow(h *holder) {
	switch {
	case h.noAck:
		h.patience = 0
	case h.own != nil:
		h.patience = *h.own
	default:
		h.patience = s.config.Patience
	}
	if h.patience > 0 {
		every := min(max(h.patience/looksPerTimeout, lookLeast), lookMost)
		if s.looks.every == 0 || every < s.looks.every {
			s.looks.every = every
		}
	}
}

// allowAll gives every holder its patience anew.
func (s *State) allowAll() {
	s.looks.every = 0
	for _, h := range s.holders {
		if h != nil {
			s.allow(h)
		}
	}
}

// unwatched says whether Watch is due: something is held and nobody looks.
func (s *State) unwatched() bool { return s.held > 0 && s.looks.next == 0 && s.looks.every > 0 }

// watch looks for overdue holders, and says when to look again.
func (s *State) watch(now int64, fx *Effects) {
	s.looks.next = 0
	if s.held == 0 || s.looks.every == 0 {
		return
	}
	for _, h := range s.holders {
		if h != nil && h.patience > 0 && h.tries(now) {
			fx.Overdue = append(fx.Overdue, h.slot)
		}
	}
	s.looks.next = now + s.looks.every
}

// tries says whether the holder has become overdue.
func (h *holder) tries(now int64) bool {
	oldest := h.first(1, h.sent)
	for h.marks.n > 0 && (oldest == 0 || h.marks.front().id < oldest) {
		h.marks.pop()
	}
	if oldest == 0 {
		return false
	}
	if n := h.marks.n; n == 0 || h.marks.at(n-1).id < h.sent {
		h.marks.push(mark{h.sent, now})
	}
	if h.overdue || now-h.marks.front().at < h.patience {
		return false
	}
	h.overdue = true
	return true
}

// Watch sets what is called, once, when c has held a delivery for longer than
// it may: under the queue's mutex like a Sink's methods, and with the same
// duties. It is called before Start, or a getter's first Get.
func (c *Consumer) Watch(overdue func(timeout time.Duration)) {
	c.q.mu.Lock()
	defer c.q.mu.Unlock()
	c.overdue = overdue
}

// tell tells the channels of overdue holders.
func (q *Queue) tell(overdue []uint32) {
	for _, slot := range overdue {
		if c := q.consumers[slot]; c.overdue != nil {
			c.overdue(time.Duration(q.state.holders[slot].patience))
		}
	}
}
