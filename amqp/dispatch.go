package amqp

import (
	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// dispatch runs the handler of a method. The error closes the channel or the
// connection, by its code.
func (ch *channel) dispatch(m wire.Method) error {
	switch m := m.(type) {
	case *wire.ChannelOpen:
		return wire.Errorf(wire.ChannelError, "second 'channel.open' seen")
	case *wire.ChannelClose:
		ch.closedByClient()
	case *wire.ChannelFlow:
		return ch.flow(m)
	case *wire.AccessRequest: // 0-9-1 no longer has it; RabbitMQ still answers
		ch.send(&wire.AccessRequestOk{Ticket: 1})
	case *wire.ConfirmSelect:
		return ch.confirmSelect(m)
	case *wire.TxSelect:
		return ch.txSelect()
	case *wire.TxCommit:
		return ch.txCommit(m)
	case *wire.TxRollback:
		return ch.txRollback()
	default:
		if class, _ := m.ID(); class == 60 {
			return ch.dispatchBasic(m)
		}
		return ch.dispatchTopology(m)
	}
	return nil
}

// dispatchBasic runs the handlers of class basic but publish and ack.
func (ch *channel) dispatchBasic(m wire.Method) error {
	switch m := m.(type) {
	case *wire.BasicNack:
		return ch.settle(m.DeliveryTag, m.Multiple, reject(m.Requeue, queue.Nack))
	case *wire.BasicReject:
		return ch.settle(m.DeliveryTag, false, reject(m.Requeue, queue.Reject))
	case *wire.BasicQos:
		return ch.qos(m)
	case *wire.BasicConsume:
		return ch.consume(m)
	case *wire.BasicCancel:
		ch.cancel(m)
	case *wire.BasicGet:
		return ch.get(m)
	case *wire.BasicRecover:
		return ch.recover(m.Requeue, &wire.BasicRecoverOk{})
	case *wire.BasicRecoverAsync:
		return ch.recover(m.Requeue, nil)
	default:
		return errUnimplemented()
	}
	return nil
}

// dispatchTopology runs the handlers of classes exchange and queue.
func (ch *channel) dispatchTopology(m wire.Method) error {
	switch m := m.(type) {
	case *wire.ExchangeDeclare:
		ch.exchangeDeclare(m)
	case *wire.ExchangeDelete:
		ch.exchangeDelete(m)
	case *wire.ExchangeBind:
		ch.exchangeBind(m)
	case *wire.ExchangeUnbind:
		ch.exchangeUnbind(m)
	case *wire.QueueDeclare:
		ch.queueDeclare(m)
	case *wire.QueueBind:
		return ch.queueBind(m)
	case *wire.QueueUnbind:
		return ch.queueUnbind(m)
	case *wire.QueuePurge:
		return ch.queuePurge(m)
	case *wire.QueueDelete:
		return ch.queueDelete(m)
	default:
		return errUnimplemented()
	}
	return nil
}

// errUnimplemented is RabbitMQ's word for methods that no client may send.
func errUnimplemented() error { return wire.Errorf(wire.CommandInvalid, "unimplemented method") }

// reject is what basic.nack or basic.reject means; back is its way of requeue.
func reject(requeue bool, back queue.Kind) queue.Kind {
	if requeue {
		return back
	}
	return queue.Discard
}

// flow answers channel.flow. RabbitMQ: a client cannot stop the deliveries.
func (ch *channel) flow(m *wire.ChannelFlow) error {
	if !m.Active {
		return wire.Errorf(wire.NotImplemented, "active=false")
	}
	ch.send(&wire.ChannelFlowOk{Active: true})
	return nil
}
