package queue

// store finds a place for the contents of the batch's messages that are still
// needed, and commits the append.
func (b *Batch) store() uint64 {
	for i := range b.ops {
		o := &b.ops[i]
		if o.kind != Enqueue {
			continue
		}
		for b.storeMessage(o) {
		}
		if b.spilled {
			b.spill(o)
			b.spilled = false
		}
	}
	for _, q := range b.queues {
		if len(q.sent) > 0 {
			q.logSent(&b.work)
		}
	}
	base := b.commit()
	for _, s := range b.stored {
		s.e.loc = base + s.rel
	}
	return base
}

// storeMessage stores one message for all its targets: one record for those
// that log it, the arena for each of the others. Targets that give it another
// deadline or key need another record: then there is more to do.
func (b *Batch) storeMessage(o *op) (again bool) {
	m := &b.msgs[o.from]
	b.begin()
	for t := int(o.to); t < o.end; t++ {
		q, seq := b.targets[t], b.seqs[t]
		e := q.state.index.entry(seq)
		if e == nil || e.loc != locPending|o.from {
			continue
		}
		if e.meta&markPersistent == 0 {
			b.storeTransient(q, m, e, seq)
			continue
		}
		if !b.agrees(q, seq, e) {
			again = true
			continue
		}
		if !q.plain {
			b.describe(q, m, e)
		}
		b.refer(q, seq, e)
	}
	if len(b.refs) > 0 {
		b.record(m, 0)
	}
	return again
}

// agrees says whether a message's entry fits into the record being made: with
// the deadline and key that it has, or begins with.
func (b *Batch) agrees(q *Queue, seq uint64, e *entry) bool {
	if e.meta&markTimed == 0 && q.plain && !b.noted {
		return true
	}
	d, key := b.wall(q, seq, e), q.state.key(seq)
	if len(b.refs) == 0 {
		b.note.deadline, b.note.key, b.noted = d, key, true
	}
	return d == b.note.deadline && key == b.note.key
}

// describe adds to the record what a queue that is not plain wants to know.
func (b *Batch) describe(q *Queue, m *Message, e *entry) {
	b.noted = true
	if q.settings.MaxLengthBytes != nil {
		b.note.head = m.headSize()
	}
	if e.priority() > 0 {
		b.note.priority = m.Priority
	}
	if b.note.key != "" {
		q.time(&b.work)
		b.note.came = b.now.UnixMilli()
	}
}

// storeTransient keeps a message that need not survive: in the arena, or beyond
// its bound in the log, to be gone at the next start.
func (b *Batch) storeTransient(q *Queue, m *Message, e *entry, seq uint64) {
	if b.log == nil || q.opt.Log == nil || q.arena.live+int64(e.size) <= q.opt.ArenaBytes {
		e.loc = q.arena.put(&m.Content)
		return
	}
	e.loc = locSpilled
	b.spilled = true
}

// spill writes one record for each target of a message that is beyond its
// queue's bound.
func (b *Batch) spill(o *op) {
	m := &b.msgs[o.from]
	for t := int(o.to); t < o.end; t++ {
		q, seq := b.targets[t], b.seqs[t]
		if e := q.state.index.entry(seq); e != nil && e.loc == locSpilled {
			b.begin()
			b.refer(q, seq, e)
			b.record(m, FlagVolatile)
		}
	}
}

// Locations of messages in the append until their positions are known; no
// position in the log is that low.
const (
	locStored  = 1 // its record is made
	locSpilled = 2 // a volatile record is to be made
)

// begin starts a record.
func (b *Batch) begin() {
	b.refs, b.entries = b.refs[:0], b.entries[:0]
	if b.noted {
		b.note, b.noted = attribute{}, false
	}
}

// refer adds one target to the record being made.
func (b *Batch) refer(q *Queue, seq uint64, e *entry) {
	b.refs = append(b.refs, q.opt.ID, seq)
	b.entries = append(b.entries, e)
	e.loc = locStored
}

// record adds the record of b.refs to the append.
func (b *Batch) record(m *Message, flags uint8) {
	b.attr = b.attr[:0]
	if b.noted {
		b.attr = b.note.append(b.attr)
	}
	rel := b.append().Store(b.refs, flags, b.attr, m.Route, m.Props, m.Body)
	for _, e := range b.entries {
		b.stored = append(b.stored, stored{e, rel})
	}
}

// wall is the deadline of an entry as the log keeps it: wall time, so that time
// runs on while the node is down; 0 is none.
func (b *Batch) wall(q *Queue, seq uint64, e *entry) int64 {
	d := q.state.index.deadline(seq, e)
	if d == noDeadline {
		return 0
	}
	left := d - q.time(&b.work)
	return b.now.UnixMilli() + (left+1e6-1)/1e6
}
