package queue

import "time"

// work is the scratch of one pass over locked queues, with what has to happen
// before they are unlocked: sends and the append to the log.
type work struct {
	log     Log
	app     Append // begun when there is something to log
	now     time.Time
	fx      Effects
	touched []*Consumer // those with something to send, each once
	out     []Delivery
	buf     []byte    // payloads copied out of the log's memory for out
	msgs    []Message // pending locations refer to these
	refused []uint32  // tags of messages that a queue refused
	after   uint64    // position of the newest message that another was a duplicate of
}

// span is an inclusive range of sequence numbers; from 0 is none.
type span struct{ from, to uint64 }

// locked runs f under the mutex and carries out what follows from it. It
// returns the position of the append, 0 when nothing was logged.
func (q *Queue) locked(f func(w *work)) uint64 {
	w := q.opt.Memory.work()
	w.log = q.opt.Log
	q.mu.Lock()
	f(w)
	w.pump()
	q.seal(w)
	if len(q.sent) > 0 {
		q.logSent(w)
	}
	pos := w.commit()
	q.finish(w)
	q.mu.Unlock()
	w.reset()
	q.opt.Memory.giveWork(w)
	return pos
}

// reset forgets what the pass referred to and keeps the room.
func (w *work) reset() {
	for i := range w.msgs {
		w.msgs[i].Shared.Release()
	}
	clear(w.out)
	clear(w.msgs)
	w.out, w.msgs, w.buf, w.touched = w.out[:0], w.msgs[:0], w.buf[:0], w.touched[:0]
	w.log, w.now, w.after = nil, time.Time{}, 0
}

// refuse notes that a queue refused a message. The queues of one message come
// one after the other.
func (w *work) refuse(tag uint32) {
	if n := len(w.refused); n == 0 || w.refused[n-1] != tag {
		w.refused = append(w.refused, tag)
	}
}

// append returns the pass's one append to the log.
func (w *work) append() Append {
	if w.app == nil {
		w.app = w.log.Begin()
	}
	return w.app
}

func (w *work) commit() (base uint64) {
	if w.app == nil {
		return 0
	}
	base = w.app.Commit()
	w.app = nil
	return base
}

// touch notes that c may have something to send.
func (w *work) touch(c *Consumer) {
	if c.opt.Sink != nil && !c.queued {
		c.queued = true
		w.touched = append(w.touched, c)
	}
}

// pump sends until no consumer of the pass can be sent anything.
func (w *work) pump() {
	for i := 0; i < len(w.touched); i++ {
		c := w.touched[i]
		c.queued = false
		c.q.pump(w, c)
	}
	w.touched = w.touched[:0]
}

// time returns the pass's time as nanoseconds since q's epoch. The clock is
// read once, and not at all for queues without any deadline.
func (q *Queue) time(w *work) int64 {
	if w.now.IsZero() {
		w.now = q.opt.Clock.Now()
	}
	return int64(w.now.Sub(q.epoch))
}

// apply runs one command and carries out its effects, and the Ticks that are
// left when more expires than one command may end.
func (q *Queue) apply(w *work, c *Command) {
	if q.state.Timed() {
		c.Now = q.time(w)
	}
	q.state.Apply(c, &w.fx)
	q.absorb(w)
	for w.fx.More && c.Kind != Purge && c.Kind != Drop {
		q.state.Apply(&Command{Kind: Tick, Now: c.Now}, &w.fx)
		q.absorb(w)
	}
}

// absorb carries out the effects of one command.
func (q *Queue) absorb(w *work) {
	for i := range w.fx.Gone {
		q.forget(w, &w.fx.Gone[i])
	}
	q.counters.Settled += uint64(len(w.fx.Gone))
	for _, slot := range w.fx.Touched {
		w.touch(q.consumers[slot])
	}
	if w.fx.rare() {
		q.absorbRare(w)
	}
}

// absorbRare is for the effects that most messages do not have.
func (q *Queue) absorbRare(w *work) {
	q.logBack(w, w.fx.Back)
	q.tell(w.fx.Overdue)
	q.outside.dead = append(q.outside.dead, w.fx.Dead...)
	q.counters.DeadLetters += uint64(len(w.fx.Dead))
	q.outside.unused = q.outside.unused || w.fx.Unused
	q.outside.lapsed = q.outside.lapsed || w.fx.Lapsed
}

// forget gives up the contents of a message that left, and notes in the log
// that it did: nothing for one that was never logged.
func (q *Queue) forget(w *work, g *Gone) {
	q.live.add(-1, g.Size, g.Marks)
	switch {
	case inLog(g.Loc):
		w.append().Release(g.Loc, g.Size)
		if g.Marks&markPersistent != 0 {
			q.settled(w, g.Seq)
		}
	case inArena(g.Loc):
		q.arena.free(g.Loc, g.Size)
	}
}

// settled adds seq to the run of settled messages. A run may reach over numbers
// that are gone already, so two consumers that ack in turn leave one fact.
func (q *Queue) settled(w *work, seq uint64) {
	r := &q.run
	switch {
	case r.from == 0:
		*r = span{seq, seq}
	case seq > r.to && q.vacant(r.to+1, seq):
		r.to = seq
	case seq < r.from && q.vacant(seq+1, r.from):
		r.from = seq
	default:
		q.seal(w)
		*r = span{seq, seq}
	}
}

// vacant says that no message is in [from, to). It gives up after a few
// numbers: then it is only one more fact.
func (q *Queue) vacant(from, to uint64) bool {
	for range 16 {
		if from == to {
			return true
		}
		seq, ok := q.state.index.after(from)
		if !ok || seq >= to {
			return true
		}
		if q.state.index.entry(seq) != nil {
			return false
		}
		from = seq + 1
	}
	return false
}

// seal writes the run's fact.
func (q *Queue) seal(w *work) {
	if q.run.from != 0 {
		w.append().Fact(FactSettle, q.opt.ID, q.run.from, q.run.to)
		q.run = span{}
	}
}

// finish is the end of a pass over q: timers, signals, memory.
func (q *Queue) finish(w *work) {
	if q.arena.sparse() {
		q.compact()
	}
	q.pages.idle(q.state.ready)
	q.makeRoom()
	if q.outside.signal() {
		q.opt.Host.Outside(q)
	}
	if q.deleted {
		return
	}
	if q.state.unwatched() {
		q.apply(w, &Command{Kind: Watch, Now: q.time(w)})
	}
	if q.state.Timed() || q.state.looks.next != 0 && q.armed == noDeadline {
		q.arm()
	}
}

// arm asks for a tick when one is due before the next expected. A later one is
// not asked for: the early tick finds nothing and arms again.
func (q *Queue) arm() {
	at := q.state.Deadline()
	if at < q.armed {
		q.armed = at
		q.opt.Host.Arm(q, q.epoch.Add(time.Duration(at)))
	}
}

// compact moves the arena's contents together.
func (q *Queue) compact() {
	old := q.arena
	q.arena = arena{}
	q.arena.init(q.opt.Memory)
	for seq, e := q.state.index.nextLive(1); e != nil; seq, e = q.state.index.nextLive(seq + 1) {
		if inArena(e.loc) {
			c := old.at(e.loc, e.size)
			e.loc = q.arena.put(&c)
		}
	}
	old.giveAll()
}
