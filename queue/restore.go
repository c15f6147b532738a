package queue

import "sync"

// Restore takes back a message during recovery. It may come again for the same
// index with the position of a newer copy. Until Restored, one goroutine has
// the queue to itself.
func (q *Queue) Restore(pos uint64, size uint32, flags uint8, index uint64, attr []byte) {
	x := &q.state.index
	if e := x.entry(index); e != nil {
		e.loc = pos
		return
	}
	e := entry{loc: pos, size: size, meta: statusReady | markPersistent}
	if flags&FlagDelivered != 0 {
		e.meta |= markDelivered
	}
	deadline := int64(noDeadline)
	a := parseAttribute(attr)
	if a.deadline != 0 {
		deadline = (a.deadline - q.epoch.UnixMilli()) * 1e6
		q.state.timed++
	}
	e.meta |= headMark(a.head) | uint32(min(a.priority, q.opt.Arguments.MaxPriority))<<priorityShift
	q.state.restore(index, e, deadline)
	q.live.add(1, size, e.meta)
	if a.key != "" && q.state.dedup != nil {
		q.state.dedup.remember(index, a.key, (a.came-q.epoch.UnixMilli())*1e6)
	}
}

// restore puts a message at its number.
func (s *State) restore(seq uint64, e entry, deadline int64) {
	if seq >= s.index.tail {
		last := s.index.tail >> blockShift
		s.index.tail = seq + 1
		if last != seq>>blockShift {
			s.index.trim(last)
		}
	}
	s.index.put(seq, e, deadline)
	s.ready++
	s.bytes += e.body()
}

// RestoreSettled forgets the messages from from to to, inclusive.
func (q *Queue) RestoreSettled(from, to uint64) {
	s := q.state
	if to >= s.index.tail && to != ^uint64(0) {
		last := s.index.tail >> blockShift
		s.index.tail = to + 1
		defer s.index.trim(last)
	}
	for seq, e := s.index.nextLive(from); e != nil && seq <= to; seq, e = s.index.nextLive(seq + 1) {
		s.unmark(seq, e)
		s.ready--
		s.bytes -= e.body()
		q.live.add(-1, e.size, e.meta)
		s.index.free(seq)
	}
}

// RestoreFact takes back a fact other than a settled range: what a and b mean
// stands at the Fact constants.
func (q *Queue) RestoreFact(kind uint8, a, b uint64) {
	switch kind {
	case FactCut:
		q.RestoreSettled(1, a)
	case FactReturn:
		if b == 0 {
			q.state.suspect = a + 1
		} else if e := q.state.index.entry(a); e != nil {
			e.meta |= markDelivered
			if q.counting {
				q.state.setCount(a, e, uint32(b))
			}
		}
	case FactSent:
		q.restoreSent(a, a+b)
	}
}

// restoreSent marks what was with a consumer.
func (q *Queue) restoreSent(from, to uint64) {
	x := &q.state.index
	for seq, e := x.nextLive(from); e != nil && seq <= to; seq, e = x.nextLive(seq + 1) {
		e.meta |= markDelivered | markOut
	}
}

// Restored ends the recovery: every message is ready. clean says that the node
// stopped cleanly; after a crash everything may have been delivered.
func (q *Queue) Restored(clean bool) {
	q.locked(func(w *work) {
		s := q.state
		if !clean {
			s.suspect = s.index.tail
		}
		s.next, _ = s.index.nextLive(1)
		q.apply(w, &Command{Kind: Recover})
	})
}

// recover brings the restored messages in order. What was with a consumer when
// the node ended has come back.
func (s *State) recover(fx *Effects) {
	s.appointAll()
	if !s.config.Counting && s.lanes == nil {
		return
	}
	for seq, e := s.index.nextLive(1); e != nil; seq, e = s.index.nextLive(seq + 1) {
		if s.lanes != nil {
			s.lanes.join(seq, e.meta)
		}
		if e.meta&markOut != 0 && s.config.Counting && !s.count(seq, e, fx) {
			s.uncount(statusReady, e)
			e.meta &^= statusMask
			s.bury(seq, e, reasonDeliveryLimit, fx)
		}
	}
}

// Live calls visit for every reference to a record that the queue holds.
func (q *Queue) Live(visit func(pos uint64, size uint32)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for seq, e := q.state.index.nextLive(1); e != nil; seq, e = q.state.index.nextLive(seq + 1) {
		if inLog(e.loc) {
			visit(e.loc, e.size)
		}
	}
}

// Close ends the queue's life in this process without deleting it, and notes in
// the log which messages were delivered, so that redelivered is exact at the
// next start. Consumers and getters are released before.
func (q *Queue) Close() (pos uint64) {
	return q.locked(func(w *work) {
		s := q.state
		q.deleted = true
		if !q.logged {
			return
		}
		seq, e := s.index.nextLive(1)
		if e != nil && seq < s.suspect {
			w.append().Fact(FactReturn, q.opt.ID, s.suspect-1, 0)
		}
		for ; e != nil; seq, e = s.index.nextLive(seq + 1) {
			if seq >= s.suspect && e.meta&(markDelivered|markPersistent|markCounted) == markDelivered|markPersistent {
				w.append().Fact(FactReturn, q.opt.ID, seq, 1)
			}
		}
	})
}

// Relocate moves the record at pos in the log for the queues that hold it. refs
// are its (queue id, sequence number) pairs and qs[i] the queue of pair i, nil
// when there is none. The queues are locked, ascending by id; if any still holds
// its message there, move is called once with the pairs that do and returns the
// record's position from now on.
func Relocate(qs []*Queue, pos uint64, refs []uint64, move func(live []uint64) uint64) {
	var lockRoom [16]*Queue
	order := sortedQueues(append(lockRoom[:0], qs...))
	for _, q := range order {
		q.mu.Lock()
	}
	room := liveRoom.Get().(*[]uint64)
	live := (*room)[:0]
	for i, q := range qs {
		if q != nil && q.heldAt(pos, refs[2*i+1]) != nil {
			live = append(live, refs[2*i], refs[2*i+1])
		}
	}
	if len(live) > 0 {
		to := move(live)
		for i, q := range qs {
			if q != nil {
				if e := q.heldAt(pos, refs[2*i+1]); e != nil {
					if to != pos { // else move only asked
						q.relocated(refs[2*i+1], e)
					}
					e.loc = to
				}
			}
		}
	}
	for _, q := range order {
		q.mu.Unlock()
	}
	*room = live
	liveRoom.Put(room)
}

// liveRoom is for the pairs that Relocate hands over: it is asked about every
// record of a segment.
var liveRoom = sync.Pool{New: func() any { return new([]uint64) }}

// relocated writes again what the log knew of a message, behind its new place.
func (q *Queue) relocated(seq uint64, e *entry) {
	if e.meta&(markCounted|markOut) == 0 {
		return
	}
	a := q.opt.Log.Begin()
	if e.meta&markCounted != 0 {
		a.Fact(FactReturn, q.opt.ID, seq, uint64(q.state.counts[seq]))
	}
	if e.meta&markOut != 0 {
		a.Fact(FactSent, q.opt.ID, seq, 0)
	}
	a.Commit()
}

// heldAt returns the entry of seq if its contents are at pos in the log.
func (q *Queue) heldAt(pos, seq uint64) *entry {
	if e := q.state.index.entry(seq); e != nil && e.loc == pos {
		return e
	}
	return nil
}
