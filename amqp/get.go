package amqp

import (
	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/queue"
)

// get handles basic.get. The answer may have to be read from the disk first.
func (ch *channel) get(m *wire.BasicGet) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	q, err := ch.conn.session.Queue(name, broker.Read)
	if err != nil {
		return err
	}
	if err := q.Gettable(); err != nil {
		return err
	}
	g := ch.getter(q)
	a := ch.answer(m, false)
	q.Get(g.qc, m.NoAck, func(d queue.Delivery, remaining int, ok bool) {
		if ok {
			g.got(m.NoAck, &d, remaining)
			a.give(nil, nil)
		} else {
			g.nothing()
			a.give(&wire.BasicGetEmpty{}, nil)
		}
	})
	ch.settleAnswers()
	ch.conn.turn.crowded = ch.conn.out.pending() > hardLimit // gets pass the soft limit
	return nil
}

// maxGetters bounds the queues of a channel that keep a getter without need.
const maxGetters = 64

func (ch *channel) getter(q *queue.Queue) *consumer {
	if g := ch.getters[q]; g != nil {
		return g
	}
	if len(ch.getters) >= maxGetters {
		ch.dropGetters()
	}
	if ch.getters == nil {
		ch.getters = make(map[*queue.Queue]*consumer)
	}
	g := &consumer{ch: ch, qc: q.Getter(), getter: true}
	g.qc.Watch(ch.overdue)
	ch.mu.Lock()
	g.counts = ch.listing.counts.of(q)
	ch.holders.add(g)
	ch.mu.Unlock()
	ch.getters[q] = g
	return g
}

// dropGetters ends the getters that hold nothing. No get is under way.
func (ch *channel) dropGetters() {
	var idle []*consumer
	ch.mu.Lock()
	for q, g := range ch.getters {
		if g.held == 0 {
			ch.holders.remove(g)
			delete(ch.getters, q)
			idle = append(idle, g)
		}
	}
	ch.mu.Unlock()
	for _, g := range idle {
		g.qc.Release()
	}
}

// got sends get-ok: called under the queue's mutex, while the views are valid.
func (g *consumer) got(noAck bool, d *queue.Delivery, remaining int) {
	ch := g.ch
	ch.mu.Lock()
	defer ch.mu.Unlock()
	o := ch.conn.out
	s := o.lock()
	defer o.unlock()
	if ch.muted {
		return
	}
	var tag uint64
	if noAck {
		tag = ch.unacked.tag()
	} else {
		tag = ch.unacked.push(g.slot, d.ID)
		g.held++
	}
	g.countGet(noAck, d.Redelivered)
	exchange, key := wire.SplitRoute(d.Route)
	s.method(ch.id, &wire.BasicGetOk{
		DeliveryTag: tag, Redelivered: d.Redelivered,
		Exchange: string(exchange), RoutingKey: string(key), MessageCount: uint32(remaining),
	})
	s.content(ch.id, &d.Content, o.frameMax)
	if ch.conn.session.Tracing() {
		ch.conn.session.Delivered(ch.id, g.qc.Queue(), []queue.Delivery{*d})
	}
}
