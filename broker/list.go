package broker

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/queue"
)

// What lists show: views of what lives, copied when they are asked for. Other
// definitions are listed by the calls that change them.

// NodeName is the node's name, e.g. leveret@host.
func (b *Broker) NodeName() string { return b.opt.NodeName }

// ReportedVersion is the version of RabbitMQ that clients are told.
func (b *Broker) ReportedVersion() string { return b.level.reported }

// QueueView is a queue as it is listed.
type QueueView struct {
	meta.Queue
	queue.Stats
	// Owner is the name of the connection that has an exclusive queue.
	Owner string
}

func (q *queueRef) view() QueueView {
	info := QueueView{Queue: *q.def, Stats: q.Stats()}
	if q.owner != nil {
		info.Owner = q.owner.opt.Name
	}
	return info
}

// Queue gives one queue, false when there is none of that name.
func (b *Broker) Queue(vhost, name string) (QueueView, bool) {
	b.mu.RLock()
	v := b.vhosts[vhost]
	var q *queueRef
	if v != nil {
		q = v.queues[name]
	}
	b.mu.RUnlock()
	if q == nil {
		return QueueView{}, false
	}
	return q.view(), true
}

// Queues lists the queues of the virtual hosts that in picks, by virtual host
// and name.
func (b *Broker) Queues(in func(vhost string) bool) []QueueView {
	refs := each(b, in, func(v *vhost) map[string]*queueRef { return v.queues })
	out := make([]QueueView, len(refs))
	for i, q := range refs {
		out[i] = q.view()
	}
	return out
}

// each gathers something of virtual hosts, by their names and its own. in is
// called with no lock held.
func each[T any](b *Broker, in func(vhost string) bool, of func(*vhost) map[string]T) (out []T) {
	b.mu.RLock()
	names := slices.Sorted(maps.Keys(b.vhosts))
	b.mu.RUnlock()
	names = slices.DeleteFunc(names, func(name string) bool { return !in(name) })
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, name := range names {
		if v := b.vhosts[name]; v != nil {
			all := of(v)
			for _, name := range slices.Sorted(maps.Keys(all)) {
				out = append(out, all[name])
			}
		}
	}
	return out
}

// ExchangeView is an exchange as it is listed.
type ExchangeView struct{ meta.Exchange }

func (x *exchangeRef) view() ExchangeView { return ExchangeView{*x.def} }

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
	refs := each(b, in, func(v *vhost) map[string]*exchangeRef { return v.exchanges })
	out := make([]ExchangeView, len(refs))
	for i, x := range refs {
		out[i] = x.view()
	}
	return out
}

// Bindings lists the bindings of the virtual hosts that in picks, by virtual
// host, source, destination and key: those of the default exchange, which
// nobody made, among them.
func (b *Broker) Bindings(in func(vhost string) bool) []meta.Binding {
	exchanges := each(b, in, func(v *vhost) map[string]*exchangeRef { return v.exchanges })
	queues := each(b, in, func(v *vhost) map[string]*queueRef { return v.queues })
	var out []meta.Binding
	for _, q := range queues {
		out = append(out, meta.Binding{VHost: q.def.VHost, Dest: q.def.Name, Key: q.def.Name})
	}
	b.mu.RLock()
	for _, x := range exchanges {
		for _, bd := range b.meta.From(x.name()) {
			out = append(out, *bd)
		}
	}
	b.mu.RUnlock()
	slices.SortFunc(out, compareBindings)
	return out
}

func compareBindings(x, y meta.Binding) int {
	return cmp.Or(strings.Compare(x.VHost, y.VHost), strings.Compare(x.Source, y.Source), strings.Compare(x.Dest, y.Dest),
		strings.Compare(x.Key, y.Key), cmp.Compare(len(x.Arguments), len(y.Arguments)))
}
