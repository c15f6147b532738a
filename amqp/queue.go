package amqp

import (
	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

func (ch *channel) queueDeclare(m *wire.QueueDeclare) {
	a := ch.answer(m, m.NoWait)
	ch.conn.session.DeclareQueue(m, func(i broker.QueueInfo, err error) {
		a.give(&wire.QueueDeclareOk{Queue: i.Name, MessageCount: uint32(i.Messages), ConsumerCount: uint32(i.Consumers)}, err)
	})
	ch.settleAnswers()
}

// bindingEnd resolves the shorthands of bind and unbind: without a queue name
// and a key, the key is the name of the queue declared last.
func (ch *channel) bindingEnd(queue, key *string) (err error) {
	short := *queue == "" && *key == ""
	if *queue, err = ch.queueName(*queue); short {
		*key = *queue
	}
	return err
}

func (ch *channel) queueBind(m *wire.QueueBind) error {
	if err := ch.bindingEnd(&m.Queue, &m.RoutingKey); err != nil {
		return err
	}
	a := ch.answer(m, m.NoWait)
	ch.conn.session.BindQueue(m, func(err error) { a.give(&wire.QueueBindOk{}, err) })
	ch.settleAnswers()
	return nil
}

func (ch *channel) queueUnbind(m *wire.QueueUnbind) error {
	if err := ch.bindingEnd(&m.Queue, &m.RoutingKey); err != nil {
		return err
	}
	a := ch.answer(m, false)
	ch.conn.session.UnbindQueue(m, func(err error) { a.give(&wire.QueueUnbindOk{}, err) })
	ch.settleAnswers()
	return nil
}

func (ch *channel) queuePurge(m *wire.QueuePurge) (err error) {
	if m.Queue, err = ch.queueName(m.Queue); err != nil {
		return err
	}
	a := ch.answer(m, m.NoWait)
	ch.conn.session.PurgeQueue(m, func(n int, err error) { a.give(&wire.QueuePurgeOk{MessageCount: uint32(n)}, err) })
	ch.settleAnswers()
	return nil
}

func (ch *channel) queueDelete(m *wire.QueueDelete) (err error) {
	if m.Queue, err = ch.queueName(m.Queue); err != nil {
		return err
	}
	a := ch.answer(m, m.NoWait)
	ch.conn.session.DeleteQueue(m, func(n int, err error) { a.give(&wire.QueueDeleteOk{MessageCount: uint32(n)}, err) })
	ch.settleAnswers()
	return nil
}
