package queue

// holder is a consumer or getter inside the state machine: its credit and what
// it holds. Delivery ids are gapless from 1; those up to sent were taken by the
// sink, those after it are checked out but not sent.
type holder struct {
	slot     uint32
	level    *level // consumers of the same priority; nil: a getter, or detached
	prev     *holder
	next     *holder
	waiting  bool   // in its level's list: may be given a message
	open     bool   // started, and its sink has room
	passive  bool   // another is the single active consumer
	born     uint64 // its number among those attached
	noAck    bool
	shared   bool // the channel's prefetch is asked as well
	prefetch int  // 0: unlimited

	own      *int64      // its own timeout; nil: the queue's
	patience int64       // how long it may hold a delivery; 0: for ever
	marks    deque[mark] // what had been sent at the last looks
	overdue  bool        // said once

	held  window[uint64] // delivery id -> sequence number
	count int            // messages held, sent or not
	last  uint64         // last id given
	sent  uint64         // last id the sink took
}

// wants says whether the holder may be given one more message. A consumer is
// never ahead of its socket by more than unsentMax, so a backlog is not
// checked out at once; RabbitMQ: prefetch does not hold a no-ack consumer.
func (h *holder) wants() bool {
	if !h.open || h.passive || h.level == nil || h.last-h.sent >= unsentMax {
		return false
	}
	return h.noAck || h.prefetch == 0 || h.count < h.prefetch
}

// unsentMax bounds what a consumer has been given and its sink has not taken.
const unsentMax = 1024

func (h *holder) give(seq uint64) {
	h.last++
	h.count++
	h.held.set(h.last, seq)
}

// seq returns what is held under id, 0 when that is settled or was never given.
func (h *holder) seq(id uint64) uint64 {
	if p := h.held.at(id); p != nil {
		return *p
	}
	return 0
}

// first returns the lowest id from from to to under which something is held
// that the sink took, 0 when there is none.
func (h *holder) first(from, to uint64) uint64 {
	to = min(to, h.sent)
	if from > to {
		return 0
	}
	if id, ok := h.held.next(from); ok && id <= to {
		return id
	}
	return 0
}

// take ends the holding under id and returns what was held.
func (h *holder) take(id uint64) uint64 {
	seq := *h.held.at(id)
	h.held.drop(id)
	h.count--
	return seq
}

// level is the list of consumers of one priority that wait for a message, in
// the order they are served.
type level struct {
	priority  int32
	consumers int // attached, waiting or not
	head      *holder
	tail      *holder
}

func (l *level) push(h *holder) {
	h.waiting, h.prev, h.next = true, l.tail, nil
	if l.tail == nil {
		l.head = h
	} else {
		l.tail.next = h
	}
	l.tail = h
}

func (l *level) remove(h *holder) {
	if h.prev == nil {
		l.head = h.next
	} else {
		h.prev.next = h.next
	}
	if h.next == nil {
		l.tail = h.prev
	} else {
		h.next.prev = h.prev
	}
	h.waiting, h.prev, h.next = false, nil, nil
}

// rota serves consumers strictly in turn within the highest priority that has
// one waiting.
type rota struct {
	levels   []*level // descending priority
	attached uint64   // consumers so far
}

// front returns the consumer whose turn it is.
func (r *rota) front() *holder {
	for _, l := range r.levels {
		if l.head != nil {
			return l.head
		}
	}
	return nil
}

func (r *rota) attach(h *holder, priority int32) {
	i := 0
	for i < len(r.levels) && r.levels[i].priority > priority {
		i++
	}
	if i == len(r.levels) || r.levels[i].priority != priority {
		r.levels = append(r.levels, nil)
		copy(r.levels[i+1:], r.levels[i:])
		r.levels[i] = &level{priority: priority}
	}
	r.attached++
	h.level, h.born = r.levels[i], r.attached
	h.level.consumers++
}

func (r *rota) detach(h *holder) {
	l := h.level
	if h.waiting {
		l.remove(h)
	}
	h.level = nil
	l.consumers--
	if l.consumers > 0 {
		return
	}
	for i, have := range r.levels {
		if have == l {
			r.levels = append(r.levels[:i], r.levels[i+1:]...)
			return
		}
	}
}

// review puts h in or out of its list after anything it depends on changed.
func (r *rota) review(h *holder) {
	switch wants := h.wants(); {
	case wants && !h.waiting:
		h.level.push(h)
	case !wants && h.waiting:
		h.level.remove(h)
	}
}

// turn moves a consumer that was just given a message to the end of its list.
func (r *rota) turn(h *holder) {
	if h.waiting && h.next != nil {
		h.level.remove(h)
		h.level.push(h)
	}
	r.review(h)
}
