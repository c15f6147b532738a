package broker

import (
	"strings"
	"sync"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// Direct reply-to (RabbitMQ): a consumer of the pseudo queue gets a name of
// its own; what is published to that name by the default exchange goes
// straight to its channel.
const (
	replyQueue  = "amq.rabbitmq.reply-to"
	replyPrefix = "amq.rabbitmq.reply-to"
)

// replies are the channels that take direct replies, by name.
type replies struct{ m sync.Map }

// RegisterReplyTo gives the calling channel a name. deliver copies a message
// to it, false when it is gone.
func (s *Session) RegisterReplyTo(deliver func(queue.Content) bool) (name string, unregister func()) {
	name, err := s.b.generated(replyQueue + ".")
	if err != nil {
		return "", func() {}
	}
	s.b.replies.m.Store(name, deliver)
	return name, func() { s.b.replies.m.Delete(name) }
}

// SetReplyTo tells the publisher its channel's name, empty for none.
func (p *Publisher) SetReplyTo(name string) { p.replyTo = name }

// deliver hands the message to the channel that key names, if it names one.
func (r *replies) deliver(key []byte, c queue.Content) {
	if len(key) <= len(replyPrefix) || string(key[:len(replyPrefix)]) != replyPrefix {
		return
	}
	if to, ok := r.m.Load(string(key)); ok {
		to.(func(queue.Content) bool)(c) // false is a requester that has just left
	}
}

// info answers a declare of the pseudo queue or of a channel's name.
func (r *replies) info(name, vhost string) (QueueInfo, error) {
	if _, ok := r.m.Load(name); !ok && strings.HasPrefix(name, replyQueue+".") {
		return QueueInfo{}, wire.Errorf(wire.NotFound, "no queue '%s' in vhost '%s'", name, vhost)
	}
	return QueueInfo{Name: name, Consumers: 1}, nil
}
