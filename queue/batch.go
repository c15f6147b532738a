package queue

import (
	"cmp"
	"slices"
)

// Batch is the one way messages enter queues and are settled. What one batch
// does is one append to the log: after a crash all of it happened or nothing.
// A batch is used by one goroutine at a time; Commit empties it for reuse.
type Batch struct {
	work
	ops     []op
	targets []*Queue
	seqs    []uint64 // of the messages in targets, given by Commit
	queues  []*Queue // those concerned, ascending by id while locked
	stored  []stored // records in the append
	entries []*entry // of the record being made, with their refs
	refs    []uint64
	note    attribute // of that record
	noted   bool      // there is something in note
	attr    []byte
	crowded *Queue // of the last Commit
	spilled bool   // targets of the message being stored go to the log as volatile
}

// op is one operation: publish message from into targets [to, end), or the
// settling of a consumer's ids from to to, or Leave of the message from.
type op struct {
	kind     Kind
	c        *Consumer
	q        *Queue
	from, to uint64
	end      int
}

// stored is an entry whose record is in the append at offset rel.
type stored struct {
	e   *entry
	rel uint64
}

// NewBatch returns an empty batch.
func NewBatch() *Batch { return new(Batch) }

// Publish adds m to each of targets; none drops it. The views in m stay valid
// until Commit.
func (b *Batch) Publish(m Message, targets []*Queue) {
	if len(targets) == 0 {
		return
	}
	at := len(b.targets)
	b.targets = append(b.targets, targets...)
	b.ops = append(b.ops, op{kind: Enqueue, from: uint64(len(b.msgs)), to: uint64(at), end: len(b.targets)})
	b.msgs = append(b.msgs, m)
}

// Settle acknowledges the delivery ids from to to of c, inclusive. Ids that are
// not held, because they are settled or were never sent, are passed over.
func (b *Batch) Settle(c *Consumer, from, to uint64) {
	b.ops = append(b.ops, op{kind: Settle, c: c, from: from, to: to})
}

// Discard rejects delivery ids without requeue: they are dead-lettered or gone.
func (b *Batch) Discard(c *Consumer, from, to uint64) {
	b.ops = append(b.ops, op{kind: Discard, c: c, from: from, to: to})
}

// Requeue puts delivery ids back to their places in the queue.
func (b *Batch) Requeue(c *Consumer, from, to uint64) {
	b.ops = append(b.ops, op{kind: Requeue, c: c, from: from, to: to})
}

// Nack requeues delivery ids for basic.nack: they may have to wait.
func (b *Batch) Nack(c *Consumer, from, to uint64) {
	b.ops = append(b.ops, op{kind: Nack, c: c, from: from, to: to})
}

// Reject requeues delivery ids for basic.reject: they may have to wait.
func (b *Batch) Reject(c *Consumer, from, to uint64) {
	b.ops = append(b.ops, op{kind: Reject, c: c, from: from, to: to})
}

// Recover requeues all that c holds.
func (b *Batch) Recover(c *Consumer) { b.Requeue(c, 1, ^uint64(0)) }

// Dead settles a message that TakeOutside gave out as Dead. The publishes of
// its dead-letter copies go into the same batch.
func (b *Batch) Dead(q *Queue, seq uint64) {
	b.ops = append(b.ops, op{kind: Leave, q: q, from: seq})
}

// Refused gives the tags of the messages that a queue over its limit refused in
// the last Commit, in order, one for each message however many queues did. It
// is valid until the next Commit.
func (b *Batch) Refused() []uint32 { return b.refused }

// Empty says that Commit would do nothing.
func (b *Batch) Empty() bool { return len(b.ops) == 0 }

// Crowded returns a queue of the last Commit for which the publisher should wait
// with AwaitRoom before it goes on, nil when none.
func (b *Batch) Crowded() *Queue { return b.crowded }

// Commit carries the operations out in order: state changes, deliveries to
// sinks with room, one append to log for what has to survive and was not
// settled by its delivery at once, and the storing of bodies still needed. It
// returns the position to wait for, 0 when nothing was logged.
func (b *Batch) Commit(log Log) uint64 {
	b.refused, b.crowded = b.refused[:0], nil
	if b.Empty() {
		return 0
	}
	b.lock()
	b.log = b.logOr(log)
	for i := range b.ops {
		b.apply(&b.ops[i])
	}
	b.pump()
	for _, q := range b.queues {
		q.seal(&b.work)
	}
	pos := b.store()
	for _, q := range b.queues {
		q.finish(&b.work)
		if q.crowded() {
			b.crowded = q
		}
	}
	b.unlock()
	pos = max(pos, b.after)
	b.empty()
	return pos
}

// lock finds the queues concerned and locks them in ascending order of their
// ids, the order that everybody keeps.
func (b *Batch) lock() {
	for i := range b.ops {
		o := &b.ops[i]
		switch {
		case o.kind == Enqueue:
			for _, q := range b.targets[o.to:o.end] {
				b.concern(q)
			}
		case o.c != nil:
			b.concern(o.c.q)
		default:
			b.concern(o.q)
		}
	}
	b.queues = sortedQueues(b.queues)
	for _, q := range b.queues {
		q.mu.Lock()
	}
}

