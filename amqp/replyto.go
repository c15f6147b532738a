package amqp

import (
	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// replyQueue is the pseudo queue of direct reply-to.
const replyQueue = "amq.rabbitmq.reply-to"

// replyLimit is how much may wait for a requester's socket before answers to it
// are dropped: nothing stores them.
const replyLimit = 16 << 20

// replyConsumer is a channel's consumer of direct replies: answers go straight
// from who publishes them to the requester's channel.
type replyConsumer struct {
	tag        string // "": none
	unregister func()
}

// consumeReplies handles basic.consume of the pseudo queue.
func (ch *channel) consumeReplies(m *wire.BasicConsume) error {
	if ch.reply.tag != "" {
		return wire.Errorf(wire.PreconditionFailed, "reply consumer already set")
	}
	if !m.NoAck {
		return wire.Errorf(wire.PreconditionFailed, "reply consumer cannot acknowledge")
	}
	tag, err := ch.consumerTag(m.ConsumerTag)
	if err != nil {
		return err
	}
	if !m.NoWait {
		ch.send(&wire.BasicConsumeOk{ConsumerTag: tag})
	}
	name, unregister := ch.conn.session.RegisterReplyTo(func(c queue.Content) bool { return ch.answered(tag, c) })
	ch.reply = replyConsumer{tag, unregister}
	ch.publisher.SetReplyTo(name)
	return nil
}

// answered delivers a reply. It runs on the answering connection's goroutine.
func (ch *channel) answered(tag string, c queue.Content) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	o := ch.conn.out
	s := o.lock()
	defer o.unlock()
	if ch.muted || o.dead || s.size > replyLimit {
		return false
	}
	s.grown(wire.AppendDeliver(s.b, ch.id, tag, ch.unacked.tag(), false, c.Route))
	s.content(ch.id, &c, o.frameMax)
	return true
}

// endReplies ends the consumer of replies, if there is one.
func (ch *channel) endReplies() {
	if ch.reply.unregister != nil {
		ch.reply.unregister()
		ch.publisher.SetReplyTo("")
	}
	ch.reply = replyConsumer{}
}
