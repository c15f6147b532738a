package broker

import (
	"bytes"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// transaction gathers a channel's publishes until tx.commit.
type transaction struct{ messages []txMessage }

type txMessage struct {
	queue.Message
	pub     wire.Publish
	headers []byte
	cc      []string
}

// SelectTx is tx.select.
func (p *Publisher) SelectTx() {
	if p.tx == nil {
		p.tx = &transaction{}
	}
}

// add keeps a copy of m.
func (t *transaction) add(m queue.Message, pub wire.Publish, headers []byte, cc []string) {
	route := bytes.Clone(pub.Route)
	m.Route, m.Props = route, bytes.Clone(m.Props)
	if m.Shared == nil {
		m.Shared = wire.NewBody(bytes.Clone(m.Body))
		m.Body = m.Shared.Octets()
	}
	pub.Route = route
	pub.Exchange, pub.RoutingKey = wire.SplitRoute(route)
	t.messages = append(t.messages, txMessage{Message: m, pub: pub, headers: bytes.Clone(headers), cc: cc})
}

// Commit is tx.commit: the publishes and what settle adds are one batch, all
// of it or nothing of it there after a crash. reply comes when it is durable;
// the error is RabbitMQ's 406 when a full queue refused a message: the rest
// stands.
func (p *Publisher) Commit(settle func(*queue.Batch), reply func(error)) {
	for i := range p.tx.messages {
		m := &p.tx.messages[i]
		if p.Check(m.pub.Exchange) != nil {
			continue // deleted since the publish: the message has nowhere to go
		}
		p.place(m.Message, m.pub, m.headers, m.cc)
	}
	settle(p.batch)
	pos := p.commit()
	partial := len(p.batch.Refused()) > 0
	p.Rollback()
	p.s.b.commits.save(pos, nil, func(err error) {
		if err == nil && partial {
			err = wire.Errorf(wire.PreconditionFailed, "partial tx completion")
		}
		reply(err)
	})
}

// Rollback is tx.rollback for the publishes.
func (p *Publisher) Rollback() {
	clear(p.tx.messages)
	p.tx.messages = p.tx.messages[:0]
	p.uncommitted.Store(0)
}
