package broker

import (
	"errors"
	"regexp"
	"slices"
	"sync"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
)

// User is a user that has logged in.
type User struct{ def *meta.User }

// Name is the user's name.
func (u *User) Name() string { return u.def.Name }

// Has says whether the user carries a tag, e.g. "administrator".
func (u *User) Has(tag string) bool { return slices.Contains(u.def.Tags, tag) }

// Why a login is refused; for the log only, clients are never told.
var (
	// ErrCredentials is an unknown user or a wrong password.
	ErrCredentials = errors.New("invalid credentials")
	// ErrLoopback is guest from another machine.
	ErrLoopback = errors.New("user can only connect via localhost")
)

// Authenticate checks a password. loopback says that the client is on this
// machine; guest is refused otherwise, as RabbitMQ does.
func (b *Broker) Authenticate(user, password string, loopback bool) (*User, error) {
	u, err := b.authenticate(user, password, loopback)
	b.authenticated(user, err)
	return u, err
}

func (b *Broker) authenticate(user, password string, loopback bool) (*User, error) {
	b.mu.RLock()
	def := b.meta.Users[user]
	b.mu.RUnlock()
	if def == nil || !def.Matches(password) {
		return nil, ErrCredentials
	}
	if user == "guest" && !loopback {
		return nil, ErrLoopback
	}
	return &User{def}, nil
}

// SessionOptions says who opens a session.
type SessionOptions struct {
	User  *User
	VHost string
	// Name is the connection's: "127.0.0.1:1 -> 127.0.0.1:2".
	Name string
	// Close ends the connection with an error, from any goroutine.
	Close func(*wire.Error)
}

// Session is one connection's view of a virtual host, with its user's rights.
// It owns the exclusive queues declared through it.
type Session struct {
	b     *Broker
	vhost *vhost
	opt   SessionOptions
	perm  [3]*regexp.Regexp // by Right

	mu    sync.Mutex // guards owned; after Broker.mu
	owned map[*queueRef]bool
}

// Right is what a permission allows.
type Right int

// The three rights (RabbitMQ: access control).
const (
	Configure Right = iota
	Write
	Read
)

// OpenSession enters a virtual host; errors are 530 as RabbitMQ words them.
func (b *Broker) OpenSession(o SessionOptions) (*Session, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	v := b.vhosts[o.VHost]
	if v == nil {
		return nil, wire.Errorf(wire.NotAllowed, "vhost %s not found", o.VHost)
	}
	p := b.meta.Permissions[[2]string{o.User.Name(), o.VHost}]
	if p == nil {
		return nil, wire.Errorf(wire.NotAllowed, "access to vhost '%s' refused for user '%s'", o.VHost, o.User.Name())
	}
	s := &Session{b: b, vhost: v, opt: o, owned: map[*queueRef]bool{}}
	for i, pattern := range []string{p.Configure, p.Write, p.Read} {
		if pattern == "" {
			pattern = "^$" // RabbitMQ: an empty pattern allows nothing
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, &wire.Error{Code: wire.InternalError, Cause: err, Connection: true}
		}
		s.perm[i] = re
	}
	s.connectionEvent("connection.created")
	return s, nil
}

// may checks a right on a resource; kind is "queue" or "exchange".
func (s *Session) may(r Right, kind, name string) error {
	if kind == "exchange" && name == "" {
		name = "amq.default"
	}
	if s.perm[r].MatchString(name) {
		return nil
	}
	return wire.Errorf(wire.AccessRefused, "access to %s '%s' in vhost '%s' refused for user '%s'", kind, name, s.vhost.name, s.opt.User.Name())
}

// Close deletes the session's exclusive queues; when it returns nobody finds
// them any more.
func (s *Session) Close() {
	s.mu.Lock()
	owned := s.owned
	s.owned = nil
	s.mu.Unlock()
	for q := range owned {
		s.b.discard(q, false)
	}
	s.connectionEvent("connection.closed")
}

// Log is what acks of this session are committed to.
func (s *Session) Log() Log { return s.b.opt.Log }
