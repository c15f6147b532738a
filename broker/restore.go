package broker

import (
	"maps"
	"slices"

	"github.com/leveretmq/leveret/queue"
)

// The methods of this file make Broker the owner of the log's records: see
// persistence.Owner.

// group gives the queue of a log group, nil when there is none.
func (b *Broker) group(id uint64) *queue.Queue {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.byID[id]
}

// recovered is group for the recovery. A group that is unknown had a queue that
// was never stored, or is deleted: no new one may get its id, and with it the
// messages.
func (b *Broker) recovered(id uint64) *queue.Queue {
	q := b.group(id)
	if q == nil {
		b.mu.Lock()
		b.meta.Seen(id)
		b.mu.Unlock()
	}
	return q
}

// Stored hands a stored message to its queue.
func (b *Broker) Stored(pos uint64, size uint32, flags uint8, group, index uint64, attr []byte) bool {
	q := b.recovered(group)
	if q == nil {
		return false
	}
	q.Restore(pos, size, flags, index, attr)
	return true
}

// Settled tells a queue that messages are gone.
func (b *Broker) Settled(group, from, to uint64) {
	if q := b.recovered(group); q != nil {
		q.RestoreSettled(from, to)
	}
}

// Fact tells a queue everything else.
func (b *Broker) Fact(kind uint8, group, x, y uint64) {
	if q := b.recovered(group); q != nil {
		q.RestoreFact(kind, x, y)
	}
}

// Live visits what all queues hold in the log.
func (b *Broker) Live(visit func(pos uint64, size uint32)) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, q := range b.byID {
		q.Live(visit)
	}
}

// Relocate lets the queues of a record decide whether it still lives.
func (b *Broker) Relocate(pos uint64, refs []uint64, move func(live []uint64) uint64) {
	var room [16]*queue.Queue // asked of every record of a segment
	qs := room[:0]
	for i := 0; i < len(refs); i += 2 {
		qs = append(qs, b.group(refs[i]))
	}
	queue.Relocate(qs, pos, refs, move)
}

// Restored makes the queues ready; clean says that the last stop was.
func (b *Broker) Restored(clean bool) {
	b.mu.RLock() // the first of them may expire while the last is restored
	queues, exchanges := slices.Collect(maps.Values(b.byID)), slices.Collect(maps.Values(b.exByID))
	b.mu.RUnlock()
	for _, q := range queues {
		if o := q.Options(); o.Durable && !o.Exclusive {
			q.Restored(clean)
		}
	}
	for _, x := range exchanges {
		if x.special != nil {
			x.special.restored()
		}
	}
	b.host.begin()
}
