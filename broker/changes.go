package broker

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/exchange"
)

// changed makes events of what becomes of definitions, with the names that
// RabbitMQ gives them; mu is held.
func (b *Broker) changed(old, now any) {
	if !b.eventful() {
		return
	}
	by := text("user_who_performed_action", internalUser)
	if b.events.actor != "" {
		by.Value = b.events.actor
	}
	tell := func(key string, fields ...wire.Field) { b.Event(key, append(fields, by)...) }
	d := old
	if now != nil {
		d = now
	}
	switch d := d.(type) {
	case *meta.User:
		was, _ := old.(*meta.User)
		userChanged(was, d, now == nil, tell)
	case *meta.VHost:
		was, _ := old.(*meta.VHost)
		vhostChanged(was, d, now == nil, tell)
	case *meta.Queue:
		b.queueChanged(d, now == nil, tell)
	default:
		key, fields := described(d, now == nil)
		tell(key, fields...)
	}
}

type teller func(key string, fields ...wire.Field)

func userChanged(was, d *meta.User, gone bool, tell teller) {
	name := text("name", d.Name)
	switch {
	case gone:
		tell("user.deleted", name)
		return
	case was == nil:
		tell("user.created", name)
		was = &meta.User{PasswordHash: d.PasswordHash}
	}
	switch {
	case was.PasswordHash == d.PasswordHash:
	case d.PasswordHash == "":
		tell("user.password.cleared", name)
	default:
		tell("user.password.changed", name)
	}
	if !slices.Equal(was.Tags, d.Tags) {
		tell("user.tags.set", name, wire.Field{Name: "tags", Value: texts(d.Tags)})
	}
	limitsChanged("user.limits", was.Limits, d.Limits, tell, text("name", "limits"), text("username", d.Name))
}

func vhostChanged(was, d *meta.VHost, gone bool, tell teller) {
	switch {
	case gone:
		tell("vhost.deleted", text("name", d.Name))
		return
	case was == nil:
		tell("vhost.created", text("name", d.Name), text("description", d.Description), wire.Field{Name: "tags", Value: texts(d.Tags)},
			text("default_queue_type", d.DefaultQueueType), truth("tracing", d.Tracing))
		was = &meta.VHost{}
	}
	limitsChanged("vhost.limits", was.Limits, d.Limits, tell, text("name", "limits"), text("vhost", d.Name))
}

func limitsChanged(what string, was, now meta.Limits, tell teller, fields ...wire.Field) {
	switch {
	case maps.Equal(was, now):
	case len(now) == 0:
		tell(what+".cleared", fields...)
	default:
		for _, k := range slices.Sorted(maps.Keys(now)) {
			fields = append(fields, wire.Field{Name: k, Value: now[k]})
		}
		tell(what+".set", fields...)
	}
}

func (b *Broker) queueChanged(d *meta.Queue, gone bool, tell teller) {
	if gone {
		tell("queue.deleted", text("name", d.Name), text("vhost", d.VHost))
		return
	}
	owner := ""
	if v := b.vhosts[d.VHost]; v != nil && v.queues[d.Name] != nil && v.queues[d.Name].owner != nil {
		owner = v.queues[d.Name].owner.opt.Name
	}
	tell("queue.created", text("name", d.Name), text("vhost", d.VHost), truth("durable", d.Durable), truth("auto_delete", d.AutoDelete),
		truth("exclusive", d.Exclusive), text("owner_pid", owner), argumentTerms(d.Arguments))
}

// described is the event of a definition that is only made, replaced or gone.
func described(d any, gone bool) (key string, fields []wire.Field) {
	pick := func(made, ended string, names, more []wire.Field) (string, []wire.Field) {
		if gone {
			return ended, names
		}
		return made, append(names, more...)
	}
	switch d := d.(type) {
	case *meta.Exchange:
		return pick("exchange.created", "exchange.deleted", []wire.Field{text("name", d.Name), text("vhost", d.VHost)},
			[]wire.Field{text("type", d.Kind), truth("durable", d.Durable), truth("auto_delete", d.AutoDelete),
				truth("internal", d.Internal), argumentTerms(d.Arguments), text("policy", "")})
	case *meta.Binding:
		kind := "queue"
		if d.ToExchange {
			kind = "exchange"
		}
		return pick("binding.created", "binding.deleted", []wire.Field{text("source_name", d.Source), text("source_kind", "exchange"),
			text("destination_name", d.Dest), text("destination_kind", kind), text("routing_key", d.Key), argumentTerms(d.Arguments),
			text("vhost", d.VHost)}, nil)
	case *meta.Permission:
		return pick("permission.created", "permission.deleted", []wire.Field{text("user", d.User), text("vhost", d.VHost)},
			[]wire.Field{text("configure", d.Configure), text("write", d.Write), text("read", d.Read)})
	case *meta.TopicPermission:
		return pick("topic.permission.created", "topic.permission.deleted", []wire.Field{text("user", d.User), text("vhost", d.VHost)},
			[]wire.Field{text("exchange", d.Exchange), text("write", d.Write), text("read", d.Read)})
	case *meta.Policy:
		return pick("policy.set", "policy.cleared", []wire.Field{text("name", d.Name), text("vhost", d.VHost)},
			[]wire.Field{text("pattern", d.Pattern), text("apply-to", d.ApplyTo), {Name: "priority", Value: int64(d.Priority)},
				{Name: "definition", Value: valueOf(d.Definition)}})
	case *meta.Parameter:
		return pick("parameter.set", "parameter.cleared", []wire.Field{text("component", d.Component), text("name", d.Name), text("vhost", d.VHost)},
			[]wire.Field{{Name: "value", Value: valueOf(d.Value)}})
	case *meta.GlobalParameter:
		return pick("parameter.set", "parameter.cleared", []wire.Field{text("name", d.Name)}, []wire.Field{{Name: "value", Value: valueOf(d.Value)}})
	}
	return "definition.changed", nil // nothing else is told
}

// valueOf is a JSON value as one of a field table, its text where that cannot
// be.
func valueOf(raw json.RawMessage) any {
	if v, ok := decodeJSON(raw); ok {
		if field, err := fieldOfJSON(v); err == nil {
			return field
		}
	}
	return string(raw)
}

func texts(list []string) wire.Array {
	a := make(wire.Array, len(list))
	for i, s := range list {
		a[i] = s
	}
	return a
}

func text(name, value string) wire.Field { return wire.Field{Name: name, Value: value} }

func truth(name string, value bool) wire.Field { return wire.Field{Name: name, Value: value} }

// argumentTerms shows a table as the plugin does, by Erlang terms.
func argumentTerms(t wire.Table) wire.Field {
	return wire.Field{Name: "arguments", Value: texts(exchange.Terms(t))}
}
