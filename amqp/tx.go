package amqp

import (
	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

func errNotTx() error { return wire.Errorf(wire.PreconditionFailed, "channel is not transactional") }

// txSelect handles tx.select.
func (ch *channel) txSelect() error {
	if ch.mode == confirmMode {
		return wire.Errorf(wire.PreconditionFailed, "cannot switch from confirm to tx mode")
	}
	if ch.mode == plainMode {
		ch.mode = txMode
		ch.publisher.SelectTx()
		ch.mu.Lock()
		ch.listing.transactional = true
		ch.mu.Unlock()
	}
	ch.send(&wire.TxSelectOk{})
	return nil
}

// txCommit handles tx.commit: publishes and settlements are one batch, all or
// nothing after a crash.
func (ch *channel) txCommit(m *wire.TxCommit) error {
	if ch.mode != txMode {
		return errNotTx()
	}
	a := ch.answer(m, false)
	ch.publisher.Commit(
		func(b *queue.Batch) { addSettles(b, ch.acks.tx) },
		func(err error) { a.give(&wire.TxCommitOk{}, err) },
	)
	ch.endTx(free)
	ch.feedStarved()
	ch.settleAnswers()
	return nil
}

// txRollback handles tx.rollback. What was acknowledged in the transaction is
// un-acknowledged again; nothing is redelivered.
func (ch *channel) txRollback() error {
	if ch.mode != txMode {
		return errNotTx()
	}
	ch.publisher.Rollback()
	ch.endTx(open)
	ch.send(&wire.TxRollbackOk{})
	return nil
}

// endTx brings the deliveries settled in the transaction into their new state.
func (ch *channel) endTx(state heldState) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if state == free {
		countAcks(ch.acks.tx)
	}
	for i := range ch.unacked.n {
		e := ch.unacked.at(i)
		switch {
		case e.state != inTx:
		case state == open:
			e.state = open
		default:
			ch.unacked.drop(e)
			ch.letGo(ch.holders.at(e.slot))
		}
	}
	ch.unacked.trim()
	clear(ch.acks.tx)
	ch.acks.tx = ch.acks.tx[:0]
}
