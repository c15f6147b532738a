package broker

import (
	"bytes"
	"context"
	"math"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/queue"
)

// traceExchange takes a copy of every message of its virtual host that is
// published (key "publish.EXCHANGE") or delivered ("deliver.QUEUE") while the
// host is traced (RabbitMQ: the firehose).
const traceExchange = "amq.rabbitmq.trace"

// SetTracing turns the tracing of a virtual host on or off; it is off after a
// start (RabbitMQ). The error is an *Error, NotFound when there is no such host.
func (b *Broker) SetTracing(vhost string, on bool) error {
	return b.changeVHost(context.Background(), vhost, func(v *meta.VHost) error {
		v.Tracing = on
		return nil
	})
}

// storeVHost puts another definition in place of a virtual host's; mu is held.
func (b *Broker) storeVHost(def *meta.VHost) []meta.Change {
	b.vhosts[def.Name].tracing.Store(def.Tracing)
	return b.meta.PutVHost(def)
}

// Tracing says whether the session's virtual host is traced: whether Delivered
// has to be told.
func (s *Session) Tracing() bool { return s.vhost.tracing.Load() }

// Delivered traces deliveries to a channel. It copies them and may be called
// under a queue's mutex.
func (s *Session) Delivered(channel uint16, q *queue.Queue, ds []queue.Delivery) {
	for i := range ds {
		d := &ds[i]
		more := wire.Field{Name: "redelivered", Value: int32(0)}
		if d.Redelivered {
			more.Value = int32(1)
		}
		s.trace(channel, "deliver."+q.Options().Name, d.Content, s.keysOf(d.Content), more)
	}
}

// keysOf are the keys that a message shows: its own and those of CC.
func (s *Session) keysOf(c queue.Content) []string {
	_, key := wire.SplitRoute(c.Route)
	keys := []string{string(key)}
	// What was published decodes.
	view, _ := wire.ScanProperties(c.Props)
	cc, _ := copies(view.Headers)
	return append(keys, cc.keys...)
}

// published traces a publish that goes to targets.
func (p *Publisher) published(c queue.Content, key []byte, more []string, targets []*queue.Queue) {
	names := make(wire.Array, len(targets))
	for i, q := range targets {
		names[i] = q.Options().Name
	}
	p.s.trace(p.channel, "publish."+p.x.def.Name, c, append([]string{string(key)}, more...), wire.Field{Name: "routed_queues", Value: names})
}

func (s *Session) trace(channel uint16, key string, c queue.Content, keys []string, more wire.Field) {
	from, _ := wire.SplitRoute(c.Route)
	if string(from) == traceExchange {
		return // a trace is not traced
	}
	routing := make(wire.Array, len(keys))
	for i, k := range keys {
		routing[i] = k
	}
	headers := wire.Table{{Name: "exchange_name", Value: string(from)}, {Name: "routing_keys", Value: routing}, {Name: "properties", Value: shown(c.Props)},
		{Name: "node", Value: s.b.opt.NodeName}, {Name: "vhost", Value: s.vhost.name}, {Name: "connection", Value: s.opt.Name},
		{Name: "channel", Value: int32(channel)}, {Name: "user", Value: s.opt.User.Name()}, more}
	s.b.events.post(notice{vhost: s.vhost.name, exchange: traceExchange, key: key,
		props: wire.Properties{Flags: wire.FlagHeaders, Headers: headers}, body: bytes.Clone(c.Body)})
}

// shown gives properties as a table, by RabbitMQ's names.
func shown(props []byte) wire.Table {
	p, err := wire.ParseProperties(props)
	if err != nil {
		return nil
	}
	t := wire.Table{}
	for _, f := range []struct {
		flag  uint16
		name  string
		value any
	}{
		{wire.FlagContentType, "content_type", p.ContentType}, {wire.FlagContentEncoding, "content_encoding", p.ContentEncoding},
		{wire.FlagHeaders, "headers", p.Headers}, {wire.FlagDeliveryMode, "delivery_mode", int32(p.DeliveryMode)},
		{wire.FlagPriority, "priority", int32(p.Priority)}, {wire.FlagCorrelationID, "correlation_id", p.CorrelationID},
		{wire.FlagReplyTo, "reply_to", p.ReplyTo}, {wire.FlagExpiration, "expiration", p.Expiration},
		{wire.FlagMessageID, "message_id", p.MessageID}, {wire.FlagTimestamp, "timestamp", number(uint64(p.Timestamp))},
		{wire.FlagType, "type", p.Type}, {wire.FlagUserID, "user_id", p.UserID}, {wire.FlagAppID, "app_id", p.AppID},
		{wire.FlagClusterID, "cluster_id", p.ClusterID},
	} {
		if p.Has(f.flag) {
			t = append(t, wire.Field{Name: f.name, Value: f.value})
		}
	}
	return t
}

// number is an integer as RabbitMQ shows it where it fits, else a longer one.
func number(n uint64) any {
	if n <= math.MaxInt32 {
		return int32(n)
	}
	return int64(n)
}
