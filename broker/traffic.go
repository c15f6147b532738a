package broker

import (
	"slices"
	"sync/atomic"

	"github.com/leveretmq/leveret/queue"
)

// PublishCounts are totals of what publishers did.
type PublishCounts struct {
	Published uint64 // messages that came, by exchanges
	Routed    uint64 // copies that went into queues
	Awaited   uint64 // of those published, by who waits for confirms
	Confirmed uint64
	Returned  uint64 // mandatory and in no queue
	Dropped   uint64 // not mandatory and in no queue
}

// publishCounts is PublishCounts for any goroutine.
type publishCounts struct{ published, routed, awaited, confirmed, returned, dropped atomic.Uint64 }

func (c *publishCounts) load() PublishCounts {
	return PublishCounts{Published: c.published.Load(), Routed: c.routed.Load(), Awaited: c.awaited.Load(), Confirmed: c.confirmed.Load(),
		Returned: c.returned.Load(), Dropped: c.dropped.Load()}
}

func (c *publishCounts) add(t *PublishCounts) {
	c.published.Add(t.Published)
	c.routed.Add(t.Routed)
	if t.Awaited > 0 {
		c.awaited.Add(t.Awaited)
	}
	if t.Returned+t.Dropped > 0 {
		c.returned.Add(t.Returned)
		c.dropped.Add(t.Dropped)
	}
}

// count notes what place did with a message; tell makes it known to others. So
// a message costs no atomic operation, but a batch of them does.
func (p *Publisher) count(targets int, placed, mandatory bool) {
	t := &p.tally
	t.Published++
	t.Routed += uint64(targets)
	switch {
	case placed:
	case mandatory:
		t.Returned++
	default:
		t.Dropped++
	}
}

// tell is called before the exchange changes, and at the end of a batch.
func (p *Publisher) tell() {
	if p.tally.Published == 0 {
		return
	}
	if p.confirms != nil {
		p.tally.Awaited = p.tally.Published
	}
	p.counts.add(&p.tally)
	p.x.counts.add(&p.tally)
	p.s.vhost.counts.add(&p.tally)
	p.tally = PublishCounts{}
}

// Counts gives what the publisher did so far; confirms are in Confirms.Counts.
func (p *Publisher) Counts() PublishCounts { return p.counts.load() }

// Uncommitted is the number of publishes in the channel's open transaction.
func (p *Publisher) Uncommitted() int64 { return p.uncommitted.Load() }

// Counts gives how many publishes were confirmed, and how many wait for it.
func (c *Confirms) Counts() (confirmed, waiting uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.confirmed, c.last - c.acked
}

// Churn counts what comes and goes.
type Churn struct{ QueuesDeclared, QueuesCreated, QueuesDeleted uint64 }

// totals are kept of what is gone.
type totals struct {
	declared, created, deleted atomic.Uint64 // queues
	retired                    Traffic       // of deleted virtual hosts; guarded by Broker.mu
}

// Churn gives totals since the start.
func (b *Broker) Churn() Churn {
	return Churn{b.totals.declared.Load(), b.totals.created.Load(), b.totals.deleted.Load()}
}

// QueueTypes are the types of queues, as Traffic tells them apart.
var QueueTypes = [3]string{"classic", "quorum", "stream"} // read-only

func typeIndex(kind string) int { return max(slices.Index(QueueTypes[:], kind), 0) }

// Traffic sums up a virtual host, or the node: what its publishers and queues
// counted, those that are gone included, and what is in the queues now.
type Traffic struct {
	Publish PublishCounts
	ByType  [len(QueueTypes)]queue.Counters
	Ready   int
	Unacked int
	Bytes   int64
}

func (t *Traffic) add(o *Traffic) {
	t.Publish.Published += o.Publish.Published
	t.Publish.Routed += o.Publish.Routed
	t.Publish.Awaited += o.Publish.Awaited
	t.Publish.Confirmed += o.Publish.Confirmed
	t.Publish.Returned += o.Publish.Returned
	t.Publish.Dropped += o.Publish.Dropped
	for i := range t.ByType {
		t.ByType[i].Add(&o.ByType[i])
	}
	t.Ready += o.Ready
	t.Unacked += o.Unacked
	t.Bytes += o.Bytes
}

// Queues sums up the types.
func (t *Traffic) Queues() (c queue.Counters) {
	for i := range t.ByType {
		c.Add(&t.ByType[i])
	}
	return c
}

func (t *Traffic) addQueue(q *queue.Queue) {
	s := q.Stats()
	t.ByType[typeIndex(q.Options().Arguments.Type)].Add(&s.Counters)
	t.Ready += s.Ready
	t.Unacked += s.Unacked
	t.Bytes += s.Bytes
}

// retire keeps what a queue counted that is being deleted; mu is held.
func (v *vhost) retire(q *queueRef) {
	s := q.Stats()
	v.retired[typeIndex(q.Options().Arguments.Type)].Add(&s.Counters)
}

// past is what v has counted but for its living queues; mu is held.
func (v *vhost) past() Traffic { return Traffic{Publish: v.counts.load(), ByType: v.retired} }

// Traffic gives the sums of each virtual host, and of the node, in which
// deleted virtual hosts still count.
func (b *Broker) Traffic() (node Traffic, byVHost map[string]Traffic) {
	sums := map[string]*Traffic{}
	var living []*queueRef
	b.mu.RLock()
	node = b.totals.retired
	for name, v := range b.vhosts {
		past := v.past()
		sums[name] = &past
		for _, q := range v.queues {
			living = append(living, q)
		}
	}
	b.mu.RUnlock()
	for _, q := range living {
		sums[q.def.VHost].addQueue(q.Queue)
	}
	byVHost = map[string]Traffic{}
	for name, t := range sums {
		byVHost[name] = *t
		node.add(t)
	}
	return node, byVHost
}
