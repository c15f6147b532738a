package queue

import "github.com/leveretmq/leveret/amqp/wire"

// get is a basic.get under way.
type get struct {
	c     *Consumer
	noAck bool
	done  func(d Delivery, remaining int, ok bool)
	id    uint64 // what it was given; 0: nothing yet
	seq   uint64
}

// Gettable returns RabbitMQ's 405 for a quorum queue with a single active
// consumer, from which nobody gets; else nil.
func (q *Queue) Gettable() error {
	if q.quorum() && q.opt.Arguments.SingleActive {
		return wire.Errorf(wire.ResourceLocked, "cannot obtain access to locked queue '%s' in vhost '%s'. "+
			"basic.get operations are not supported by quorum queues with single active consumer", q.opt.Name, q.opt.VHost)
	}
	return nil
}

// Get takes the head of the queue for a getter. done is called once, under the
// queue's mutex like Sink.Deliver and so with the same duties: at once, or after
// the body was read, on another goroutine. remaining counts the ready messages
// left; ok is false when there is no message. It is not called when the getter
// is released first.
func (q *Queue) Get(c *Consumer, noAck bool, done func(d Delivery, remaining int, ok bool)) {
	q.locked(func(w *work) { q.get(w, &get{c: c, noAck: noAck, done: done}) })
}

func (q *Queue) get(w *work, g *get) {
	if q.deleted || g.c.gone {
		g.done(Delivery{}, 0, false)
		return
	}
	h := q.state.holders[g.c.slot]
	if g.id == 0 || g.id > h.last { // not yet, or taken back since
		if !q.checkout(w, g) {
			q.counters.GotNothing++
			g.done(Delivery{}, 0, false)
			return
		}
	}
	w.buf = w.buf[:0]
	d := Delivery{ID: g.id}
	if !q.fill(w, g.seq, &d) {
		q.pages.gets = append(q.pages.gets, *g)
		q.fetch()
		return
	}
	if q.counting {
		q.showCount(w, g.seq, &d, true)
		if !g.noAck {
			q.noteSent(h, 1)
		}
	}
	q.countGet(g.noAck, d.Redelivered)
	q.apply(w, &Command{Kind: Tick}) // RabbitMQ: what has expired behind the message is not counted
	g.done(d, q.state.ready, true)
	q.apply(w, &Command{Kind: Sent, Holder: g.c.slot, To: 1, NoAck: g.noAck})
}

// checkout gives g the head of the queue, if there is one. A get from an empty
// queue renews its lease too.
func (q *Queue) checkout(w *work, g *get) bool {
	for {
		q.apply(w, &Command{Kind: Checkout, Holder: g.c.slot})
		if h := q.state.holders[g.c.slot]; h.last > h.sent {
			g.id = h.last
			g.seq = h.seq(h.last)
			return true
		}
		if q.state.ready == 0 {
			return false
		}
	}
}

// dropGets forgets the gets of a released getter.
func (p *pages) dropGets(c *Consumer) {
	kept := p.gets[:0]
	for _, g := range p.gets {
		if g.c != c {
			kept = append(kept, g)
		}
	}
	clear(p.gets[len(kept):])
	p.gets = kept
}
