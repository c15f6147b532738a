package broker

import (
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
)

// Right is what a permission allows.
type Right int

// The three rights (RabbitMQ: access control).
const (
	Configure Right = iota
	Write
	Read
)

// access is what the sessions of one user in one virtual host share: the
// user's rights there, compiled once. They are replaced as a whole when a
// permission changes, so that the next check of every session sees it; nil
// allows nothing.
type access struct {
	atomic.Pointer[rights]
	sessions int // guarded by Broker.mu
}

// rights are compiled permissions; nothing changes them.
type rights struct {
	may    [3]*pattern           // by Right
	topics map[string]topicRight // by exchange; nil: no topic permission
}

// topicRight limits routing keys, by Write and Read.
type topicRight [3]*pattern

// enter gives the access of a user to a virtual host, false when there is no
// permission; mu is held.
func (b *Broker) enter(v *vhost, user string) (*access, bool) {
	a := v.access[user]
	if a == nil {
		r := b.compile(v.name, user)
		if r == nil {
			return nil, false
		}
		a = &access{}
		a.Store(r)
		v.access[user] = a
	}
	if a.Load() == nil {
		return nil, false
	}
	a.sessions++
	return a, true
}

// exit forgets what no session uses; mu is held.
func (v *vhost) exit(user string) {
	a := v.access[user]
	if a.sessions--; a.sessions == 0 {
		delete(v.access, user)
	}
}

// reread takes over changed permissions; mu is held.
func (b *Broker) reread(vhost, user string) {
	if v := b.vhosts[vhost]; v != nil && v.access[user] != nil {
		v.access[user].Store(b.compile(vhost, user))
	}
}

// compile gives a user's rights in a virtual host, nil without a permission.
func (b *Broker) compile(vhost, user string) *rights {
	p := b.meta.Permissions[[2]string{user, vhost}]
	if p == nil {
		return nil
	}
	r := &rights{may: [3]*pattern{Configure: allowed(p.Configure), Write: allowed(p.Write), Read: allowed(p.Read)}}
	names := strings.NewReplacer("{username}", regexp.QuoteMeta(user), "{vhost}", regexp.QuoteMeta(vhost))
	for k, t := range b.meta.TopicPermissions {
		if k[0] != user || k[1] != vhost {
			continue
		}
		if r.topics == nil {
			r.topics = map[string]topicRight{}
		}
		r.topics[t.Exchange] = topicRight{Write: allowed(names.Replace(t.Write)), Read: allowed(names.Replace(t.Read))}
	}
	return r
}

// allowed compiles an expression that was checked when it was set. RabbitMQ: an
// empty one allows nothing.
func allowed(expr string) *pattern {
	if expr == "" {
		expr = "^$"
	}
	p, err := compilePattern(expr)
	if err != nil {
		return nil
	}
	return p
}

// may checks a right on a resource; kind is "queue" or "exchange".
func (s *Session) may(r Right, kind, name string) error {
	if kind == "exchange" && name == "" {
		name = "amq.default"
	}
	if have := s.access.Load(); have != nil && have.may[r].Match(name) {
		return nil
	}
	return wire.Errorf(wire.AccessRefused, "access to %s '%s' in vhost '%s' refused for user '%s'", kind, name, s.vhost.name, s.opt.User.Name())
}

// mayTopic checks the key that a topic exchange is written to or read by. An
// exchange without a topic permission takes every key.
func (s *Session) mayTopic(r Right, x *meta.Exchange, key string) error {
	have := s.access.Load()
	if have == nil || have.topics == nil || x.Kind != "topic" {
		return nil
	}
	if t, ok := have.topics[x.Name]; !ok || t[r].Match(key) {
		return nil
	}
	return wire.Errorf(wire.AccessRefused, "access to topic '%s' in exchange '%s' in vhost '%s' refused for user '%s'",
		key, x.Name, s.vhost.name, s.opt.User.Name())
}
