package broker

import (
	"errors"
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
	// ErrLoopback is guest, or another loopback user, from another machine.
	ErrLoopback = errors.New("user can only connect via localhost")
)

// Authenticate checks a password. loopback says that the client is on this
// machine; guest and the like are refused otherwise, as RabbitMQ does.
func (b *Broker) Authenticate(user, password string, loopback bool) (*User, error) {
	u, err := b.authenticate(user, password, loopback)
	b.authenticated(user, err)
	return u, err
}

func (b *Broker) authenticate(user, password string, loopback bool) (*User, error) {
	b.mu.RLock()
	def := b.meta.Users[user]
	b.mu.RUnlock()
	if def == nil || password == "" || !def.Matches(password) { // RabbitMQ: nobody has a blank password
		return nil, ErrCredentials
	}
	if !loopback && slices.Contains(b.opt.LoopbackUsers, user) {
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
	// Close ends the connection with an error, from any goroutine; nil is a session
	// that nobody waits for.
	Close func(*wire.Error)
}

// Session is one connection's view of a virtual host, with its user's rights.
// It owns the exclusive queues declared through it.
type Session struct {
	b      *Broker
	vhost  *vhost
	opt    SessionOptions
	access *access
	user   *presence

	mu    sync.Mutex // guards owned; after Broker.mu
	owned map[*queueRef]bool
}

// OpenSession enters a virtual host; errors are 530 as RabbitMQ words them.
func (b *Broker) OpenSession(o SessionOptions) (*Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.vhosts[o.VHost]
	if v == nil || v.deleted {
		return nil, wire.Errorf(wire.NotAllowed, "vhost %s not found", o.VHost)
	}
	if err := b.overConnections(v, o.User.Name()); err != nil {
		return nil, err
	}
	a, ok := b.enter(v, o.User.Name())
	if !ok {
		return nil, wire.Errorf(wire.NotAllowed, "access to vhost '%s' refused for user '%s'", o.VHost, o.User.Name())
	}
	s := &Session{b: b, vhost: v, opt: o, access: a, owned: map[*queueRef]bool{}}
	v.sessions[s] = true
	s.appear()
	s.connectionEvent("connection.created")
	return s, nil
}

// Close deletes the session's exclusive queues; when it returns nobody finds
// them any more.
func (s *Session) Close() {
	s.b.mu.Lock()
	s.disappear()
	s.b.mu.Unlock()
	s.mu.Lock()
	owned := s.owned
	s.owned = nil
	s.mu.Unlock()
	for q := range owned {
		s.b.discard(q, false)
	}
	s.connectionEvent("connection.closed")
}

// Behind says that the disk has not caught up with what was published: whoever
// goes on then without AwaitDisk lets it pile up in memory.
func (s *Session) Behind() bool { return s.b.opt.Log != nil && s.b.opt.Log.Behind() }

// AwaitDisk returns when the disk has caught up, or stop has a value.
func (s *Session) AwaitDisk(stop <-chan struct{}) {
	_ = s.b.opt.Log.Wait(0, stop) // when the log ended, so does the node
}

// Log is what acks of this session are committed to.
func (s *Session) Log() Log { return s.b.opt.Log }
