package amqp

import (
	"encoding/base64"
	"io"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/queue"
)

// consumer is one basic.consume: the sink of its queue. A getter stands for the
// basic.gets of a channel from one queue.
type consumer struct {
	ch     *channel
	qc     *queue.Consumer // set before the first delivery
	tag    string
	slot   uint32
	noAck  bool
	getter bool

	// Guarded by channel.mu.
	held      int                   // entries in the unacked ring
	counts    *broker.DeliverCounts // set before the first delivery
	ended     bool                  // nothing more comes
	announced bool                  // consume-ok is sent
	cancelled bool                  // the server ended it before that
	starved   bool                  // in credit.starved

	refused bool // in outbound.refused; guarded by outbound.mu

	// Guarded by the queue's mutex.
	admitted int64 // credits taken and not yet used by a delivery
}

// holders finds those who hold deliveries of a channel by slot, so that the
// unacked ring has no pointers.
type holders struct {
	slots []*consumer
	spare []uint32
}

func (h *holders) at(slot uint32) *consumer { return h.slots[slot] }

func (h *holders) add(k *consumer) {
	if n := len(h.spare); n > 0 {
		k.slot = h.spare[n-1]
		h.spare = h.spare[:n-1]
		h.slots[k.slot] = k
		return
	}
	k.slot = uint32(len(h.slots))
	h.slots = append(h.slots, k)
}

func (h *holders) remove(k *consumer) {
	if int(k.slot) < len(h.slots) && h.slots[k.slot] == k {
		h.slots[k.slot] = nil
		h.spare = append(h.spare, k.slot)
	}
}

// queueName resolves the empty name, which means the queue the channel declared
// last.
func (ch *channel) queueName(name string) (string, error) {
	if name == "" {
		name = ch.last
	}
	if name == "" {
		return "", wire.Errorf(wire.NotFound, "no previously declared queue")
	}
	return name, nil
}

// consume handles basic.consume: consume-ok goes out before the first delivery.
func (ch *channel) consume(m *wire.BasicConsume) error {
	if ch.uses(m.ConsumerTag) {
		return wire.Errorf(wire.NotAllowed, "attempt to reuse consumer tag '%s'", m.ConsumerTag)
	}
	if err := ch.conn.session.MayConsume(ch.consuming()); err != nil {
		return err
	}
	if m.Queue == replyQueue {
		return ch.consumeReplies(m)
	}
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	tag, err := ch.consumerTag(m.ConsumerTag)
	if err != nil {
		return err
	}
	k := &consumer{ch: ch, tag: tag, noAck: m.NoAck}
	k.qc, err = ch.conn.session.Consume(name, queue.ConsumerOptions{
		Tag: tag, NoAck: m.NoAck, Exclusive: m.Exclusive, Shared: !m.NoAck,
		Global: ch.credit.limit.Load() > 0, Prefetch: ch.credit.each, Arguments: m.Arguments, Sink: k, Channel: ch,
	})
	if err != nil {
		return err
	}
	k.qc.Watch(ch.overdue)
	ch.announce(k, m.NoWait)
	k.qc.Start()
	return nil
}

// consuming is the number of the channel's consumers.
func (ch *channel) consuming() int {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return len(ch.consumers)
}

// uses says whether a consumer of the channel has the tag.
func (ch *channel) uses(tag string) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return tag != "" && (ch.consumers[tag] != nil || ch.reply.tag == tag)
}

// consumerTag makes a tag when the client chose none.
func (ch *channel) consumerTag(tag string) (string, error) {
	if tag != "" {
		return tag, nil
	}
	var b [16]byte
	if _, err := io.ReadFull(ch.conn.srv.opt.Rand, b[:]); err != nil {
		return "", err
	}
	return "amq.ctag-" + base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// announce enters k and sends consume-ok, and basic.cancel after it if the
// queue was deleted meanwhile.
func (ch *channel) announce(k *consumer, noWait bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.holders.add(k)
	k.counts = ch.listing.counts.of(k.qc.Queue())
	if !noWait {
		ch.send(&wire.BasicConsumeOk{ConsumerTag: k.tag})
	}
	k.announced = true
	if k.cancelled {
		k.sayCancelled()
		return
	}
	ch.consumers[k.tag] = k
}

// cancel handles basic.cancel. RabbitMQ: an unknown tag is answered too.
func (ch *channel) cancel(m *wire.BasicCancel) {
	ch.mu.Lock()
	k := ch.consumers[m.ConsumerTag]
	delete(ch.consumers, m.ConsumerTag)
	ch.mu.Unlock()
	switch {
	case k != nil:
		ch.conn.session.Cancel(k.qc) // nothing is delivered after this returns
		ch.mu.Lock()
		k.end()
		ch.mu.Unlock()
		ch.feedStarved()
	case m.ConsumerTag != "" && m.ConsumerTag == ch.reply.tag:
		ch.endReplies()
	}
	if !m.NoWait {
		ch.send(&wire.BasicCancelOk{ConsumerTag: m.ConsumerTag})
	}
}

// end gives back what k does not need any more. Called with channel.mu, after
// the queue's last call.
func (k *consumer) end() {
	k.ended = true
	k.ch.credit.used.Add(-k.admitted)
	k.admitted = 0
	if k.held == 0 {
		k.ch.holders.remove(k)
	}
}

// Cancelled ends the consumer because its queue is deleted (RabbitMQ's consumer
// cancel notification). Implements queue.Sink.
func (k *consumer) Cancelled() {
	ch := k.ch
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.muted {
		return
	}
	if !k.announced {
		k.cancelled = true
		return
	}
	delete(ch.consumers, k.tag)
	k.sayCancelled()
	ch.conn.in.wake() // for who starves for the credit
}

// sayCancelled is called with channel.mu.
func (k *consumer) sayCancelled() {
	k.end()
	if k.ch.conn.peer.can.cancelNotify {
		k.ch.conn.out.method(k.ch.id, &wire.BasicCancel{ConsumerTag: k.tag, NoWait: true})
	}
}

// qos handles basic.qos. RabbitMQ: global=false is for the consumers to come,
// global=true is shared by all of the channel, running ones too.
func (ch *channel) qos(m *wire.BasicQos) error {
	if m.PrefetchSize != 0 {
		return wire.Errorf(wire.NotImplemented, "prefetch_size!=0 (%d)", m.PrefetchSize)
	}
	if !m.Global {
		ch.mu.Lock()
		ch.credit.each = m.PrefetchCount
		ch.mu.Unlock()
		ch.send(&wire.BasicQosOk{})
		return nil
	}
	ch.credit.limit.Store(int64(m.PrefetchCount))
	ch.send(&wire.BasicQosOk{})
	ch.feedStarved()
	return nil
}
