package broker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/queue"
)

// eventExchange takes a message for each thing that happens to the node's
// entities, as RabbitMQ's event exchange plugin: what happened is the key, such
// as "queue.created", and everything about it is in the headers.
const eventExchange = "amq.rabbitmq.event"

// internalUser is who does what no client has asked for.
const internalUser = "rmq-internal"

// events says where events go.
type events struct {
	notices
	vhost     atomic.Pointer[string] // nil: nowhere
	consumers sync.Map               // those whose end is to be told
	actor     string                 // the user whose change of the topology is being made; guarded by Broker.mu
}

// EnableEvents makes the event exchange in a virtual host, when it is not
// there, and has events published to it from now on. The error is an *Error,
// NotFound when there is no such host.
func (b *Broker) EnableEvents(vhost string) error {
	if err := b.ensureTopic(vhost, eventExchange); err != nil {
		return err
	}
	b.events.vhost.Store(&vhost)
	return nil
}

// DisableEvents ends the publishing of events; the exchange stays.
func (b *Broker) DisableEvents() { b.events.vhost.Store(nil) }

// ensureTopic makes an internal durable topic exchange when there is none of
// that name, and returns when that is stored.
func (b *Broker) ensureTopic(vhost, name string) error {
	return b.administer(context.Background(), func() ([]meta.Change, error) {
		v := b.vhosts[vhost]
		if v == nil {
			return nil, missingVHost(vhost)
		}
		if v.exchanges[name] != nil {
			return nil, nil
		}
		id, cs := b.meta.NextID()
		def := &meta.Exchange{ID: id, VHost: vhost, Name: name, Kind: "topic", Durable: true, Internal: true}
		b.raiseExchange(def)
		return append(cs, b.meta.PutExchange(def)...), nil
	})
}

// Event publishes an event when events are published: key and fields are as
// RabbitMQ's plugin has them, the time is added. It may be called anywhere.
func (b *Broker) Event(key string, fields ...wire.Field) {
	vhost := b.events.vhost.Load()
	if vhost == nil {
		return
	}
	now := b.opt.Clock.Now()
	fields = append(fields, wire.Field{Name: "timestamp_in_ms", Value: now.UnixMilli()})
	b.events.post(notice{vhost: *vhost, exchange: eventExchange, key: key, props: wire.Properties{
		Flags:        wire.FlagHeaders | wire.FlagDeliveryMode | wire.FlagTimestamp,
		DeliveryMode: 2, Timestamp: wire.Timestamp(now.Unix()), Headers: fields,
	}})
}

// eventful says whether to gather an event's fields at all.
func (b *Broker) eventful() bool { return b.events.vhost.Load() != nil }

// acting is the key of Acting.
type acting struct{}

// Acting gives a context that says which user makes changes with it; without it
// they are the node's own.
func Acting(ctx context.Context, user string) context.Context {
	return context.WithValue(ctx, acting{}, user)
}

func actor(ctx context.Context) string {
	if user, ok := ctx.Value(acting{}).(string); ok {
		return user
	}
	return internalUser
}

// acts says who makes the changes of the topology until done; mu is held.
func (b *Broker) acts(user string) (done func()) {
	before := b.events.actor
	b.events.actor = user
	return func() { b.events.actor = before }
}

// consumerCreated tells of a new consumer, and remembers to tell of its end.
func (s *Session) consumerCreated(c *queue.Consumer) {
	if !s.b.eventful() {
		return
	}
	s.b.events.consumers.Store(c, true)
	o := c.Options()
	s.b.Event("consumer.created", text("consumer_tag", o.Tag), truth("exclusive", o.Exclusive), truth("ack_required", !o.NoAck),
		text("queue", c.Queue().Options().Name), wire.Field{Name: "prefetch_count", Value: int64(o.Prefetch)}, argumentTerms(o.Arguments),
		text("vhost", s.vhost.name), text("user_who_performed_action", s.opt.User.Name()))
}

// consumerDeleted tells of the end of a consumer, once.
func (s *Session) consumerDeleted(c *queue.Consumer) {
	if !s.b.eventful() {
		return
	}
	if _, known := s.b.events.consumers.LoadAndDelete(c); known {
		s.b.Event("consumer.deleted", text("consumer_tag", c.Options().Tag), text("queue", c.Queue().Options().Name),
			text("vhost", s.vhost.name), text("user_who_performed_action", s.opt.User.Name()))
	}
}

// connectionEvent tells of a connection that is opened or closed.
func (s *Session) connectionEvent(key string) {
	if !s.b.eventful() {
		return
	}
	user := s.opt.User.Name()
	s.b.Event(key, text("name", s.opt.Name), text("user", user), text("vhost", s.vhost.name), text("node", s.b.opt.NodeName),
		text("type", "network"), text("user_who_performed_action", user))
}

// channelEvent tells of a channel that is opened or closed.
func (p *Publisher) channelEvent(key string) {
	if !p.s.b.eventful() {
		return
	}
	o := &p.s.opt
	p.s.b.Event(key, text("name", fmt.Sprintf("%s (%d)", o.Name, p.channel)), wire.Field{Name: "number", Value: int64(p.channel)},
		text("connection", o.Name), text("user", o.User.Name()), text("vhost", p.s.vhost.name), text("user_who_performed_action", o.User.Name()))
}

// authenticated tells of a login.
func (b *Broker) authenticated(user string, err error) {
	switch {
	case !b.eventful():
	case err != nil:
		b.Event("user.authentication.failure", text("name", user), text("error", err.Error()))
	default:
		b.Event("user.authentication.success", text("name", user))
	}
}
