package mgmt

import (
	"fmt"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// queueRows are the queues that the path and the user's rights leave.
func (c *call) queueRows(all []broker.QueueView) []*queueRow {
	l := c.look()
	rows := make([]queueRow, len(all))
	for i := range all {
		rows[i] = queueRow{QueueView: &all[i], look: l}
	}
	return pointers(rows)
}

func (c *call) queues() error {
	if _, ofOne := c.vars["vhost"]; ofOne {
		if err := c.inside(); err != nil {
			return err
		}
	}
	return rows(c, c.wanted(queueColumns), c.queueRows(c.broker().Queues(c.within())))
}

// queuesDetailed lists queues with what else only a single one shows (RabbitMQ
// 4).
func (c *call) queuesDetailed() error {
	return rows(c, queueDetails, c.queueRows(c.broker().Queues(c.within())))
}

// wanted leaves statistics out when the query says so.
func (c *call) wanted(columns []column[*queueRow]) []column[*queueRow] {
	switch {
	case !c.withoutStats():
		return columns
	case c.withTotals():
		return joined(queueBasics, queueReplicas, queueTotals)
	}
	return joined(queueBasics, queueReplicas)
}

func (c *call) oneQueue() error {
	q, ok := c.broker().Queue(c.vhost(), c.vars["queue"])
	if !ok {
		return missing()
	}
	return row(c, c.wanted(queueDetails), &queueRow{QueueView: &q, look: c.look()})
}

func (c *call) putQueue() error {
	m, err := c.queueDeclare()
	if err != nil {
		return err
	}
	old, exists := c.broker().Queue(c.vhost(), m.Queue)
	if exists && old.Exclusive {
		return refused("Access refused.")
	}
	return c.put(!exists, c.perform(func(s *broker.Session, reply func(error)) {
		s.DeclareQueue(m, func(_ broker.QueueInfo, err error) { reply(err) })
	}))
}

func (c *call) queueDeclare() (*wire.QueueDeclare, error) {
	b, err := c.object()
	if err != nil {
		return nil, err
	}
	if err := c.inside(); err != nil {
		return nil, err
	}
	m := &wire.QueueDeclare{Queue: c.vars["queue"]}
	if err := b.flags(map[string]*bool{"durable": &m.Durable, "auto_delete": &m.AutoDelete}); err != nil {
		return nil, err
	}
	node, err := b.text("node")
	if err != nil {
		return nil, err
	}
	if node != "" && node != c.srv.node() {
		return nil, badRequest(fmt.Sprintf("Node %s could not be contacted", node))
	}
	m.Arguments, err = b.table("arguments")
	if n := len(m.Queue); err == nil && n > nameMost {
		err = badRequest(fmt.Sprintf("queue should be less than 255 bytes, actually was %d\n", n))
	}
	return m, err
}

func (c *call) deleteQueue() error {
	m := &wire.QueueDelete{Queue: c.vars["queue"], IfUnused: c.query.Get("if-unused") == "true", IfEmpty: c.query.Get("if-empty") == "true"}
	if _, ok := c.broker().Queue(c.vhost(), m.Queue); !ok {
		return missing()
	}
	return c.deleted(c.perform(func(s *broker.Session, reply func(error)) {
		s.DeleteQueue(m, func(_ int, err error) { reply(err) })
	}))
}

func (c *call) purgeQueue() error {
	m := &wire.QueuePurge{Queue: c.vars["queue"]}
	if _, ok := c.broker().Queue(c.vhost(), m.Queue); !ok {
		return missing()
	}
	return c.deleted(c.perform(func(s *broker.Session, reply func(error)) {
		s.PurgeQueue(m, func(_ int, err error) { reply(err) })
	}))
}

// actOnQueue takes the actions on replicas that RabbitMQ has: a queue here has
// none to be synchronised.
func (c *call) actOnQueue() error {
	b, err := c.object("action")
	if err != nil {
		return err
	}
	if _, ok := c.broker().Queue(c.vhost(), c.vars["queue"]); !ok {
		return missing()
	}
	action, err := b.text("action")
	if err != nil {
		return err
	}
	if action != "sync" && action != "cancel_sync" {
		return badRequest(list{"unknown", action})
	}
	return c.done()
}
