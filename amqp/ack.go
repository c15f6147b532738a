package amqp

import (
	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// settle is a run of deliveries of one consumer to be settled alike.
type settle struct {
	k        *consumer
	kind     queue.Kind
	from, to uint64 // delivery ids
}

// acks are settlements that no queue knows of yet.
type acks struct {
	noted []settle // for the end of the read
	tx    []settle // for the commit of the transaction
}

// settle handles basic.ack, nack and reject: it takes the deliveries out of the
// unacked ring and notes them; the queues hear of it at the end of the read. In
// a transaction they are only marked.
func (ch *channel) settle(tag uint64, multiple bool, kind queue.Kind) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	from, to, ok := ch.unacked.span(tag, multiple)
	if !ok {
		return wire.Errorf(wire.PreconditionFailed, "unknown delivery tag %d", tag)
	}
	for i := from; i <= to; i++ {
		e := ch.unacked.at(i)
		if e.state != open {
			continue
		}
		k := ch.holders.at(e.slot)
		if ch.mode == txMode {
			ch.acks.tx = note(ch.acks.tx, k, kind, e.id)
			e.state = inTx
			continue
		}
		ch.acks.noted = note(ch.acks.noted, k, kind, e.id)
		if kind == queue.Settle {
			k.counts.Acknowledged++
		}
		ch.unacked.drop(e)
		ch.letGo(k)
	}
	ch.unacked.trim()
	ch.touch()
	return nil
}

// note adds a delivery id to the runs.
func note(list []settle, k *consumer, kind queue.Kind, id uint64) []settle {
	if n := len(list) - 1; n >= 0 {
		if s := &list[n]; s.k == k && s.kind == kind && s.to+1 == id {
			s.to = id
			return list
		}
	}
	return append(list, settle{k, kind, id, id})
}

// countAcks counts what a transaction acknowledged. Called with mu.
func countAcks(list []settle) {
	for _, s := range list {
		if s.kind == queue.Settle {
			s.k.counts.Acknowledged += s.to - s.from + 1
		}
	}
}

// letGo counts a delivery of k that is no longer held. Called with mu.
func (ch *channel) letGo(k *consumer) {
	k.held--
	if !k.getter {
		ch.credit.used.Add(-1)
	}
	if k.held == 0 && k.ended {
		ch.holders.remove(k)
	}
}

// gatherSettles adds what the channel settled to the connection's batch.
func (ch *channel) gatherSettles() {
	if len(ch.acks.noted) == 0 {
		return
	}
	if ch.conn.turn.batch == nil {
		ch.conn.turn.batch = queue.NewBatch()
	}
	addSettles(ch.conn.turn.batch, ch.acks.noted)
	clear(ch.acks.noted)
	ch.acks.noted = ch.acks.noted[:0]
}

func addSettles(b *queue.Batch, list []settle) {
	for _, s := range list {
		switch s.kind {
		case queue.Settle:
			b.Settle(s.k.qc, s.from, s.to)
		case queue.Discard:
			b.Discard(s.k.qc, s.from, s.to)
		case queue.Nack:
			b.Nack(s.k.qc, s.from, s.to)
		case queue.Reject:
			b.Reject(s.k.qc, s.from, s.to)
		default:
			b.Requeue(s.k.qc, s.from, s.to)
		}
	}
}

// recover handles basic.recover: everything not acknowledged goes back. ok is
// the answer, nil for recover-async.
func (ch *channel) recover(requeue bool, ok wire.Method) error {
	if !requeue {
		return wire.Errorf(wire.NotImplemented, "requeue=false")
	}
	mode := ch.mode
	ch.mode = plainMode // recover is no part of a transaction
	err := ch.settle(0, true, queue.Requeue)
	ch.mode = mode
	ch.flush()
	if ok != nil {
		ch.send(ok)
	}
	return err
}
