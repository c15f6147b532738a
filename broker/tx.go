package broker

import (
	"bytes"
	"slices"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/queue"
)

// transaction gathers a channel's publishes until tx.commit.
type transaction struct {
	messages []txMessage
	names    []string // of the queues that messages go to, one after another
}

// txMessage is a copy of a message with the names of its queues, which are
// names[from:to]. RabbitMQ routes a message when it is published, to names, and
// looks for the queues of those names at the commit. One that meets a special
// exchange is late: it is routed at the commit, for what that exchange does with
// it belongs into the batch.
type txMessage struct {
	queue.Message
	x        *exchangeRef
	pub      wire.Publish
	from, to int

	late    bool
	headers []byte // of a late one
	cc      []string
}

// SelectTx is tx.select.
func (p *Publisher) SelectTx() {
	if p.tx == nil {
		p.tx = &transaction{}
	}
}

// hold routes m and keeps a copy of it until the commit. A direct reply does not
// wait (RabbitMQ).
func (p *Publisher) hold(m queue.Message, pub wire.Publish, headers []byte, cc []string) {
	t := p.tx
	if p.x.def.Name == "" {
		p.s.b.replies.deliver(pub.RoutingKey, m.Content)
	}
	m.Route, m.Props = bytes.Clone(m.Route), bytes.Clone(m.Props)
	if m.Shared == nil {
		m.Shared = wire.NewBody(bytes.Clone(m.Body))
		m.Body = m.Shared.Octets()
	}
	pub.Route = m.Route
	pub.Exchange, pub.RoutingKey = wire.SplitRoute(m.Route)
	x := txMessage{Message: m, x: p.x, pub: pub, from: len(t.names)}
	if x.late = !p.name(routed{exchange.Message{Key: pub.RoutingKey, Headers: headers, Props: m.Props}, cc, pub.Mandatory}, &m); x.late {
		x.headers, x.cc = bytes.Clone(headers), cc
	}
	x.to = len(t.names)
	t.messages = append(t.messages, x)
	p.uncommitted.Add(1)
	if !x.late && p.s.vhost.tracing.Load() {
		p.published(m.Content, pub.RoutingKey, cc, p.named(t.names[x.from:]))
	}
}

// name adds the names of the queues that m goes to; false is that it meets a
// special exchange, and none is added.
func (p *Publisher) name(m routed, whole *queue.Message) bool {
	t, f := p.tx, &p.found
	if p.x.def.Name == "" { // its routes are the names of queues, those to come included
		t.names = append(append(t.names, string(m.Key)), m.more...)
		return true
	}
	f.reset(p.s.b)
	f.probe = true
	p.s.b.mu.RLock()
	f.route(p.x, m, whole)
	p.s.b.mu.RUnlock()
	f.probe = false
	if slices.ContainsFunc(f.seen, func(x *exchangeRef) bool { return x.special != nil }) {
		return false
	}
	for _, q := range f.queues {
		t.names = append(t.names, q.Options().Name)
	}
	return true
}

// Commit is tx.commit: the publishes and what settle adds are one batch, all
// of it or nothing of it there after a crash. reply comes when it is durable;
// the error is RabbitMQ's 406 when a full queue refused a message: the rest
// stands.
func (p *Publisher) Commit(settle func(*queue.Batch), reply func(error)) {
	for i := range p.tx.messages {
		m := &p.tx.messages[i]
		if p.x != m.x {
			p.tell()
			p.x = m.x
		}
		if m.late && !m.x.gone.Load() {
			p.place(m.Message, m.pub, m.headers, m.cc)
		} else {
			p.send(m)
		}
	}
	settle(p.batch)
	pos := p.commit()
	p.x = nil // whoever publishes next is checked
	partial := len(p.batch.Refused()) > 0
	p.Rollback()
	p.s.b.commits.save(pos, nil, func(err error) {
		if err == nil && partial {
			err = wire.Errorf(wire.PreconditionFailed, "partial tx completion")
		}
		reply(err)
	})
}

// send puts a message into the batch for those of its queues that are there.
func (p *Publisher) send(m *txMessage) {
	targets := p.named(p.tx.names[m.from:m.to])
	p.count(len(targets), len(targets) > 0, m.pub.Mandatory)
	if len(targets) > 0 {
		p.batch.Publish(m.Message, targets)
		return
	}
	if m.pub.Mandatory {
		p.returner.Return(wire.NoRoute, "NO_ROUTE", m.Content)
	}
	m.Shared.Release()
}

// named gives the queues that have these names by now, each once. The slice is
// valid until the next call.
func (p *Publisher) named(names []string) []*queue.Queue {
	p.found.reset(p.s.b)
	p.s.b.mu.RLock()
	defer p.s.b.mu.RUnlock()
	for _, name := range names {
		if q := p.s.vhost.queues[name]; q != nil {
			p.found.add(q.Queue)
		}
	}
	return p.found.queues
}

// Rollback is tx.rollback for the publishes.
func (p *Publisher) Rollback() {
	clear(p.tx.messages)
	clear(p.tx.names)
	p.tx.messages, p.tx.names = p.tx.messages[:0], p.tx.names[:0]
	p.uncommitted.Store(0)
}