// sortedQueues brings qs into the order of locking, each once, without nils.
func sortedQueues(qs []*Queue) []*Queue {
	qs = slices.DeleteFunc(qs, func(q *Queue) bool { return q == nil })
	slices.SortFunc(qs, func(x, y *Queue) int { return cmp.Compare(x.opt.ID, y.opt.ID) })
	return slices.Compact(qs)
}

// concern adds q to the batch's queues. The mark only saves duplicates: another
// batch may overwrite it before the queue is locked.
func (b *Batch) concern(q *Queue) {
	if q.mark.Load() != b {
		q.mark.Store(b)
		b.queues = append(b.queues, q)
	}
}

// logOr returns log, or the queues' own when that is nil.
func (b *Batch) logOr(log Log) Log {
	for i := 0; log == nil && i < len(b.queues); i++ {
		log = b.queues[i].opt.Log
	}
	return log
}

func (b *Batch) unlock() {
	for _, q := range b.queues {
		q.mark.CompareAndSwap(b, nil)
		q.mu.Unlock()
	}
}

func (b *Batch) empty() {
	clear(b.ops)
	clear(b.targets)
	clear(b.queues)
	clear(b.stored)
	clear(b.entries)
	b.ops, b.targets, b.queues, b.stored = b.ops[:0], b.targets[:0], b.queues[:0], b.stored[:0]
	b.seqs = b.seqs[:0]
	b.work.reset()
}

func (b *Batch) apply(o *op) {
	switch {
	case o.kind == Enqueue:
		for _, q := range b.targets[o.to:o.end] {
			b.seqs = append(b.seqs, q.enqueue(&b.work, o.from))
		}
	case o.c != nil:
		o.c.q.settle(&b.work, o.kind, o.c, o.from, o.to)
	case !o.q.deleted:
		o.q.apply(&b.work, &Command{Kind: Leave, From: o.from})
	}
}

// enqueue adds the pass's message n and returns its number; 0: the queue is
// deleted or refuses, the message dropped.
func (q *Queue) enqueue(w *work, n uint64) uint64 {
	if q.deleted {
		return 0
	}
	m := &w.msgs[n]
	head := m.headSize()
	c := Command{Kind: Enqueue, Loc: locPending | n, Size: uint32(head + len(m.Body)), TTL: -1}
	c.Marks = headMark(head)
	if m.Persistent && q.logged {
		c.Marks |= markPersistent
	}
	if !q.plain {
		q.qualify(m, &c)
	}
	if m.TTL >= 0 {
		c.TTL = m.TTL * 1e6
		c.Now = q.time(w)
	}
	seq := q.state.index.tail
	q.live.add(1, c.Size, c.Marks)
	q.apply(w, &c)
	if w.fx.Refused {
		return q.refused(w, &c, m.Tag, seq)
	}
	q.counters.Published++
	return seq
}

// qualify adds to the command of a message what a queue that is not plain asks
// of it.
func (q *Queue) qualify(m *Message, c *Command) {
	if q.logged && q.quorum() { // RabbitMQ: kept whatever the delivery-mode
		c.Marks |= markPersistent
	}
	// RabbitMQ: what is above the highest priority counts as that.
	c.Marks |= uint32(min(m.Priority, q.opt.Arguments.MaxPriority)) << priorityShift
	if q.settings.Dedup.On {
		if key := q.settings.Dedup.key(m.Props); key != "" {
			c.Key = &Key{key, m.Again}
		}
	}
}

// refused counts a message that the queue did not take and returns its number,
// if it is there all the same: on its way to the dead-letter exchange.
func (q *Queue) refused(w *work, c *Command, tag uint32, seq uint64) uint64 {
	q.live.add(-1, c.Size, c.Marks)
	if w.fx.Duplicate {
		q.duplicate(w)
		return 0
	}
	w.refuse(tag)
	if seq == q.state.index.tail { // it does not even leave for the dead-letter exchange
		return 0
	}
	q.live.add(1, c.Size, c.Marks&^markPersistent) // it leaves, and no restart brings it back
	return seq
}

// settleStep bounds the ids that one command settles.
const settleStep = 4096

// settle applies Settle, Discard, Requeue, Nack or Reject of c's ids.
func (q *Queue) settle(w *work, kind Kind, c *Consumer, from, to uint64) {
	if q.deleted || c.gone {
		return
	}
	h := q.state.holders[c.slot]
	if last := min(to, h.sent); kind == Settle && from <= last {
		q.counters.Acknowledged += last - from + 1 // a client's acks name only what it holds
	}
	for from = h.first(from, to); from != 0; from = h.first(from, to) {
		end := to
		if kind < Requeue && to-from >= settleStep {
			end = from + settleStep - 1
		}
		q.apply(w, &Command{Kind: kind, Holder: c.slot, From: from, To: end})
		if end == to {
			break
		}
		from = end + 1
	}
	q.forgetIdle(w, c)
}
