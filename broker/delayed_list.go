package broker

import (
	"slices"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// DelayedMessage is one message that waits in an x-delayed-message exchange.
// Its ID holds as long as the node runs; ids grow in the order of publishing.
type DelayedMessage struct {
	ID  uint64
	Due time.Time
}

// DelayedMessages lists at most limit messages that wait in an exchange, the
// next to come first, and says how many there are. The error is a *wire.Error
// 404 when there is no such exchange, or it delays nothing.
func (b *Broker) DelayedMessages(vhost, name string, limit int) (list []DelayedMessage, total int, err error) {
	d, err := b.delayedOf(vhost, name)
	if err != nil {
		return nil, 0, err
	}
	d.mu.Lock()
	all := slices.Clone(d.due)
	d.mu.Unlock()
	for len(list) < limit && len(all) > 0 {
		next := all.pop()
		list = append(list, DelayedMessage{next.id, time.UnixMilli(next.at)})
	}
	return list, len(list) + len(all), nil
}

// CancelDelayed deletes a message that waits; 404 when it does not.
func (b *Broker) CancelDelayed(vhost, name string, id uint64) error {
	return b.takeDelayed(vhost, name, id, (*queue.Batch).Settle)
}

// FireDelayed routes a message that waits now; 404 when it does not.
func (b *Broker) FireDelayed(vhost, name string, id uint64) error {
	return b.takeDelayed(vhost, name, id, (*queue.Batch).Discard)
}

func (b *Broker) takeDelayed(vhost, name string, id uint64, end func(batch *queue.Batch, c *queue.Consumer, from, to uint64)) error {
	d, err := b.delayedOf(vhost, name)
	if err != nil {
		return err
	}
	d.mu.Lock()
	at := slices.IndexFunc(d.due, func(x due) bool { return x.id == id })
	if at >= 0 {
		d.due.remove(at)
	}
	d.mu.Unlock()
	if at < 0 {
		return wire.Errorf(wire.NotFound, "no delayed message %d in exchange '%s' in vhost '%s'", id, name, vhost)
	}
	batch := queue.NewBatch()
	end(batch, d.shelf.consumer, id, id)
	batch.Commit(b.log())
	return nil
}

func (b *Broker) delayedOf(vhost, name string) (*delayed, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	v := b.vhosts[vhost]
	if v == nil || v.exchanges[name] == nil {
		return nil, wire.Errorf(wire.NotFound, "no exchange '%s' in vhost '%s'", name, vhost)
	}
	x := v.exchanges[name]
	if x.special == nil || x.special.delayed == nil {
		return nil, wire.Errorf(wire.NotFound, "exchange '%s' in vhost '%s' does not delay messages", name, vhost)
	}
	return x.special.delayed, nil
}

// ExchangeStats is a sample of what an exchange has beyond its bindings.
type ExchangeStats struct {
	Delayed      int    // messages that wait
	Deduplicated uint64 // duplicates dropped since the start
}

// ExchangeStats samples an exchange; zeroes for one that keeps nothing or does
// not exist.
func (b *Broker) ExchangeStats(vhost, name string) (s ExchangeStats) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	v := b.vhosts[vhost]
	if v == nil || v.exchanges[name] == nil || v.exchanges[name].special == nil {
		return s
	}
	x := v.exchanges[name].special
	if x.delayed != nil {
		s.Delayed = x.delayed.count()
	}
	if x.dedup != nil {
		s.Deduplicated = x.dedup.drops.Load()
	}
	return s
}
