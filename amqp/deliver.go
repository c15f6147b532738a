package amqp

import (
	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// Deliver copies deliveries into the connection's outbound buffer, as many as
// there is room for. Implements queue.Sink.
func (k *consumer) Deliver(ds []queue.Delivery) int {
	ch := k.ch
	o := ch.conn.out
	ch.mu.Lock()
	s := o.lock()
	n := 0
	if !ch.muted && !o.dead {
		n = k.deliver(s, ds)
		k.count(ds[:n])
	}
	if n < len(ds) {
		o.refuse(k)
	}
	o.unlock()
	ch.mu.Unlock()
	if !k.noAck {
		k.admitted -= int64(n)
	}
	if ch.conn.session.Tracing() {
		ch.conn.session.Delivered(ch.id, k.qc.Queue(), ds[:n])
	}
	return n
}

// deliver is called with channel.mu and outbound.mu.
func (k *consumer) deliver(s *segment, ds []queue.Delivery) int {
	ch := k.ch
	frameMax := ch.conn.out.frameMax
	for i := range ds {
		if s.size >= softLimit {
			return i
		}
		d := &ds[i]
		var tag uint64
		if k.noAck {
			tag = ch.unacked.tag()
		} else {
			tag = ch.unacked.push(k.slot, d.ID)
			k.held++
		}
		s.grown(wire.AppendDeliver(s.b, ch.id, k.tag, tag, d.Redelivered, d.Route))
		s.content(ch.id, &d.Content, frameMax)
	}
	return len(ds)
}

// refuse notes a consumer to be resumed when there is room. Called with mu.
func (o *outbound) refuse(k *consumer) {
	if !k.refused && !o.dead {
		k.refused = true
		o.refused = append(o.refused, k)
	}
}

// resume takes deliveries again; called by the writer.
func (k *consumer) resume() { k.qc.Resume() }

// Admit takes one of the credits that the channel's consumers share.
// Implements queue.Sink.
func (k *consumer) Admit() bool {
	c := &k.ch.credit
	limit := c.limit.Load()
	if used := c.used.Add(1); limit == 0 || used <= limit {
		k.admitted++
		return true
	}
	c.used.Add(-1)
	return k.starve()
}

// starve lists k for the next credit that is given back, unless one was
// meanwhile.
func (k *consumer) starve() bool {
	ch := k.ch
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !k.starved {
		k.starved = true
		ch.credit.starved = append(ch.credit.starved, k)
	}
	limit := ch.credit.limit.Load()
	if used := ch.credit.used.Add(1); limit == 0 || used <= limit {
		k.admitted++
		return true
	}
	ch.credit.used.Add(-1)
	return false
}

// feedStarved offers the credits that came back.
func (ch *channel) feedStarved() {
	ch.mu.Lock()
	limit := ch.credit.limit.Load()
	if len(ch.credit.starved) == 0 || limit > 0 && ch.credit.used.Load() >= limit {
		ch.mu.Unlock()
		return
	}
	list := ch.credit.starved
	ch.credit.starved = nil
	for _, k := range list {
		k.starved = false
	}
	ch.mu.Unlock()
	for _, k := range list {
		k.qc.Resume()
	}
}
