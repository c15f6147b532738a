package queue

import (
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// Delivery is one message for one consumer. Its views are valid during the call
// that brings it.
type Delivery struct {
	Content
	ID          uint64 // the consumer's delivery id, gapless from 1
	Redelivered bool   // it was sent before, to whomever
}

// Sink is the channel's side of a consumer. Its methods are called under the
// queue's mutex: they only copy, and never call the queue.
type Sink interface {
	// Deliver takes as many deliveries as there is room for, in order, and
	// returns how many. When it is less than offered, nothing more is offered
	// until Consumer.Resume.
	Deliver(ds []Delivery) int
	// Cancelled says that the server ended the consumer: the queue is deleted.
	Cancelled()
	// Admit takes one credit of the channel's own prefetch (qos global=true) if
	// there is one; after false it is asked again at Consumer.Resume. Each true
	// is followed by one delivery, unless the consumer ends first: then the
	// credits of what was not delivered are the sink's to give back.
	Admit() bool
}

// ConsumerOptions is one basic.consume.
type ConsumerOptions struct {
	Tag       string
	NoAck     bool
	Exclusive bool
	Shared    bool // ask Sink.Admit before each message
	Global    bool // the channel has a prefetch of its own now (qos global=true)
	Prefetch  uint16
	Priority  int32 // an x-priority argument wins
	Arguments wire.Table
	Sink      Sink
	// Channel is the caller's own, for listings. Consumers of a queue with the
	// same one get their deliveries in the order of the messages.
	Channel any
}

// Consumer is a consumer of one queue, or a getter (Queue.Getter). It stays
// valid for settling until Release.
type Consumer struct {
	q   *Queue
	opt ConsumerOptions

	// Guarded by the queue's mutex.
	slot    uint32 // its number in the state machine
	started bool
	full    bool      // the sink took less than offered
	queued  bool      // in the touched list of the pass
	stalled bool      // the next body is being read
	ended   bool      // no more deliveries
	gone    bool      // released: it holds nothing
	kin     *Consumer // the next of those with its channel, in a ring; nil: alone
	overdue func(timeout time.Duration)
}

// Attach adds a consumer. Nothing is delivered before Start. The error is a
// *wire.Error: 403 when the queue is in exclusive use, 406 for bad arguments,
// 404 when it is deleted.
func (q *Queue) Attach(o ConsumerOptions) (*Consumer, error) {
	if err := o.parse(place{q.opt.VHost, q.opt.Name}); err != nil {
		return nil, err
	}
	c := &Consumer{q: q, opt: o}
	if q.quorum() {
		if o.Global {
			return nil, wire.Errorf(wire.NotImplemented, "queue '%s' in vhost '%s' does not support global qos", q.opt.Name, q.opt.VHost)
		}
		o.Exclusive = false // RabbitMQ: ignored
	}
	spec := &ConsumerSpec{Prefetch: int(o.Prefetch), Priority: o.Priority, NoAck: o.NoAck, Exclusive: o.Exclusive, Shared: o.Shared}
	if ms := timeout(o.Arguments); ms != nil {
		*ms *= int64(time.Millisecond)
		spec.Patience = ms
	}
	var err error
	q.locked(func(w *work) { err = q.attach(w, c, spec) })
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (q *Queue) attach(w *work, c *Consumer, spec *ConsumerSpec) error {
	if q.deleted {
		return q.errMissing()
	}
	q.apply(w, &Command{Kind: Attach, Consumer: spec})
	if w.fx.Refused {
		return wire.Errorf(wire.AccessRefused, "queue '%s' in vhost '%s' in exclusive use", q.opt.Name, q.opt.VHost)
	}
	c.slot = w.fx.Holder
	if int(c.slot) == len(q.consumers) {
		q.consumers = append(q.consumers, c)
	}
	q.consumers[c.slot] = c
	q.join(c)
	return nil
}

// Getter returns the holder of one channel's basic.get: not a consumer, but
// what it gets without no-ack is settled and released in the same way.
func (q *Queue) Getter() *Consumer {
	c := &Consumer{q: q, gone: true}
	q.locked(func(w *work) { c.gone = q.attach(w, c, nil) != nil })
	return c
}

// Queue returns the consumer's queue.
func (c *Consumer) Queue() *Queue { return c.q }

// Options returns what the consumer was attached with.
func (c *Consumer) Options() ConsumerOptions { return c.opt }

// Active says whether the consumer is served: always, unless another is the
// single active consumer of the queue.
func (c *Consumer) Active() bool {
	c.q.mu.Lock()
	defer c.q.mu.Unlock()
	return !c.ended && !c.gone && !c.q.state.holders[c.slot].passive
}

// Start lets deliveries begin: consume-ok is written.
func (c *Consumer) Start() {
	c.q.locked(func(w *work) {
		if !c.started && !c.ended && !c.gone {
			c.started = true
			c.q.apply(w, &Command{Kind: Open, Holder: c.slot})
		}
	})
}

// Resume says that the sink has room again, or its channel credit.
func (c *Consumer) Resume() {
	c.q.locked(func(w *work) {
		if !c.started || c.ended || c.gone {
			return
		}
		c.q.reopen(w, c)
		for k := c.kin; k != nil && k != c; k = k.kin {
			c.q.reopen(w, k)
		}
	})
}

// reopen offers c what it was given and more.
func (q *Queue) reopen(w *work, c *Consumer) {
	if !c.started {
		return
	}
	c.full = false
	w.touch(c)
	q.apply(w, &Command{Kind: Open, Holder: c.slot})
}

// Cancel ends the deliveries (basic.cancel). What was not yet sent goes back;
// what was sent stays with the consumer until it is settled or released.
func (c *Consumer) Cancel() {
	c.q.locked(func(w *work) {
		if c.ended || c.gone {
			return
		}
		c.ended = true
		c.q.part(w, c)
		c.q.apply(w, &Command{Kind: Detach, Holder: c.slot})
		c.q.forgetIdle(w, c)
	})
}

// Release ends the consumer with its channel: all it holds goes back to its
// place.
func (c *Consumer) Release() {
	c.q.locked(func(w *work) {
		if !c.gone {
			c.q.release(w, c)
		}
	})
}

func (q *Queue) release(w *work, c *Consumer) {
	c.ended, c.gone = true, true
	q.part(w, c)
	q.pages.dropGets(c)
	q.consumers[c.slot] = nil
	q.apply(w, &Command{Kind: Release, Holder: c.slot})
}

// forgetIdle releases a cancelled consumer that holds nothing any more.
func (q *Queue) forgetIdle(w *work, c *Consumer) {
	if c.ended && !c.gone && q.state.holders[c.slot].count == 0 {
		q.release(w, c)
	}
}

// Recover puts everything that was sent to c and not settled back to its place
// (basic.recover), and returns the position of the append.
func (q *Queue) Recover(c *Consumer) uint64 {
	return q.locked(func(w *work) { q.settle(w, Requeue, c, 1, ^uint64(0)) })
}
