package broker

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
)

// NodeLimits bounds what a node has; 0 is no limit. RabbitMQ: connection_max,
// channel_max_per_node, consumer_max_per_channel, vhost_max,
// cluster_queue_limit, cluster_exchange_limit.
type NodeLimits struct {
	Connections, Channels, ConsumersPerChannel int
	VHosts, Queues, Exchanges                  int
}

// presence is what a user with sessions has open.
type presence struct {
	sessions map[*Session]bool // guarded by Broker.mu
	channels atomic.Int64
}

// appear counts a session; mu is held.
func (s *Session) appear() {
	name := s.opt.User.Name()
	p := s.b.users[name]
	if p == nil {
		p = &presence{sessions: map[*Session]bool{}}
		s.b.users[name] = p
	}
	p.sessions[s] = true
	s.user = p
	s.b.opened++
}

// disappear forgets a session, once; mu is held.
func (s *Session) disappear() {
	if !s.vhost.sessions[s] {
		return
	}
	name := s.opt.User.Name()
	delete(s.vhost.sessions, s)
	s.vhost.exit(name)
	s.b.opened--
	if delete(s.user.sessions, s); len(s.user.sessions) == 0 {
		delete(s.b.users, name)
	}
}

// overConnections refuses a connection too many, in RabbitMQ's words; mu is
// held.
func (b *Broker) overConnections(v *vhost, user string) error {
	if limit := b.opt.Limits.Connections; limit > 0 && b.opened >= limit {
		return wire.Errorf(wire.NotAllowed, "connection refused: node connection limit (%d) is reached", limit)
	}
	if limit, ok := b.meta.VHosts[v.name].Limits.Of("max-connections"); ok && int64(len(v.sessions)) >= limit {
		return wire.Errorf(wire.NotAllowed, "access to vhost '%s' refused for user '%s': connection limit (%d) is reached", v.name, user, limit)
	}
	have := 0
	if p := b.users[user]; p != nil {
		have = len(p.sessions)
	}
	if limit, ok := b.limitOf(user, "max-connections"); ok && int64(have) >= limit {
		return wire.Errorf(wire.NotAllowed, "connection refused for user '%s': user connection limit (%d) is reached", user, limit)
	}
	return nil
}

// limitOf gives a user's limit; mu is held.
func (b *Broker) limitOf(user, name string) (int64, bool) {
	u := b.meta.Users[user]
	if u == nil { // deleted; its sessions end
		return 0, false
	}
	return u.Limits.Of(name)
}

// MayOpenChannel refuses a channel too many, in RabbitMQ's words; they are
// errors of the connection. NewPublisher counts a channel, Publisher.Close
// forgets it.
func (s *Session) MayOpenChannel() error {
	if limit := s.b.opt.Limits.Channels; limit > 0 && s.b.channels.Load() >= int64(limit) {
		return wire.Errorf(wire.NotAllowed, "number of channels opened on node '%s' has reached the maximum allowed limit of (%d)",
			s.b.opt.NodeName, limit)
	}
	s.b.mu.RLock()
	limit, ok := s.b.limitOf(s.opt.User.Name(), "max-channels")
	s.b.mu.RUnlock()
	if ok && s.user.channels.Load() >= limit {
		return wire.Errorf(wire.NotAllowed, "number of channels opened for user '%s' has reached the maximum allowed user limit of (%d)",
			s.opt.User.Name(), limit)
	}
	return nil
}

func (s *Session) countChannel(n int64) {
	s.user.channels.Add(n)
	s.b.channels.Add(n)
}

// MayConsume refuses one more consumer on a channel that has so many.
func (s *Session) MayConsume(have int) error {
	if limit := s.b.opt.Limits.ConsumersPerChannel; limit > 0 && have >= limit {
		return wire.Errorf(wire.NotAllowed, "reached maximum (%d) of consumers per channel", limit)
	}
	return nil
}

