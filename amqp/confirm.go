package amqp

import "github.com/leveretmq/leveret/amqp/wire"

// confirming is a channel's part in publisher confirms.
type confirming struct {
	emit func(tag uint64, multiple, ack bool) // ch.emitConfirm, made once
	// Guarded by outbound.mu.
	dirty bool   // in outbound.dirty
	told  uint64 // the client knows of all publishes up to this one
}

// confirmSelect handles confirm.select.
func (ch *channel) confirmSelect(m *wire.ConfirmSelect) error {
	if ch.mode == txMode {
		return wire.Errorf(wire.PreconditionFailed, "cannot switch from tx to confirm mode")
	}
	if ch.mode == plainMode {
		ch.mode = confirmMode
		ch.confirms.emit = ch.emitConfirm
		ch.publisher.SelectConfirms(ch.confirmable)
		ch.mu.Lock()
		ch.listing.window = ch.publisher.Confirms()
		ch.mu.Unlock()
	}
	if !m.Nowait {
		ch.send(&wire.ConfirmSelectOk{})
	}
	return nil
}

// confirmable says that there are publishes to confirm. The writer forms the
// acks when it next takes the buffer, so that a client that reads slowly gets
// few acks for many publishes.
func (ch *channel) confirmable() {
	o := ch.conn.out
	o.mu.Lock()
	ch.dirtyLocked()
	o.unlock()
}

// commitPublishes commits what the channel has published. What can be
// confirmed at once leaves with the reader's own answers.
func (ch *channel) commitPublishes() {
	if ch.publisher.Flush() {
		ch.conn.out.mu.Lock()
		ch.dirtyLocked()
		ch.conn.out.mu.Unlock()
	}
}

// dirtyLocked lists the channel for the writer. Called with outbound.mu.
func (ch *channel) dirtyLocked() {
	o := ch.conn.out
	if !ch.confirms.dirty && !ch.muted && !o.dead {
		ch.confirms.dirty = true
		o.dirty = append(o.dirty, ch)
	}
}

// confirm adds the acks that are due. Called with outbound.mu: a return for one
// of these publishes was added before.
func (ch *channel) confirm(o *outbound) {
	ch.confirms.dirty = false
	if !ch.muted && !o.dead {
		ch.publisher.Confirms().Take(ch.confirms.emit)
	}
}

// emitConfirm is called with outbound.mu. RabbitMQ: one publish is confirmed
// without multiple.
func (ch *channel) emitConfirm(tag uint64, multiple, ack bool) {
	multiple = multiple && tag != ch.confirms.told+1
	ch.confirms.told = tag
	s := ch.conn.out.segment()
	if ack {
		s.grown(wire.AppendAck(s.b, ch.id, tag, multiple))
	} else {
		s.grown(wire.AppendNack(s.b, ch.id, tag, multiple))
	}
}
