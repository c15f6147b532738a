package broker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/exchange"
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

func text(name, value string) wire.Field { return wire.Field{Name: name, Value: value} }

func truth(name string, value bool) wire.Field { return wire.Field{Name: name, Value: value} }

// by is who has asked for a change of the topology; mu is held.
func (b *Broker) by() wire.Field {
	if b.events.actor == "" {
		return text("user_who_performed_action", internalUser)
	}
	return text("user_who_performed_action", b.events.actor)
}

// argumentTerms shows a table as the plugin does, by Erlang terms.
func argumentTerms(t wire.Table) wire.Field {
	list := wire.Array{}
	for _, term := range exchange.Terms(t) {
		list = append(list, term)
	}
	return wire.Field{Name: "arguments", Value: list}
}

// exchangeEvent tells of an exchange made or gone; mu is held.
func (b *Broker) exchangeEvent(key string, d *meta.Exchange) {
	switch {
	case !b.eventful():
	case key == "exchange.deleted":
		b.Event(key, text("name", d.Name), text("vhost", d.VHost), b.by())
	default:
		b.Event(key, text("name", d.Name), text("vhost", d.VHost), text("type", d.Kind), truth("durable", d.Durable),
			truth("auto_delete", d.AutoDelete), truth("internal", d.Internal), argumentTerms(d.Arguments), text("policy", ""), b.by())
	}
}

// queueCreated tells of a new queue; mu is held.
func (b *Broker) queueCreated(q *queueRef) {
	if !b.eventful() {
		return
	}
	owner := ""
	if q.owner != nil {
		owner = q.owner.opt.Name
	}
	d := q.def
	b.Event("queue.created", text("name", d.Name), text("vhost", d.VHost), truth("durable", d.Durable), truth("auto_delete", d.AutoDelete),
		truth("exclusive", d.Exclusive), text("owner_pid", owner), argumentTerms(d.Arguments), b.by())
}

// queueDeleted tells of a queue that by has deleted.
func (b *Broker) queueDeleted(d *meta.Queue, by string) {
	if b.eventful() {
		b.Event("queue.deleted", text("name", d.Name), text("vhost", d.VHost), text("user_who_performed_action", by))
	}
}

// bindingEvent tells of a binding made or gone; mu is held.
func (b *Broker) bindingEvent(key string, d *meta.Binding) {
	if !b.eventful() {
		return
	}
	kind := "queue"
	if d.ToExchange {
		kind = "exchange"
	}
	b.Event(key, text("source_name", d.Source), text("source_kind", "exchange"), text("destination_name", d.Dest),
		text("destination_kind", kind), text("routing_key", d.Key), argumentTerms(d.Arguments), text("vhost", d.VHost), b.by())
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
