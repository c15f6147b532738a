package broker

import (
	"sync"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/queue"
)

// notice is a message that the broker itself publishes: a copy for a trace, an
// event, a line of the log.
type notice struct {
	vhost, exchange, key string
	props                wire.Properties
	body                 []byte
}

// noticesMax and noticesBytes bound what waits to be published: what comes then
// is dropped, for whoever posts it must not wait.
const (
	noticesMax   = 100_000
	noticesBytes = 64 << 20
)

// notices publishes in order what is posted from anywhere, under whatever lock.
// Its goroutine starts with the first notice.
type notices struct {
	b  *Broker
	wg sync.WaitGroup

	mu      sync.Mutex // guards what follows; after every other
	cond    *sync.Cond
	waiting []notice
	bytes   int // of the bodies that wait
	dropped int // since the last that was not
	started bool
	closed  bool
}

func (n *notices) init(b *Broker) {
	n.b = b
	n.cond = sync.NewCond(&n.mu)
}

// post has a notice published soon, unless too many wait.
func (n *notices) post(m notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return
	case len(n.waiting) >= noticesMax || n.bytes+len(m.body) > noticesBytes:
		n.dropped++
		return
	case !n.started:
		n.started = true
		n.wg.Go(n.run) // ends at close
	}
	n.waiting = append(n.waiting, m)
	n.bytes += len(m.body)
	n.cond.Signal()
}

func (n *notices) run() {
	var f finder
	batch := queue.NewBatch()
	for {
		work, dropped := n.take()
		if work == nil {
			return
		}
		if dropped > 0 {
			n.b.opt.Logger.Warn("too many traces, events and log lines: some are dropped", "count", dropped)
		}
		for i := range work {
			n.publish(&f, batch, &work[i])
			if i%drainAtOnce == drainAtOnce-1 || f.marked() {
				f.committed(batch.Commit(n.b.log()))
			}
		}
		f.committed(batch.Commit(n.b.log()))
	}
}

// take waits for notices; none means that it is closed.
func (n *notices) take() (work []notice, dropped int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.waiting) == 0 {
		if n.closed {
			return nil, 0
		}
		n.cond.Wait()
	}
	work, dropped = n.waiting, n.dropped
	n.waiting, n.bytes, n.dropped = nil, 0, 0
	return work, dropped
}

func (n *notices) publish(f *finder, batch *queue.Batch, m *notice) {
	c := queue.Content{Route: wire.AppendRoute(nil, m.exchange, m.key), Props: m.props.Append(nil), Body: m.body}
	out := queue.Message{Content: c, Persistent: m.props.DeliveryMode == 2, TTL: -1}
	n.b.mu.RLock()
	defer n.b.mu.RUnlock()
	v := n.b.vhosts[m.vhost]
	if v == nil || v.exchanges[m.exchange] == nil {
		return
	}
	f.reset(n.b)
	headers := wire.AppendTable(nil, m.props.Headers)[4:]
	f.route(v.exchanges[m.exchange], routed{Message: exchange.Message{Key: []byte(m.key), Headers: headers, Props: c.Props}}, &out)
	f.send(batch, out, f.queues)
}

// close publishes what waits and ends.
func (n *notices) close() {
	n.mu.Lock()
	n.closed = true
	n.cond.Broadcast()
	n.mu.Unlock()
	n.wg.Wait()
}
