package broker

import (
	"bytes"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// transaction gathers a channel's publishes until tx.commit.
type transaction struct {
	messages []txMessage
	names    []string // of the queues that messages are routed to, one after another
}

// txMessage is a copy of a message with the names of its queues, which are
// names[from:to]. RabbitMQ routes a message when it is published, to names, and
// looks for the queues of those names at the commit.
type txMessage struct {
	queue.Message
	mandatory bool
	from, to  int
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
	t, from := p.tx, len(p.tx.names)
	if p.x.def.Name == "" { // its routes are the names of queues, those to come included
		p.s.b.replies.deliver(pub.RoutingKey, m.Content)
		t.names = append(append(t.names, string(pub.RoutingKey)), cc...)
	} else {
		for _, q := range p.targets(pub, headers, cc) {
			t.names = append(t.names, q.Options().Name)
		}
	}
	m.Route, m.Props = bytes.Clone(m.Route), bytes.Clone(m.Props)
	if !m.Own {
		m.Body, m.Own = bytes.Clone(m.Body), true
	}
	t.messages = append(t.messages, txMessage{m, pub.Mandatory, from, len(t.names)})
}

// Commit is tx.commit: the publishes and what settle adds are one batch, all
// of it or nothing of it there after a crash. reply comes when it is durable.
func (p *Publisher) Commit(settle func(*queue.Batch), reply func(error)) {
	for i := range p.tx.messages {
		m := &p.tx.messages[i]
		targets := p.named(p.tx.names[m.from:m.to])
		if len(targets) == 0 && m.mandatory {
			p.returner.Return(wire.NoRoute, "NO_ROUTE", m.Content)
		}
		p.batch.Publish(m.Message, targets)
	}
	settle(p.batch)
	pos := p.commit()
	p.Rollback()
	p.s.b.commits.save(pos, nil, reply)
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
}
