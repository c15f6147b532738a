package broker

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
)

// memoryMeta is a metadata store that a broker can be opened on again.
type memoryMeta struct {
	mu sync.Mutex // guards kv
	kv map[string][]byte
}

func (m *memoryMeta) Load(visit func(key, value []byte) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range slices.SortedFunc(maps.Keys(m.kv), func(a, b string) int { return bytes.Compare([]byte(a), []byte(b)) }) {
		if err := visit([]byte(k), m.kv[k]); err != nil {
			return err
		}
	}
	return nil
}

func (m *memoryMeta) Commit(cs []meta.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range cs {
		if c.Value == nil {
			delete(m.kv, string(c.Key))
		} else {
			m.kv[string(c.Key)] = c.Value
		}
	}
	return nil
}

// node is a broker over a store that outlives it.
type node struct {
	*Broker
	t     *testing.T
	store *memoryMeta
	opt   Options
}

func newNode(t *testing.T, change ...func(*Options)) *node {
	t.Helper()
	n := &node{t: t, store: &memoryMeta{kv: map[string][]byte{}}}
	n.opt = Options{Meta: n.store, Clock: systemClock{}, Rand: rand.Reader, Logger: slog.New(slog.DiscardHandler), NodeName: "leveret@test"}
	for _, f := range change {
		f(&n.opt)
	}
	n.open()
	t.Cleanup(n.close)
	return n
}

func (n *node) open() {
	n.t.Helper()
	var err error
	if n.Broker, err = Open(n.opt); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) close() {
	n.t.Helper()
	if err := n.Close(context.Background()); err != nil {
		n.t.Error(err)
	}
}

// restart closes the broker and opens another on what it stored.
func (n *node) restart() {
	n.t.Helper()
	n.close()
	n.open()
}

// user makes a user with all rights in some virtual hosts.
func (n *node) user(name string, vhosts ...string) {
	n.t.Helper()
	password := "secret"
	_, err := n.PutUser(n.t.Context(), UserOptions{Name: name, Password: &password})
	n.must(err)
	for _, v := range vhosts {
		_, err := n.PutPermission(n.t.Context(), meta.Permission{User: name, VHost: v, Configure: ".*", Write: ".*", Read: ".*"})
		n.must(err)
	}
}

func (n *node) vhost(name string) {
	n.t.Helper()
	_, err := n.PutVHost(n.t.Context(), VHostOptions{Name: name})
	n.must(err)
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// client is a session and what it was closed with.
type client struct {
	*Session
	t      *testing.T
	closed chan *wire.Error
}

func (n *node) client(user, vhost string) *client {
	n.t.Helper()
	c, err := n.dial(user, vhost)
	n.must(err)
	return c
}

func (n *node) dial(user, vhost string) (*client, error) {
	n.t.Helper()
	password := "secret"
	if user == "guest" {
		password = "guest"
	}
	u, err := n.Authenticate(user, password, true)
	if err != nil {
		return nil, err
	}
	c := &client{t: n.t, closed: make(chan *wire.Error, 1)}
	c.Session, err = n.OpenSession(SessionOptions{User: u, VHost: vhost, Close: func(e *wire.Error) { c.closed <- e }})
	return c, err
}

// closedWith checks what the broker has closed the session with; "" is nothing.
func (c *client) closedWith(want string) {
	c.t.Helper()
	got := ""
	select {
	case e := <-c.closed:
		got = e.Error()
	default:
	}
	if got != want {
		c.t.Fatalf("closed with %q, want %q", got, want)
	}
}

func (c *client) declare(m wire.QueueDeclare) error {
	done := make(chan error, 1)
	c.DeclareQueue(&m, func(_ QueueInfo, err error) { done <- err })
	return <-done
}

func (c *client) declareExchange(m wire.ExchangeDeclare) error {
	done := make(chan error, 1)
	c.DeclareExchange(&m, func(err error) { done <- err })
	return <-done
}

func (c *client) bind(queue, exchange, key string) error {
	done := make(chan error, 1)
	c.BindQueue(&wire.QueueBind{Queue: queue, Exchange: exchange, RoutingKey: key}, func(err error) { done <- err })
	return <-done
}

// refused checks the code and text of an AMQP error.
func refused(t *testing.T, err error, code wire.Code, text string) {
	t.Helper()
	var e *wire.Error
	if !errors.As(err, &e) || e.Code != code || e.Text != text {
		t.Fatalf("got %v, want %d %s", err, code, text)
	}
}

// kindOf is the kind of a broker's error, 0 for none.
func kindOf(t *testing.T, err error) Kind {
	t.Helper()
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%v is not an *Error", err)
	}
	if e == nil {
		return 0
	}
	return e.Kind
}
