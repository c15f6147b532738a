package amqp

import "github.com/leveretmq/leveret/amqp/wire"

func (ch *channel) exchangeDeclare(m *wire.ExchangeDeclare) {
	a := ch.answer(m, m.NoWait)
	ch.conn.session.DeclareExchange(m, func(err error) { a.give(&wire.ExchangeDeclareOk{}, err) })
	ch.settleAnswers()
}

func (ch *channel) exchangeDelete(m *wire.ExchangeDelete) {
	a := ch.answer(m, m.NoWait)
	ch.conn.session.DeleteExchange(m, func(err error) { a.give(&wire.ExchangeDeleteOk{}, err) })
	ch.settleAnswers()
}

func (ch *channel) exchangeBind(m *wire.ExchangeBind) {
	a := ch.answer(m, m.NoWait)
	ch.conn.session.BindExchange(m, func(err error) { a.give(&wire.ExchangeBindOk{}, err) })
	ch.settleAnswers()
}

func (ch *channel) exchangeUnbind(m *wire.ExchangeUnbind) {
	a := ch.answer(m, m.NoWait)
	ch.conn.session.UnbindExchange(m, func(err error) { a.give(&wire.ExchangeUnbindOk{}, err) })
	ch.settleAnswers()
}
