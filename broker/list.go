package broker

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/queue"
)

// What lists show: views of what lives, copied when they are asked for. Other
// definitions are listed by the calls that change them.

// NodeName is the node's name, e.g. leveret@host.
func (b *Broker) NodeName() string { return b.opt.NodeName }

// ReportedVersion is the version of RabbitMQ that clients are told.
func (b *Broker) ReportedVersion() string { return b.level.reported }

// PolicyView is what policies come to for a queue or an exchange; the zero value
// is none.
type PolicyView struct {
	Policy, Operator string         // names
	Effective        map[string]any // what they set together; not to be changed
}

// view is that of a policy that is applied, or nil.
func (a *applied) view() (v PolicyView) {
	if a == nil {
		return v
	}
	v.Effective = a.values
	if a.policy != nil {
		v.Policy = a.policy.def.Name
	}
	if a.operator != nil {
		v.Operator = a.operator.def.Name
	}
	return v
}

// QueueView is a queue as it is listed.
type QueueView struct {
	meta.Queue
	queue.Stats
	PolicyView
	// Owner is the name of the connection that has an exclusive queue.
	Owner string
	queue *queue.Queue
}

// view is all but Stats; mu is held.
func (q *queueRef) view() QueueView {
	v := QueueView{Queue: *q.def, PolicyView: q.applied.view(), queue: q.Queue}
	if q.owner != nil {
		v.Owner = q.owner.opt.Name
	}
	return v
}

// Type is the queue's type: classic, quorum or stream.
func (v *QueueView) Type() string { return v.queue.Options().Arguments.Type }

// Queue gives one queue, false when there is none of that name.
func (b *Broker) Queue(vhost, name string) (QueueView, bool) {
	b.mu.RLock()
	v := b.vhosts[vhost]
	if v == nil || v.queues[name] == nil {
		b.mu.RUnlock()
		return QueueView{}, false
	}
	q := v.queues[name].view()
	b.mu.RUnlock()
	q.Stats = q.queue.Stats()
	return q, true
}

// Queues lists the queues of the virtual hosts that in picks, by virtual host
// and name.
func (b *Broker) Queues(in func(vhost string) bool) []QueueView {
	all := each(b, in, func(v *vhost) map[string]*queueRef { return v.queues }, (*queueRef).view)
	for i := range all {
		all[i].Stats = all[i].queue.Stats()
	}
	return all
}

// each gathers something of virtual hosts, by their names and its own. in is
// called with no lock held, view with mu.
func each[T, V any](b *Broker, in func(vhost string) bool, of func(*vhost) map[string]T, view func(T) V) (out []V) {
	b.mu.RLock()
	names := slices.Sorted(maps.Keys(b.vhosts))
	b.mu.RUnlock()
	names = slices.DeleteFunc(names, func(name string) bool { return !in(name) })
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, name := range names {
		if v := b.vhosts[name]; v != nil {
			all := of(v)
			out = slices.Grow(out, len(all))
			for _, name := range slices.Sorted(maps.Keys(all)) {
				out = append(out, view(all[name]))
			}
		}
	}
	return out
}

// ExchangeView is an exchange as it is listed.
type ExchangeView struct {
	meta.Exchange
	PublishCounts
	PolicyView
}

func (x *exchangeRef) view() ExchangeView {
	return ExchangeView{*x.def, x.counts.load(), x.applied.view()}
}

// Exchange gives one exchange, false when there is none of that name.
func (b *Broker) Exchange(vhost, name string) (ExchangeView, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if v := b.vhosts[vhost]; v != nil && v.exchanges[name] != nil {
		return v.exchanges[name].view(), true
	}
	return ExchangeView{}, false
}

// Exchanges lists the exchanges of the virtual hosts that in picks, by virtual
// host and name.
func (b *Broker) Exchanges(in func(vhost string) bool) []ExchangeView {
	return each(b, in, func(v *vhost) map[string]*exchangeRef { return v.exchanges }, (*exchangeRef).view)
}

// Bindings lists the bindings of the virtual hosts that in picks, by virtual
// host, source, destination and key: those of the default exchange, which
// nobody made, among them.
func (b *Broker) Bindings(in func(vhost string) bool) []meta.Binding {
	out := each(b, in, func(v *vhost) map[string]*queueRef { return v.queues }, func(q *queueRef) meta.Binding {
		return meta.Binding{VHost: q.def.VHost, Dest: q.def.Name, Key: q.def.Name}
	})
	for _, list := range each(b, in, func(v *vhost) map[string]*exchangeRef { return v.exchanges }, func(x *exchangeRef) []*meta.Binding {
		return b.meta.From(x.name())
	}) {
		for _, bd := range list {
			out = append(out, *bd)
		}
	}
	slices.SortFunc(out, compareBindings)
	return out
}

func compareBindings(x, y meta.Binding) int {
	return cmp.Or(strings.Compare(x.VHost, y.VHost), strings.Compare(x.Source, y.Source), strings.Compare(x.Dest, y.Dest),
		strings.Compare(x.Key, y.Key), cmp.Compare(len(x.Arguments), len(y.Arguments)))
}

// VisitQueues calls visit with a sample of every queue, in no order and with no
// lock held.
func (b *Broker) VisitQueues(visit func(id uint64, s *queue.Stats)) {
	b.mu.RLock()
	all := slices.Collect(maps.Values(b.byID))
	b.mu.RUnlock()
	for _, q := range all {
		s := q.Stats()
		visit(q.ID(), &s)
	}
}

// VisitExchanges calls visit with the counts of every exchange, in no order and
// with no lock held.
func (b *Broker) VisitExchanges(visit func(id uint64, c PublishCounts)) {
	b.mu.RLock()
	all := slices.Collect(maps.Values(b.exByID))
	b.mu.RUnlock()
	for _, x := range all {
		visit(x.def.ID, x.counts.load())
	}
}

// Count gives how many queues and exchanges there are in the virtual hosts that
// in picks.
func (b *Broker) Count(in func(vhost string) bool) (queues, exchanges int) {
	type size struct{ queues, exchanges int }
	sizes := map[string]size{}
	b.mu.RLock()
	for name, v := range b.vhosts {
		sizes[name] = size{len(v.queues), len(v.exchanges)}
	}
	b.mu.RUnlock()
	for name, s := range sizes {
		if in(name) {
			queues += s.queues
			exchanges += s.exchanges
		}
	}
	return queues, exchanges
}

// Route gives the names of the queues that a message would reach now, and of the
// exchanges on its way; false when there is no such exchange. What an exchange
// would remember of the message, or keep back for a while, is not looked at.
func (b *Broker) Route(vhost, source, key string, headers wire.Table) (queues, exchanges []string, ok bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	v := b.vhosts[vhost]
	if v == nil || v.exchanges[source] == nil {
		return nil, nil, false
	}
	m := routed{Message: exchange.Message{Key: []byte(key)}}
	if len(headers) > 0 {
		m.Headers = wire.AppendTable(nil, headers)[4:]
	}
	f := finder{probe: true}
	f.reset(b)
	f.route(v.exchanges[source], m, nil)
	for _, q := range f.queues {
		queues = append(queues, q.Options().Name)
	}
	for _, x := range f.seen {
		exchanges = append(exchanges, x.def.Name)
	}
	slices.Sort(queues)
	return queues, exchanges, true
}
