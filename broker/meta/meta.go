// Package meta holds a node's metadata: virtual hosts, users, permissions,
// policies, parameters, exchanges, queues and bindings, with the octets they
// are kept as.
//
// State is owned by its caller, who guards it by one lock; definitions are
// never changed once they are in it, a change puts a new one in their place.
package meta

import "github.com/leveretmq/leveret/amqp/wire"

// Change is one key-value of the metadata store; a nil value deletes the key.
type Change struct{ Key, Value []byte }

// Exchange is an exchange's definition; ID is its creation index.
type Exchange struct {
	ID                            uint64
	VHost, Name, Kind             string
	Durable, AutoDelete, Internal bool
	Arguments                     wire.Table
}

// Queue is a queue's definition; ID is its creation index.
type Queue struct {
	ID                             uint64
	VHost, Name                    string
	Durable, Exclusive, AutoDelete bool
	Arguments                      wire.Table
}

// Binding binds a source exchange to a queue, or to an exchange when ToExchange.
type Binding struct {
	VHost, Source, Dest, Key string
	ToExchange               bool
	Arguments                wire.Table
}

// Name is a name in a virtual host.
type Name struct{ VHost, Name string }

type node struct {
	Name
	exchange bool
}

type bindings map[string]*Binding // by encoded key

// State is the metadata of a node.
type State struct {
	VHosts           map[string]*VHost
	Users            map[string]*User
	Permissions      map[[2]string]*Permission      // by user, virtual host
	TopicPermissions map[[3]string]*TopicPermission // by user, virtual host, exchange
	Policies         map[PolicyName]*Policy
	Parameters       map[ParameterName]*Parameter
	GlobalParameters map[string]*GlobalParameter
	Exchanges        map[Name]*Exchange
	Queues           map[Name]*Queue
	from             map[node]bindings
	to               map[node]bindings
	next, limit      uint64 // ids: the next one, and the first not yet reserved

	// Changed, when it is not nil, is told of every change before it is made: a
	// pointer to the definition as it was and as it will be, nil where there is
	// none. What goes with a user or a virtual host is not told, but for queues,
	// exchanges and bindings.
	Changed func(old, now any)
}

// New makes an empty State.
func New() *State {
	return &State{
		VHosts: map[string]*VHost{}, Users: map[string]*User{}, Permissions: map[[2]string]*Permission{},
		TopicPermissions: map[[3]string]*TopicPermission{}, Policies: map[PolicyName]*Policy{},
		Parameters: map[ParameterName]*Parameter{}, GlobalParameters: map[string]*GlobalParameter{},
		Exchanges: map[Name]*Exchange{}, Queues: map[Name]*Queue{},
		from: map[node]bindings{}, to: map[node]bindings{}, next: 1, limit: 1,
	}
}

// idBlock is how many ids one change reserves, so that entities which live in
// memory only cost no transaction.
const idBlock = 4096

// NextID gives an id that is never used again, not even after a crash, if
// whatever carries it on disk without being stored here is reported by Seen at
// the next start: the change, when there is one, may be lost in a crash.
func (s *State) NextID() (uint64, []Change) {
	var cs []Change
	if s.next >= s.limit {
		s.limit = s.next + idBlock
		cs = put((*idLimit)(&s.limit))
	}
	s.next++
	return s.next - 1, cs
}

// Seen says that an id was in use before this start. Ids leave the top bit free.
func (s *State) Seen(id uint64) {
	if id < 1<<63 {
		s.next = max(s.next, id+1)
	}
}

// PutExchange adds e; only a durable one changes the store.
func (s *State) PutExchange(e *Exchange) []Change {
	changed(s, s.Exchanges[Name{e.VHost, e.Name}], e)
	s.Exchanges[Name{e.VHost, e.Name}] = e
	if !e.Durable {
		return nil
	}
	return put(e)
}

