package broker

import (
	"slices"
	"sync/atomic"

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
	channel  uint16
	returner Returner
	batch    *queue.Batch
	x        *exchangeRef // of the last Check
	rights   *rights      // of the last Check
	cache    map[string]*cached
	found    finder
	confirms *Confirms
	tx       *transaction
	replyTo  string
	crowded  *queue.Queue // AwaitRoom waits for it
	due      bool         // what the last Flush returned is not told yet
	unsent   uint64       // publishes since the last Flush, for their confirms
	closed   bool

	tally       PublishCounts // since the last tell; all of it by x
	counts      publishCounts
	uncommitted atomic.Int64
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
func (s *Session) NewPublisher(channel uint16, r Returner) *Publisher {
	s.countChannel(1)
	p := &Publisher{s: s, channel: channel, returner: r, batch: queue.NewBatch(), cache: map[string]*cached{}}
	p.channelEvent("channel.created")
	return p
}

// Check is what basic.publish answers before its content comes: the exchange
// exists, is not internal, and may be written to.
func (p *Publisher) Check(name []byte) error {
	s := p.s
	rights := s.access.Load()
	if p.x != nil && !p.x.gone.Load() && p.x.def.Name == string(name) && p.rights == rights {
		return nil
	}
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
	if x.inert {
		return wire.Errorf(wire.PreconditionFailed, "exchange '%s' in vhost '%s' is of type '%s', which is not supported", x.def.Name, s.vhost.name, x.def.Kind)
	}
	p.tell()
	p.x, p.rights = x, rights
	return nil
}

// Publish adds a message that Check has passed. Views stay valid until Flush;
// in a transaction it copies them. shared, if not nil, is what body is a view
// of; its reference goes over to the publisher.
func (p *Publisher) Publish(pub wire.Publish, props []byte, v wire.PropertyView, body []byte, shared *wire.Body) error {
	if err := p.Check(pub.Exchange); err != nil {
		return err
	}
	if p.rights != nil && p.rights.topics != nil {
		if err := p.s.mayTopic(Write, p.x.def, string(pub.RoutingKey)); err != nil {
			return err
		}
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
	if err := p.x.checkDelay(v.Headers); err != nil {
		return err
	}
	m := queue.Message{Content: queue.Content{Route: pub.Route, Props: cc.strip(props), Body: body, Shared: shared},
		Persistent: v.DeliveryMode == 2, Priority: v.Priority, TTL: ttl}
	if p.tx != nil {
		p.hold(m, pub, v.Headers, cc.keys)
		return nil
	}
	p.unsent++
	m.Tag = uint32(p.unsent)
	p.place(m, pub, v.Headers, cc.keys)
	if p.found.marked() {
		p.due = p.Flush() // others may wait for this commit
	}
	return nil
}

// place routes m into the batch, or returns it.
func (p *Publisher) place(m queue.Message, pub wire.Publish, headers []byte, cc []string) {
	if p.x.def.Name == "" {
		// Up to 4.1 RabbitMQ returns a mandatory reply although it has arrived.
		p.s.b.replies.deliver(pub.RoutingKey, m.Content)
	}
	targets := p.targets(routed{exchange.Message{Key: pub.RoutingKey, Headers: headers, Props: m.Props}, cc, pub.Mandatory}, &m)
	if p.s.vhost.tracing.Load() {
		p.published(m.Content, pub.RoutingKey, cc, targets)
	}
	placed := p.found.send(p.batch, m, targets)
	p.count(len(targets), placed, pub.Mandatory)
	if placed {
		return
	}
	if pub.Mandatory {
		p.returner.Return(wire.NoRoute, "NO_ROUTE", m.Content)
	}
	m.Shared.Release()
}

// routed is a message as exchanges see it: with the further keys of its CC and
// BCC headers.
type routed struct {
	exchange.Message
	more      []string
	mandatory bool
}

// targets gives the queues of a publish. The slice is valid until the next
// call unless it is the cache's.
func (p *Publisher) targets(m routed, whole *queue.Message) []*queue.Queue {
	if c := p.cache[string(whole.Route)]; c != nil && len(m.more) == 0 && p.holds(c) {
		return c.targets
	}
	return p.lookup(m, whole)
}

func (p *Publisher) holds(c *cached) bool {
	return c.x == p.x && c.routes == p.x.routes.Load() && (c.x.def.Name != "" || c.gone == p.s.vhost.gone.Load())
}

// lookup routes a message, and keeps the outcome for its route when others of
// the same route have the same.
func (p *Publisher) lookup(m routed, whole *queue.Message) []*queue.Queue {
	f := &p.found
	f.reset(p.s.b)
	p.s.b.mu.RLock()
	routes, gone := p.x.routes.Load(), p.s.vhost.gone.Load()
	f.route(p.x, m, whole)
	p.s.b.mu.RUnlock()
	// A route over several exchanges would have to watch them all; one without
	// a queue may get one at any declare.
	if len(m.more) > 0 || !routes.KeyOnly() || len(f.seen) > 1 || len(f.queues) == 0 {
		return f.queues
	}
	if len(p.cache) >= cacheMax {
		clear(p.cache)
	}
	c := &cached{x: p.x, routes: routes, gone: gone, targets: slices.Clone(f.queues)}
	p.cache[string(whole.Route)] = c
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
	side   *side // nil until a special exchange is met
	probe  bool  // special exchanges do not meet the message
}

func (f *finder) reset(b *Broker) {
	f.b, f.seen, f.queues, f.has = b, f.seen[:0], f.queues[:0], nil
}

// route finds the queues that x leads to, each once (RabbitMQ: one copy however
// many ways and keys lead to a queue).
func (f *finder) route(x *exchangeRef, m routed, whole *queue.Message) {
	f.seen = append(f.seen, x)
	for i := 0; i < len(f.seen); i++ {
		f.step(f.seen[i], m, whole)
	}
}

func (f *finder) step(x *exchangeRef, m routed, whole *queue.Message) {
	if x.special != nil && !f.probe && !f.meet(x, m, whole) {
		return
	}
	if x.def.Name == "" {
		f.named(x, m)
		return
	}
	r := x.routes.Load()
	f.dests = r.Route(m.Message, f.dests[:0])
	if len(m.more) > 0 && r.PerKey() {
		for _, key := range m.more {
			m.Key = []byte(key)
			f.dests = r.Route(m.Message, f.dests)
		}
	}
	for _, d := range f.dests {
		if d.Exchange {
			f.visit(f.b.exByID[d.ID])
		} else if q := f.b.byID[d.ID]; q != nil {
			f.add(q)
		}
	}
	if len(f.dests) == 0 && x.alternate != "" {
		f.visit(x.vhost.exchanges[x.alternate])
	}
}

// named is the default exchange: keys are names of queues.
func (f *finder) named(x *exchangeRef, m routed) {
	queues := x.vhost.queues
	if q := queues[string(m.Key)]; q != nil {
		f.add(q.Queue)
	}
	for _, key := range m.more {
		if q := queues[key]; q != nil {
			f.add(q.Queue)
		}
	}
}

// visit lists an exchange to be followed, once: cycles end here.
func (f *finder) visit(x *exchangeRef) {
	if x != nil && !slices.Contains(f.seen, x) {
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

// Flush commits what was gathered. Afterwards no view is used any more. It
// returns true when Confirms().Take has something now; ready is not called then.
func (p *Publisher) Flush() (confirmable bool) {
	confirmable, p.due = p.due, false
	if p.unsent == 0 && p.batch.Empty() {
		return confirmable
	}
	pos := p.commit()
	if p.confirms != nil && p.confirms.add(p.unsent, pos, p.batch.Refused()) {
		confirmable = true
	}
	p.unsent = 0
	return confirmable
}

// AwaitRoom waits a little, once, when what was published since its last call is
// more than the consumers' sockets take.
func (p *Publisher) AwaitRoom() {
	q := p.crowded
	if p.crowded = nil; q != nil {
		q.AwaitRoom()
	}
}

func (p *Publisher) commit() uint64 {
	p.tell()
	pos := p.batch.Commit(p.s.log()) // an empty one forgets what was refused before
	p.crowded = p.batch.Crowded()
	return p.found.safe(pos)
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
	if !p.closed {
		p.closed = true
		p.s.countChannel(-1)
		p.channelEvent("channel.closed")
	}
	if p.confirms != nil {
		p.confirms.close()
	}
}
