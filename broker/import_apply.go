package broker

import (
	"errors"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
)

// textOf is an AMQP error's text without its code.
func textOf(err error) string {
	var e *wire.Error
	if errors.As(err, &e) {
		return e.Text
	}
	return err.Error()
}

// apply makes what was checked.
func (i *importer) apply() (cs []meta.Change) {
	b := i.b
	for _, v := range i.vhosts {
		if b.meta.VHosts[v.Name] != nil {
			cs = append(cs, b.storeVHost(&v)...)
		} else {
			cs = append(cs, b.addVHost(&v)...)
		}
	}
	for _, u := range i.users {
		cs = append(cs, b.meta.PutUser(&u)...)
	}
	for _, p := range i.permission {
		cs = append(cs, b.meta.PutPermission(&p)...)
		b.reread(p.VHost, p.User)
	}
	for _, p := range i.topics {
		cs = append(cs, b.meta.PutTopicPermission(&p)...)
		b.reread(p.VHost, p.User)
	}
	for _, p := range i.parameters {
		cs = append(cs, b.meta.PutParameter(&p)...)
	}
	for _, p := range i.globals {
		cs = append(cs, b.meta.PutGlobalParameter(&p)...)
	}
	for _, p := range i.policies {
		cs = append(cs, b.putPolicy(p)...)
	}
	return append(cs, i.applyTopology()...)
}

func (i *importer) applyTopology() (cs []meta.Change) {
	b := i.b
	for _, x := range i.exchanges {
		if b.vhosts[x.VHost].exchanges[x.Name] != nil {
			continue
		}
		id, more := b.meta.NextID()
		x.ID = id
		cs = append(append(cs, more...), b.meta.PutExchange(&x)...)
		b.raiseExchange(&x)
	}
	for _, q := range i.queues {
		cs = append(cs, i.applyQueue(q)...)
	}
	for _, bd := range i.bindings {
		cs = append(cs, i.applyBinding(bd)...)
	}
	return cs
}

func (i *importer) applyQueue(q meta.Queue) []meta.Change {
	b := i.b
	if old := b.vhosts[q.VHost].queues[q.Name]; old != nil {
		if err := old.Inequivalent(q.Durable, q.AutoDelete, q.Arguments); err != nil {
			i.warn("queues", q.VHost, q.Name, "exists with other properties and stays as it is: %s", textOf(err))
		}
		return nil
	}
	id, cs := b.meta.NextID()
	q.ID = id
	if _, err := b.raiseQueue(&q, nil); err != nil { // its arguments were checked
		i.warn("queues", q.VHost, q.Name, "%s", textOf(err))
		return cs
	}
	return append(cs, b.meta.PutQueue(&q)...)
}

func (i *importer) applyBinding(bd meta.Binding) []meta.Change {
	v := i.b.vhosts[bd.VHost]
	_, there := v.dest(&bd)
	if !there || v.exchanges[bd.Source] == nil {
		i.warn("bindings", bd.VHost, bd.Source+" -> "+bd.Dest, "an end of the binding is not there")
		return nil
	}
	cs, added := i.b.meta.PutBinding(&bd)
	if added {
		i.b.route(&bd)
	}
	return cs
}