// PutQueue adds q; only one that outlives the node's run changes the store.
func (s *State) PutQueue(q *Queue) []Change {
	changed(s, s.Queues[Name{q.VHost, q.Name}], q)
	s.Queues[Name{q.VHost, q.Name}] = q
	if !q.stored() {
		return nil
	}
	return put(q)
}

func (q *Queue) stored() bool { return q.Durable && !q.Exclusive }

// PutBinding adds b, false when it was there.
func (s *State) PutBinding(b *Binding) ([]Change, bool) {
	k := b.key()
	src, dst := b.ends()
	if s.from[src][string(k)] != nil {
		return nil, false
	}
	changed(s, nil, b)
	add(s.from, src, string(k), b)
	add(s.to, dst, string(k), b)
	if !s.durable(b) {
		return nil, true
	}
	return put(b), true
}

// DeleteBinding removes b, false when it was not there.
func (s *State) DeleteBinding(b *Binding) ([]Change, bool) {
	k := b.key()
	src, dst := b.ends()
	if s.from[src][string(k)] == nil {
		return nil, false
	}
	changed(s, b, nil)
	var cs []Change
	if s.durable(b) {
		cs = []Change{{Key: k}}
	}
	remove(s.from, src, string(k))
	remove(s.to, dst, string(k))
	return cs, true
}

// DeleteExchange removes an exchange and the bindings at both its ends.
func (s *State) DeleteExchange(n Name) (gone []*Binding, cs []Change) {
	at := node{n, true}
	gone, cs = s.deleteBindings(append(s.list(s.from[at]), s.list(s.to[at])...))
	if e := s.Exchanges[n]; e != nil {
		changed(s, e, nil)
		if e.Durable {
			cs = append(cs, Change{Key: key(kindExchange, n.VHost, n.Name)})
		}
	}
	delete(s.Exchanges, n)
	return gone, cs
}

// DeleteQueue removes a queue and its bindings.
func (s *State) DeleteQueue(n Name) (gone []*Binding, cs []Change) {
	gone, cs = s.deleteBindings(s.list(s.to[node{n, false}]))
	if q := s.Queues[n]; q != nil {
		changed(s, q, nil)
		if q.stored() {
			cs = append(cs, Change{Key: key(kindQueue, n.VHost, n.Name)})
		}
	}
	delete(s.Queues, n)
	return gone, cs
}

func (s *State) deleteBindings(bs []*Binding) (gone []*Binding, cs []Change) {
	for _, b := range bs {
		if c, ok := s.DeleteBinding(b); ok {
			gone, cs = append(gone, b), append(cs, c...)
		}
	}
	return gone, cs
}

// From lists the bindings of a source exchange, in no order.
func (s *State) From(exchange Name) []*Binding { return s.list(s.from[node{exchange, true}]) }

// Bound says whether anything is bound to the exchange as a source.
func (s *State) Bound(exchange Name) bool { return len(s.from[node{exchange, true}]) > 0 }

func (s *State) list(m bindings) []*Binding {
	bs := make([]*Binding, 0, len(m))
	for _, b := range m {
		bs = append(bs, b)
	}
	return bs
}

// durable: a binding outlives the run when both its ends do.
func (s *State) durable(b *Binding) bool {
	src := s.Exchanges[Name{b.VHost, b.Source}]
	if src == nil || !src.Durable {
		return false
	}
	at := Name{b.VHost, b.Dest}
	if b.ToExchange {
		return s.Exchanges[at] != nil && s.Exchanges[at].Durable
	}
	return s.Queues[at] != nil && s.Queues[at].stored()
}

func (b *Binding) ends() (src, dst node) {
	return node{Name{b.VHost, b.Source}, true}, node{Name{b.VHost, b.Dest}, b.ToExchange}
}

func add(m map[node]bindings, at node, k string, b *Binding) {
	if m[at] == nil {
		m[at] = bindings{}
	}
	m[at][k] = b
}

func remove(m map[node]bindings, at node, k string) {
	delete(m[at], k)
	if len(m[at]) == 0 {
		delete(m, at)
	}
}