// overVHosts refuses a virtual host too many, after so many that are to come; mu
// is held.
func (b *Broker) overVHosts(name string, coming int) error {
	if limit := b.opt.Limits.VHosts; limit > 0 && len(b.vhosts)+coming >= limit {
		return &Error{Kind: Refused, Text: fmt.Sprintf("cannot create vhost '%s': vhost limit of %d is reached", name, limit)}
	}
	return nil
}

// overQueues refuses a queue too many; mu is held.
func (s *Session) overQueues(name string) error {
	if limit := s.b.opt.Limits.Queues; limit > 0 && len(s.b.byID) >= limit {
		return wire.Errorf(wire.PreconditionFailed, "cannot declare queue '%s': queue limit in cluster (%d) is reached", name, limit)
	}
	if limit, ok := s.b.meta.VHosts[s.vhost.name].Limits.Of("max-queues"); ok && int64(len(s.vhost.queues)) >= limit {
		return wire.Errorf(wire.PreconditionFailed, "cannot declare queue '%s': queue limit in vhost '%s' (%d) is reached", name, s.vhost.name, limit)
	}
	return nil
}

// overExchanges refuses an exchange too many; mu is held.
func (s *Session) overExchanges(name string) error {
	if limit := s.b.opt.Limits.Exchanges; limit > 0 && len(s.b.exByID) >= limit {
		return wire.Errorf(wire.PreconditionFailed, "cannot declare exchange '%s' in vhost '%s': exchange limit of %d is reached", name, s.vhost.name, limit)
	}
	return nil
}

// limitNames are the limits that something may have, and how RabbitMQ words
// what it refuses.
type limitNames struct {
	what       string
	names      []string
	begin, end string
}

var (
	vhostLimits = limitNames{"limits", []string{"max-connections", "max-queues"}, "Validation failed\n\n", "\n"} // read-only
	userLimits  = limitNames{"user-limits", []string{"max-connections", "max-channels"}, "", ""}                 // read-only
)

func (l *limitNames) invalid(format string, args ...any) error {
	return invalid(l.begin+format+l.end, args...)
}

// parse reads an object of limits.
func (l *limitNames) parse(raw json.RawMessage) (meta.Limits, error) {
	values, ok := decodeObject(raw)
	if !ok {
		return nil, l.invalid("%s must be a JSON object", l.what)
	}
	var out meta.Limits
	unknown := slices.DeleteFunc(slices.Sorted(maps.Keys(values)), func(name string) bool { return slices.Contains(l.names, name) })
	if len(unknown) > 0 {
		return nil, l.invalid("Unrecognised terms %s in %s", erlangPairs(values, unknown), l.what)
	}
	for _, name := range l.names {
		v, ok := values[name]
		if !ok {
			continue
		}
		n, ok := whole(v)
		if !ok {
			return nil, l.invalid("%s should be a number, actually was %s", name, erlang(v))
		}
		if out == nil {
			out = meta.Limits{}
		}
		out[name] = n
	}
	return out, nil
}

// whole is a number without its fraction.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case float64:
		return int64(min(max(v, -1<<53), 1<<53)), true
	}
	return 0, false
}

// with is old and one limit more or changed.
func (l *limitNames) with(old meta.Limits, name string, value json.RawMessage) (meta.Limits, error) {
	all, err := json.Marshal(map[string]json.RawMessage{name: value})
	if err != nil {
		return nil, l.invalid("%s should be a number, actually was %s", name, value)
	}
	set, err := l.parse(all)
	if err != nil {
		return nil, err
	}
	return mergedLimits(old, set), nil
}

func mergedLimits(old, set meta.Limits) meta.Limits {
	merged := maps.Clone(old)
	if merged == nil {
		merged = meta.Limits{}
	}
	maps.Copy(merged, set)
	return merged
}

// withoutLimit is old without one limit, or without any when name is empty.
func withoutLimit(old meta.Limits, name string) meta.Limits {
	left := maps.Clone(old)
	delete(left, name)
	if name == "" || len(left) == 0 {
		return nil
	}
	return left
}
