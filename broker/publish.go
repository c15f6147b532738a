package broker

import (
	"slices"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/queue"
)

// Returner takes the messages that a mandatory publish could not place. It is
// called in publish order, before the publish is confirmed; c is valid during
// the call.
type Returner interface {
	Return(code wire.Code, text string, c queue.Content)
}

// Publisher is one channel's way into the queues. It gathers messages in a
// batch until Flush. One goroutine uses it, but for Confirms.
type Publisher struct {
	s        *Session
	returner Returner
	batch    *queue.Batch
	x        *exchangeRef // of the last Check
	cache    map[string]*cached
	found    finder
	confirms *Confirms
	tx       *transaction
	replyTo  string
	unsent   uint64 // publishes since the last Flush, for their confirms
}

// cached is the outcome of routing one route through one exchange. It holds
// while that exchange's bindings do.
type cached struct {
	x       *exchangeRef
	routes  *routes
	gone    uint64 // default exchange: vhost.gone
	targets []*queue.Queue
}

// cacheMax bounds a publisher's cache; keys may be as many as messages.
const cacheMax = 512

// NewPublisher makes the publisher of one channel.
func (s *Session) NewPublisher(r Returner) *Publisher {
	return &Publisher{s: s, returner: r, batch: queue.NewBatch(), cache: map[string]*cached{}}
}

// Check is what basic.publish answers before its content comes: the exchange
// exists, is not internal, and may be written to.
func (p *Publisher) Check(name []byte) error {
	if p.x != nil && !p.x.gone.Load() && p.x.def.Name == string(name) {
		return nil
	}
	s := p.s
	s.b.mu.RLock()
	x, err := s.vhost.exchange(string(name))
	s.b.mu.RUnlock()
	if err != nil {
		return err
	}
	if err := s.may(Write, "exchange", x.def.Name); err != nil {
		return err
	}
	if x.def.Internal {
		return wire.Errorf(wire.AccessRefused, "cannot publish to internal exchange '%s' in vhost '%s'", x.def.Name, s.vhost.name)
	}
	p.x = x
	return nil
}

// Publish adds a message that Check has passed. Views stay valid until Flush;
// in a transaction it copies them. own says that nobody else writes body.
func (p *Publisher) Publish(pub wire.Publish, props []byte, v wire.PropertyView, body []byte, own bool) error {
	if err := p.Check(pub.Exchange); err != nil {
		return err
	}
	ttl, err := p.s.checkProperties(&v)
	if err != nil {
		return err
	}
	if props, err = p.addressed(props, &v); err != nil {
		return err
	}
	cc, err := copies(v.Headers)
	if err != nil {
		return err
	}
	m := queue.Message{Content: queue.Content{Route: pub.Route, Props: cc.strip(props), Body: body},
		Persistent: v.DeliveryMode == 2, Priority: v.Priority, Own: own, TTL: ttl}
	if p.tx != nil {
		p.hold(m, pub, v.Headers, cc.keys)
		return nil
	}
	p.unsent++
	p.place(m, pub, v.Headers, cc.keys)
	return nil
}

// place routes m into the batch, or returns it.
func (p *Publisher) place(m queue.Message, pub wire.Publish, headers []byte, cc []string) {
	if p.x.def.Name == "" {
		// Up to 4.1 RabbitMQ returns a mandatory reply although it has arrived.
		p.s.b.replies.deliver(pub.RoutingKey, m.Content)
	}
	targets := p.targets(pub, headers, cc)
	if len(targets) == 0 {
		if pub.Mandatory {
			p.returner.Return(wire.NoRoute, "NO_ROUTE", m.Content)
		}
		return
	}
	p.batch.Publish(m, targets)
}

// targets gives the queues of a publish. The slice is valid until the next
// call unless it is the cache's.
func (p *Publisher) targets(pub wire.Publish, headers []byte, cc []string) []*queue.Queue {
	if len(cc) > 0 {
		p.found.reset(p.s.b)
		p.s.b.mu.RLock()
		defer p.s.b.mu.RUnlock()
		p.found.route(p.x, pub.RoutingKey, headers)
		for _, key := range cc {
			p.found.route(p.x, []byte(key), headers)
		}
		return slices.Clone(p.found.queues)
	}
	if c := p.cache[string(pub.Route)]; c != nil && p.holds(c) {
		return c.targets
	}
	return p.lookup(pub, headers)
}

