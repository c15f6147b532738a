package queue

import (
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// Purge removes the ready messages; they are not dead-lettered (RabbitMQ). It
// returns how many there were and the position to wait for.
func (q *Queue) Purge() (n int, pos uint64) {
	pos = q.locked(func(w *work) { n = q.sweep(w, Purge) })
	return n, pos
}

// sweep applies Purge or Drop from one end to the other in bounded steps, and
// returns the number of ready messages that went.
func (q *Queue) sweep(w *work, kind Kind) (n int) {
	c := Command{Kind: kind, From: 1}
	for {
		q.apply(w, &c)
		n += w.fx.N
		if !w.fx.More {
			return n
		}
		c.From = w.fx.Seq
	}
}

// Delete ends the queue: its messages are gone, not dead-lettered (RabbitMQ),
// its consumers are told. What holds on to it afterwards does nothing. It
// returns the number of ready messages, and the position of the tombstone to
// wait for before the queue leaves the metadata. The error is a 406 of RabbitMQ's
// when a condition does not hold, a 404 when the queue is deleted already.
func (q *Queue) Delete(ifUnused, ifEmpty bool) (n int, pos uint64, err error) {
	pos = q.locked(func(w *work) {
		if err = q.deletable(ifUnused, ifEmpty); err == nil {
			n = q.delete(w)
		}
	})
	return n, pos, err
}

func (q *Queue) deletable(ifUnused, ifEmpty bool) error {
	switch {
	case q.deleted:
		return q.errMissing()
	case ifUnused && q.state.consumers > 0:
		return wire.Errorf(wire.PreconditionFailed, "queue '%s' in vhost '%s' in use", q.opt.Name, q.opt.VHost)
	case ifEmpty && q.state.ready+q.state.waiting > 0:
		return wire.Errorf(wire.PreconditionFailed, "queue '%s' in vhost '%s' not empty", q.opt.Name, q.opt.VHost)
	}
	return nil
}

func (q *Queue) delete(w *work) int {
	n := q.sweep(w, Drop)
	q.run = span{} // the tombstone says more
	if q.logged {
		w.append().Fact(FactTombstone, q.opt.ID, 0, 0)
	}
	q.deleted = true
	for _, c := range q.consumers {
		if c != nil {
			ended := c.ended || c.opt.Sink == nil
			c.ended, c.gone = true, true
			if !ended {
				c.opt.Sink.Cancelled()
			}
		}
	}
	for _, g := range q.pages.gets {
		g.done(Delivery{}, 0, false)
	}
	q.consumers, q.pages, q.outside = nil, pages{asked: q.pages.asked}, outside{}
	q.state = NewState(Config{TTL: -1}, q.opt.Memory, q.admit)
	if q.armed != noDeadline {
		q.opt.Host.Arm(q, time.Time{})
	}
	return n
}

// Deleted says that the queue was deleted.
func (q *Queue) Deleted() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.deleted
}
