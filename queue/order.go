package queue

// order is the sequence in which ready messages are given away. That of a plain
// queue is by number: those that came back are before next, all others from it
// on. A number may stay in a list after its message is gone; whoever takes the
// first skips it.
type order struct {
	next     uint64   // first message never checked out
	returned returned // ready messages before next
	lanes    *lanes   // of a priority or quorum queue; else nil
	stale    int      // messages that left from the middle since the last tidy
}

// comeback says how a message comes back.
type comeback uint8

const (
	unsent   comeback = iota // it was never sent
	lost                     // its consumer is gone
	requeued                 // by basic.recover
	nacked                   // by basic.nack
	rejected                 // by basic.reject
)

// lanes are the lists of a queue that is not plain.
type lanes struct {
	priorities []lane // nil: a quorum queue
	// Of a quorum queue (seen on RabbitMQ): what comes back is served once more
	// in the order of coming back.
	first deque[uint64] // before every other message
	last  deque[round]  // requeued without a delivery limit: behind what was there then
}

// lane is the order of one priority.
type lane struct {
	fresh    deque[uint64]
	returned returned
}

// round is a message behind all of lower numbers than after.
type round struct{ seq, after uint64 }

// init gives the order what the config asks for.
func (o *order) init(c *Config) {
	o.next = 1
	if c.Priorities > 0 {
		o.lanes = &lanes{priorities: make([]lane, int(c.Priorities)+1)}
	} else if c.Quorum {
		o.lanes = new(lanes)
	}
}

// reset forgets everything before tail.
func (o *order) reset(tail uint64) {
	o.next = tail
	o.returned.reset()
	o.stale = 0
	if o.lanes != nil {
		clear(o.lanes.priorities)
		o.lanes.first, o.lanes.last = deque[uint64]{}, deque[round]{}
	}
}

// tidy drops from the lists what keep does not want.
func (o *order) tidy(keep func(seq uint64) bool) {
	o.returned.tidy(keep)
	if o.lanes == nil {
		return
	}
	for i := range o.lanes.priorities {
		o.lanes.priorities[i].returned.tidy(keep)
		o.lanes.priorities[i].fresh.tidy(keep)
	}
	o.lanes.first.tidy(keep)
	o.lanes.last.tidy(func(r round) bool { return keep(r.seq) })
}

// isReady says whether seq is a ready message.
func (s *State) isReady(seq uint64) bool {
	e := s.index.entry(seq)
	return e != nil && e.meta&statusMask == statusReady
}

// head returns the first ready message; there must be one.
func (s *State) head() uint64 {
	if s.lanes != nil {
		return s.headOfLanes()
	}
	for len(s.returned) > 0 {
		if s.isReady(s.returned[0]) {
			return s.returned[0]
		}
		s.returned.pop()
	}
	seq, ok := s.fresh()
	if !ok {
		panic("queue: a ready message is counted and not there")
	}
	return seq
}

// fresh moves next on to a ready message and returns it; ok is false when there
// is none from next on.
func (s *State) fresh() (seq uint64, ok bool) {
	for s.next < s.index.tail {
		if s.isReady(s.next) {
			return s.next, true
		}
		s.next, _ = s.index.after(s.next + 1)
	}
	s.next = s.index.tail
	return 0, false
}

func (s *State) headOfLanes() uint64 {
	if s.lanes.priorities != nil {
		return s.headOfPriorities()
	}
	r := s.lanes
	for ; r.first.n > 0; r.first.pop() {
		if seq := *r.first.front(); s.isReady(seq) {
			return seq
		}
	}
	for r.last.n > 0 && !s.isReady(r.last.front().seq) {
		r.last.pop()
	}
	seq, ok := s.fresh()
	if r.last.n > 0 && (!ok || r.last.front().after <= seq) {
		return r.last.front().seq
	}
	return seq
}

func (s *State) headOfPriorities() uint64 {
	for p := len(s.lanes.priorities) - 1; p >= 0; p-- {
		l := &s.lanes.priorities[p]
		for ; len(l.returned) > 0; l.returned.pop() {
			if s.isReady(l.returned[0]) {
				return l.returned[0]
			}
		}
		for ; l.fresh.n > 0; l.fresh.pop() {
			if seq := *l.fresh.front(); s.isReady(seq) {
				return seq
			}
		}
	}
	panic("queue: a ready message is counted and not there")
}

// pull takes the head, seq, out of the order.
func (s *State) pull(seq uint64, e *entry) {
	if s.lanes != nil && s.lanes.pull(seq, e) {
		return
	}
	if len(s.returned) > 0 && s.returned[0] == seq {
		s.returned.pop()
	} else if seq == s.next {
		s.next++
	}
}

// pull returns false when the head of a quorum queue is in neither list.
func (l *lanes) pull(seq uint64, e *entry) bool {
	switch {
	case l.priorities != nil:
		if p := &l.priorities[e.priority()]; len(p.returned) > 0 && p.returned[0] == seq {
			p.returned.pop()
		} else {
			p.fresh.pop()
		}
	case l.first.n > 0 && *l.first.front() == seq:
		l.first.pop()
	case l.last.n > 0 && l.last.front().seq == seq:
		l.last.pop()
	default:
		return false
	}
	return true
}

// rejoin puts a message back into the order.
func (s *State) rejoin(seq uint64, e *entry, how comeback) {
	switch l := s.lanes; {
	case l == nil:
		s.returned.push(seq)
	case l.priorities != nil:
		l.priorities[e.priority()].returned.push(seq)
	case how == unsent:
		l.first.pushFront(seq)
	case how >= requeued && s.config.DeliveryLimit < 0:
		l.last.push(round{seq, s.index.tail})
	default:
		l.first.push(seq)
	}
}

// join adds a new message to the lane of its priority.
func (l *lanes) join(seq uint64, meta uint32) {
	if l.priorities != nil {
		l.priorities[uint8(meta>>priorityShift)].fresh.push(seq)
	}
}

// rank orders messages as head does, for those that were never checked out.
func (s *State) rank(seq uint64) uint64 {
	if s.lanes == nil || s.lanes.priorities == nil {
		return seq
	}
	return uint64(255-s.index.entry(seq).priority())<<56 | seq
}

// ahead visits messages that will be given away soon, in about their order,
// until visit returns false. There must be a ready one.
func (s *State) ahead(visit func(seq uint64) bool) {
	if s.lanes != nil && s.lanes.priorities != nil {
		s.lanes.ahead(visit)
		return
	}
	for seq, e := s.index.nextLive(s.head()); e != nil && visit(seq); seq, e = s.index.nextLive(seq + 1) {
	}
}

func (ls *lanes) ahead(visit func(seq uint64) bool) {
	for p := len(ls.priorities) - 1; p >= 0; p-- {
		l := &ls.priorities[p]
		for _, seq := range l.returned {
			if !visit(seq) {
				return
			}
		}
		for i := range l.fresh.n {
			if !visit(*l.fresh.at(i)) {
				return
			}
		}
	}
}