func (p *Publisher) holds(c *cached) bool {
	return c.x == p.x && c.routes == p.x.routes.Load() && (c.x.def.Name != "" || c.gone == p.s.vhost.gone.Load())
}

func (p *Publisher) lookup(pub wire.Publish, headers []byte) []*queue.Queue {
	f := &p.found
	f.reset(p.s.b)
	p.s.b.mu.RLock()
	c := &cached{x: p.x, routes: p.x.routes.Load(), gone: p.s.vhost.gone.Load()}
	f.route(p.x, pub.RoutingKey, headers)
	p.s.b.mu.RUnlock()
	c.targets = slices.Clone(f.queues)
	// A route over several exchanges would have to watch them all; one without
	// a queue may get one at any declare.
	if c.routes.KeyOnly() && len(f.seen) == 1 && len(c.targets) > 0 {
		if len(p.cache) >= cacheMax {
			clear(p.cache)
		}
		p.cache[string(pub.Route)] = c
	}
	return c.targets
}

// finder follows bindings from exchange to exchange. Broker.mu is held for
// reading during route.
type finder struct {
	b      *Broker
	seen   []*exchangeRef
	queues []*queue.Queue
	has    map[*queue.Queue]bool // nil while queues is short
	dests  []exchange.Dest
}

func (f *finder) reset(b *Broker) {
	f.b, f.seen, f.queues, f.has = b, f.seen[:0], f.queues[:0], nil
}

// route adds the queues that x leads to by key, each once over all calls since
// reset (RabbitMQ: one copy however many ways lead to a queue).
func (f *finder) route(x *exchangeRef, key, headers []byte) {
	from := len(f.seen)
	f.seen = append(f.seen, x)
	for i := from; i < len(f.seen); i++ {
		f.step(f.seen[i], key, headers, from)
	}
}

func (f *finder) step(x *exchangeRef, key, headers []byte, from int) {
	if x.def.Name == "" {
		if q := f.b.vhosts[x.def.VHost].queues[string(key)]; q != nil {
			f.add(q.Queue)
		}
		return
	}
	f.dests = x.routes.Load().Route(exchange.Message{Key: key, Headers: headers}, f.dests[:0])
	for _, d := range f.dests {
		if d.Exchange {
			f.visit(f.b.exByID[d.ID], from)
		} else if q := f.b.byID[d.ID]; q != nil {
			f.add(q)
		}
	}
	if len(f.dests) == 0 && x.alternate != "" {
		f.visit(f.b.vhosts[x.def.VHost].exchanges[x.alternate], from)
	}
}

// visit lists an exchange to be followed, once: cycles end here.
func (f *finder) visit(x *exchangeRef, from int) {
	if x != nil && !slices.Contains(f.seen[from:], x) {
		f.seen = append(f.seen, x)
	}
}

// manyQueues is from where on a map finds a queue faster than a look along the
// list.
const manyQueues = 32

func (f *finder) add(q *queue.Queue) {
	if len(f.queues) < manyQueues {
		if !slices.Contains(f.queues, q) {
			f.queues = append(f.queues, q)
		}
		return
	}
	if f.has == nil {
		f.has = make(map[*queue.Queue]bool, 2*manyQueues)
		for _, have := range f.queues {
			f.has[have] = true
		}
	}
	if !f.has[q] {
		f.has[q] = true
		f.queues = append(f.queues, q)
	}
}

// Flush commits what was gathered. Afterwards no view is used any more.
func (p *Publisher) Flush() {
	if p.unsent == 0 && p.batch.Empty() {
		return
	}
	pos := p.commit()
	if p.confirms != nil {
		p.confirms.add(p.unsent, pos)
	}
	p.unsent = 0
}

func (p *Publisher) commit() (pos uint64) {
	if p.batch.Empty() {
		return 0
	}
	return p.batch.Commit(p.s.log())
}

// log is nil, not a nil Log in an interface, for a broker in memory.
func (s *Session) log() queue.Log {
	if s.b.opt.Log == nil {
		return nil
	}
	return s.b.opt.Log
}

// Close ends the publisher: nothing calls the channel any more.
func (p *Publisher) Close() {
	if p.confirms != nil {
		p.confirms.close()
	}
}
