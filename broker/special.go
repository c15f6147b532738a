package broker

import (
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/queue"
)

// special is what an exchange has beyond its bindings; nearly all have none.
// Such an exchange meets every message that comes to it, by whatever way.
type special struct {
	delayed *delayed
	history *history
	dedup   *dedup
}

// newSpecial makes what the exchange's type asks for; Broker.mu is held.
func (b *Broker) newSpecial(def *meta.Exchange) (*special, error) {
	var err error
	switch def.Kind {
	case exchange.RecentHistory, exchange.Deduplication, exchange.DelayedMessage:
	default:
		return nil, nil
	}
	s, kind := &special{}, def.Kind
	if kind == exchange.DelayedMessage {
		kind = exchange.DelayedType(def.Arguments)
		if s.delayed, err = b.newDelayed(def); err != nil {
			return nil, err
		}
	}
	switch kind {
	case exchange.RecentHistory:
		s.history = newHistory(def.Arguments)
	case exchange.Deduplication:
		s.dedup, err = b.newDedup(def)
	}
	return s, err
}

// shelf is where the exchange keeps things, nil when nowhere.
func (s *special) shelf() *shelf {
	switch {
	case s.delayed != nil:
		return s.delayed.shelf
	case s.dedup != nil:
		return s.dedup.shelf
	}
	return nil
}

// restored follows the recovery of the shelf.
func (s *special) restored() {
	if shelf := s.shelf(); shelf != nil {
		shelf.consumer.Resume()
	}
	if s.dedup != nil {
		s.dedup.restored()
	}
}

// stirred says that something on the shelf cannot be read.
func (s *special) stirred() {
	if s.dedup != nil {
		s.dedup.stirred()
	}
}

// close ends the timer, if there is one.
func (s *special) close() {
	if s.delayed != nil {
		s.delayed.close()
	}
}

// meet lets the exchange see a message before it is routed; false is that it
// goes no further from here. Broker.mu is held for reading.
func (f *finder) meet(x *exchangeRef, m routed, whole *queue.Message) bool {
	if f.side == nil {
		f.side = new(side)
	}
	s := x.special
	if s.delayed != nil && s.delayed.defers(f, x, m, whole) {
		return false
	}
	if s.history != nil {
		s.history.keep(m, whole)
	}
	if s.dedup != nil && s.dedup.duplicate(f, m) {
		f.side.taken = true
		return false
	}
	return true
}

// side is what comes of the special exchanges that a message has met, beside
// the queues that it goes to.
type side struct {
	taken   bool      // it counts as routed, though it is in no queue yet or already
	shelved []shelved // goes to shelves, in the batch of the message
	removed []removed // leaves shelves, in that batch
	marks   []mark    // of all messages since the last commit
	from    int       // the first mark of this message
}

type shelved struct {
	queue.Message
	on *queue.Queue
}

type removed struct {
	from *queue.Consumer
	id   uint64
}

// begin starts with the next message.
func (s *side) begin() {
	clear(s.shelved)
	s.taken, s.shelved, s.removed, s.from = false, s.shelved[:0], s.removed[:0], len(s.marks)
}

// send adds m to the batch for its queues, and what came of special exchanges
// with it. false is that nobody wants it; a reference to its body is then still
// the caller's.
func (f *finder) send(batch *queue.Batch, m queue.Message, targets []*queue.Queue) bool {
	batch.Publish(m, targets)
	s := f.side
	if s == nil {
		return len(targets) > 0
	}
	wanted := len(targets) > 0 || s.taken
	if s.taken && len(targets) == 0 {
		m.Shared.Release()
	}
	if !wanted {
		forget(s.marks[s.from:])
		s.marks = s.marks[:s.from]
		s.shelved = s.shelved[:0]
	}
	for _, x := range s.shelved {
		batch.Publish(x.Message, []*queue.Queue{x.on})
	}
	for _, x := range s.removed {
		batch.Settle(x.from, x.id, x.id)
	}
	s.begin()
	return wanted
}

// marked says that others may wait for what was sent to be committed.
func (f *finder) marked() bool { return f.side != nil && len(f.side.marks) > 0 }

// committed says that all that was sent is in the log up to pos.
func (f *finder) committed(pos uint64) {
	if f.marked() {
		settle(f.side.marks, pos)
		f.side.unmark()
	}
}

// safe is committed for whoever confirms: it gives the position that all is
// safe at, which is later than pos when something is the duplicate of what came
// later. No lock may be held.
func (f *finder) safe(pos uint64) uint64 {
	if f.marked() {
		settle(f.side.marks, pos)
		pos = await(f.side.marks, pos)
		f.side.unmark()
	}
	return pos
}

func (s *side) unmark() {
	clear(s.marks)
	s.marks = s.marks[:0]
	s.begin()
}
