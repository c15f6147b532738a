package queue

// Consumers of one queue on one channel are kin: the channel gets their
// deliveries in the order of the messages, as if it were one consumer (spec:
// 4.7; RabbitMQ). They share the channel's room, so they are full and have room
// together.

// join puts c into the ring of its channel's consumers.
func (q *Queue) join(c *Consumer) {
	if c.opt.Channel == nil {
		return
	}
	for _, k := range q.consumers {
		if k == nil || k == c || k.ended || k.opt.Channel != c.opt.Channel {
			continue
		}
		if k.kin == nil {
			k.kin = k
		}
		c.kin, k.kin = k.kin, c
		return
	}
}

// part takes c out of its ring. The others are offered room again: the sink may
// have promised it to c, who does not ask any more.
func (q *Queue) part(w *work, c *Consumer) {
	if c.kin == nil {
		return
	}
	last := c
	for k := c.kin; k != c; k = k.kin {
		last = k
		if k.full {
			q.reopen(w, k)
		}
	}
	if last.kin = c.kin; last.kin == last {
		last.kin = nil
	}
	c.kin = nil
}

// pumpKin sends what c and its kin were given, the first message first, until
// there is no more, the channel is full, or a body has to be read first.
func (q *Queue) pumpKin(w *work, c *Consumer) {
	for {
		k, last := q.firstOf(c)
		if k == nil || !q.sending(k) || !q.send(w, k, last) {
			return
		}
		if k.full {
			q.fillKin(w, k)
			return
		}
	}
}

// firstOf returns who of c and its kin has the first message to be sent, and
// up to which id its messages are before those of the others.
func (q *Queue) firstOf(c *Consumer) (first *Consumer, last uint64) {
	head, bound := ^uint64(0), ^uint64(0)
	for k := c; ; {
		if h := q.state.holders[k.slot]; h.sent < h.last {
			switch rank := q.state.rank(h.seq(h.sent + 1)); {
			case rank < head:
				first, head, bound = k, rank, head
			case rank < bound:
				bound = rank
			}
		}
		if k = k.kin; k == c {
			break
		}
	}
	if first == nil {
		return nil, 0
	}
	h := q.state.holders[first.slot]
	last = h.sent + 1
	for last < h.last && last-h.sent < deliverStep && q.state.rank(h.seq(last+1)) < bound {
		last++
	}
	return first, last
}

// fillKin notes that the channel of c is full: its kin wait with it.
func (q *Queue) fillKin(w *work, c *Consumer) {
	for k := c.kin; k != c; k = k.kin {
		if k.started && !k.full {
			k.full = true
			q.apply(w, &Command{Kind: Block, Holder: k.slot})
		}
	}
}
