package broker

import (
	"sync/atomic"

	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/queue"
)

// shelf is a hidden queue on which an exchange keeps what it has to remember:
// in the log when the exchange is durable, so that it comes and goes in one
// batch with messages and is there after a crash. The exchange's id is also the
// queue's, so nothing about it is in the metadata.
//
// The exchange is the only consumer. It is given everything at once and
// acknowledges what it forgets; what it rejects comes back whole, as a dead
// letter does.
type shelf struct {
	*queue.Queue
	consumer  *queue.Consumer
	delivered atomic.Int64 // since the start; the sink counts
}

// loaded says whether all that was on the shelf at the start is delivered. It
// takes the queue's mutex.
func (s *shelf) loaded() bool {
	ready, held, _ := s.Counts()
	return s.delivered.Load() >= int64(ready+held)
}

// newShelf makes the shelf of an exchange; mu is held. After a start it is
// empty until the log is read, and begins to deliver at Resume.
func (b *Broker) newShelf(def *meta.Exchange, sink queue.Sink) (*shelf, error) {
	nowhere := ""
	o := queue.Options{ID: def.ID, VHost: def.VHost, Name: def.Name, Durable: def.Durable, Clock: b.opt.Clock, Host: b.host, Memory: &b.memory}
	o.Arguments.DeadLetterExchange = &nowhere // rejected messages come to drain
	o.Log = b.log()
	q := queue.New(o)
	c, err := q.Attach(queue.ConsumerOptions{Sink: sink})
	if err != nil {
		return nil, err
	}
	c.Start()
	b.byID[def.ID] = q
	return &shelf{Queue: q, consumer: c}, nil
}

// dropShelf deletes what a special exchange keeps; mu is held. What is saved
// after it is stored after it, so the tombstone goes first.
func (b *Broker) dropShelf(x *exchangeRef) {
	x.special.close()
	s := x.special.shelf()
	if s == nil {
		return
	}
	delete(b.byID, x.def.ID)
	_, pos, _ := s.Delete(false, false) // without conditions it is only refused when it was deleted before
	if pos > 0 {
		b.commits.save(pos, nil, func(error) {})
	}
}

// shelfOf gives the exchange that q is the shelf of, nil when it is a queue as
// any other.
func (b *Broker) shelfOf(q *queue.Queue) *exchangeRef {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.exByID[q.ID()]
}
