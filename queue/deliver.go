package queue

const (
	deliverStep  = 128       // deliveries offered to a sink at once
	deliverBytes = 256 << 10 // of payloads copied out of the log for one offer
)

// pump offers c what it was given, until there is no more, its sink is full, or
// the next body has to be read first.
func (q *Queue) pump(w *work, c *Consumer) {
	if c.kin != nil && !c.ended {
		q.pumpKin(w, c)
		return
	}
	if !q.sending(c) {
		return
	}
	h := q.state.holders[c.slot]
	for h.sent < h.last && q.sending(c) && q.send(w, c, h.last) {
	}
}

// sending says that c takes deliveries and waits for no body.
func (q *Queue) sending(c *Consumer) bool {
	return !c.full && !c.ended && !c.stalled
}

// send offers c deliveries with ids up to last. It returns false when there is
// none that can be sent.
func (q *Queue) send(w *work, c *Consumer, last uint64) bool {
	if c.stalled = !q.gather(w, c, last); c.stalled {
		q.fetch()
	}
	if len(w.out) == 0 {
		return false
	}
	n := c.opt.Sink.Deliver(w.out)
	q.count(c, w.out[:n])
	if q.counting {
		q.noteSent(q.state.holders[c.slot], n)
	}
	c.full = n < len(w.out)
	q.room.futile = q.room.futile && n == 0
	q.apply(w, &Command{Kind: Sent, Holder: c.slot, To: uint64(n)})
	if c.full {
		q.apply(w, &Command{Kind: Block, Holder: c.slot})
	}
	return true
}

// gather fills w.out with c's next deliveries. It returns false when it stopped
// at a body that is not in memory.
func (q *Queue) gather(w *work, c *Consumer, last uint64) bool {
	h := q.state.holders[c.slot]
	clear(w.out) // keeps nobody's body alive
	w.out, w.buf = w.out[:0], w.buf[:0]
	for id := h.sent + 1; id <= last && len(w.out) < deliverStep && len(w.buf) < deliverBytes; id++ {
		w.out = append(w.out, Delivery{ID: id})
		if !q.fill(w, h.seq(id), &w.out[len(w.out)-1]) {
			w.out = w.out[:len(w.out)-1]
			return false
		}
		if q.counting {
			q.showCount(w, h.seq(id), &w.out[len(w.out)-1], false)
		}
	}
	return true
}

// fill completes d with the message seq if its contents are in memory: the
// publisher's own views in the same pass, the arena, a page, the log's tail.
func (q *Queue) fill(w *work, seq uint64, d *Delivery) bool {
	e := q.state.index.entry(seq)
	d.Redelivered = e.meta&markDelivered != 0 || seq < q.state.suspect
	switch {
	case isPending(e.loc):
		m := &w.msgs[e.loc&^uint64(locKind)]
		d.Content = m.Content
		return true
	case inArena(e.loc):
		d.Content = q.arena.at(e.loc, e.size)
		return true
	}
	if payload := q.lookup(seq); payload != nil {
		d.Content = ParseContent(payload)
		return true
	}
	at := len(w.buf)
	buf, ok := q.opt.Log.Cached(e.loc, e.size, w.buf)
	if !ok {
		return false
	}
	w.buf = buf
	d.Content = ParseContent(buf[at:])
	return true
}
