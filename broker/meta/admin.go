package meta

import (
	"encoding/json"
	"maps"
)

// VHost is a virtual host.
type VHost struct {
	Name        string
	Description string
	Tags        []string
	// DefaultQueueType is the x-queue-type of queues declared without one; empty
	// is the node's.
	DefaultQueueType string
	Tracing          bool
	Protected        bool   // from deletion
	Limits           Limits // max-connections, max-queues
}

// User is an internal user. PasswordHash is base64(salt || hash(salt ||
// password)); empty is a user that cannot log in by password.
type User struct {
	Name         string
	PasswordHash string
	Algorithm    string // SHA256, SHA512, MD5; one that is not known matches nothing
	Tags         []string
	Limits       Limits // max-connections, max-channels
}

// Limits are numbers by their names; a negative number is no limit.
type Limits map[string]int64

// Of gives the limit of that name, false when there is none.
func (l Limits) Of(name string) (n int64, ok bool) {
	n, ok = l[name]
	return n, ok && n >= 0
}

// Permission holds the three regular expressions of a user in a virtual host.
type Permission struct {
	User, VHost            string
	Configure, Write, Read string
}

// TopicPermission limits the routing keys that a user may use with one topic
// exchange: Write those of publishes, Read those of bindings.
type TopicPermission struct {
	User, VHost, Exchange string
	Write, Read           string
}

// PolicyName names a policy; operator policies are apart from the others.
type PolicyName struct {
	Operator    bool
	VHost, Name string
}

// Policy gives what it defines to the queues and exchanges whose names match.
type Policy struct {
	PolicyName
	Pattern  string
	ApplyTo  string // all, queues, classic_queues, quorum_queues, streams, exchanges
	Priority int64
	// Definition is a JSON object: keys as queue arguments have them, without x-.
	Definition json.RawMessage
}

// ParameterName names a runtime parameter.
type ParameterName struct{ Component, VHost, Name string }

// Parameter is a runtime parameter of a virtual host.
type Parameter struct {
	ParameterName
	Value json.RawMessage
}

// GlobalParameter is a runtime parameter of the whole node.
type GlobalParameter struct {
	Name  string
	Value json.RawMessage
}

// PutVHost adds or replaces v.
func (s *State) PutVHost(v *VHost) []Change {
	changed(s, s.VHosts[v.Name], v)
	s.VHosts[v.Name] = v
	return put(v)
}

// DeleteVHost removes a virtual host with everything in it.
func (s *State) DeleteVHost(name string) []Change {
	cs := drop(s.Permissions, func(p *Permission) bool { return p.VHost == name })
	cs = append(cs, drop(s.TopicPermissions, func(p *TopicPermission) bool { return p.VHost == name })...)
	cs = append(cs, drop(s.Policies, func(p *Policy) bool { return p.VHost == name })...)
	cs = append(cs, drop(s.Parameters, func(p *Parameter) bool { return p.VHost == name })...)
	for n := range s.Queues {
		if n.VHost == name {
			_, more := s.DeleteQueue(n)
			cs = append(cs, more...)
		}
	}
	for n := range s.Exchanges {
		if n.VHost == name {
			_, more := s.DeleteExchange(n)
			cs = append(cs, more...)
		}
	}
	return append(cs, forget(s, s.VHosts, name)...)
}

// PutUser adds or replaces u.
func (s *State) PutUser(u *User) []Change {
	changed(s, s.Users[u.Name], u)
	s.Users[u.Name] = u
	return put(u)
}

// DeleteUser removes a user and what it may do.
func (s *State) DeleteUser(name string) []Change {
	cs := drop(s.Permissions, func(p *Permission) bool { return p.User == name })
	cs = append(cs, drop(s.TopicPermissions, func(p *TopicPermission) bool { return p.User == name })...)
	return append(cs, forget(s, s.Users, name)...)
}

// PutPermission adds or replaces p.
func (s *State) PutPermission(p *Permission) []Change {
	changed(s, s.Permissions[[2]string{p.User, p.VHost}], p)
	s.Permissions[[2]string{p.User, p.VHost}] = p
	return put(p)
}

// DeletePermission removes a user's permission in a virtual host. RabbitMQ
// leaves the topic permissions.
func (s *State) DeletePermission(user, vhost string) []Change {
	return forget(s, s.Permissions, [2]string{user, vhost})
}

// PutTopicPermission adds or replaces p.
func (s *State) PutTopicPermission(p *TopicPermission) []Change {
	changed(s, s.TopicPermissions[[3]string{p.User, p.VHost, p.Exchange}], p)
	s.TopicPermissions[[3]string{p.User, p.VHost, p.Exchange}] = p
	return put(p)
}

// DeleteTopicPermission removes a user's permission for a topic exchange.
func (s *State) DeleteTopicPermission(user, vhost, exchange string) []Change {
	return forget(s, s.TopicPermissions, [3]string{user, vhost, exchange})
}

// PutPolicy adds or replaces p.
func (s *State) PutPolicy(p *Policy) []Change {
	changed(s, s.Policies[p.PolicyName], p)
	s.Policies[p.PolicyName] = p
	return put(p)
}

// DeletePolicy removes a policy.
func (s *State) DeletePolicy(n PolicyName) []Change { return forget(s, s.Policies, n) }

// PutParameter adds or replaces p.
func (s *State) PutParameter(p *Parameter) []Change {
	changed(s, s.Parameters[p.ParameterName], p)
	s.Parameters[p.ParameterName] = p
	return put(p)
}

// DeleteParameter removes a runtime parameter.
func (s *State) DeleteParameter(n ParameterName) []Change { return forget(s, s.Parameters, n) }

// PutGlobalParameter adds or replaces p.
func (s *State) PutGlobalParameter(p *GlobalParameter) []Change {
	changed(s, s.GlobalParameters[p.Name], p)
	s.GlobalParameters[p.Name] = p
	return put(p)
}

// DeleteGlobalParameter removes a global parameter.
func (s *State) DeleteGlobalParameter(name string) []Change {
	return forget(s, s.GlobalParameters, name)
}

// forget removes one definition; there is no change when it is not there.
func forget[K comparable, V interface {
	comparable
	stored
}](s *State, m map[K]V, k K) []Change {
	v, ok := m[k]
	if !ok {
		return nil
	}
	if s.Changed != nil {
		s.Changed(v, nil)
	}
	delete(m, k)
	return []Change{{Key: v.key()}}
}

// drop removes all definitions of which gone is true.
func drop[K comparable, V interface {
	comparable
	stored
}](m map[K]V, gone func(V) bool) (cs []Change) {
	maps.DeleteFunc(m, func(_ K, v V) bool {
		if !gone(v) {
			return false
		}
		cs = append(cs, Change{Key: v.key()})
		return true
	})
	return cs
}
