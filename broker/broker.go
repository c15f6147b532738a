// Package broker is the core between protocols and queues: virtual hosts,
// users, topology, publishing, confirms and dead-lettering.
//
// Topology lives under one lock (Broker.mu); it is taken before any queue's
// mutex. Publishing takes no lock while its cached route holds.
package broker

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/queue"
)

// Log is the node's shared log as the broker needs it beside its queues.
type Log interface {
	queue.Log
	// Notify: see Durable; true when pos is durable already, else w is called
	// once when it is.
	Notify(pos uint64, w interface{ Durable(pos uint64) }) bool
	// Durable is the first position that is not durable.
	Durable() uint64
}

// Meta is the metadata store.
type Meta interface {
	Load(func(key, value []byte) error) error
	Commit([]meta.Change) error
}

// Options says how to open a Broker.
type Options struct {
	// Log is nil for a broker in memory. It need not be ready before Restored.
	Log   Log
	Meta  Meta
	Clock queue.Clock
	// Rand gives the octets of generated names and salts.
	Rand   io.Reader
	Logger *slog.Logger
	// Compatibility is the RabbitMQ version whose answers are given: 3.10, 3.13
	// or 4.3; empty is 3.13.
	Compatibility string
	// ConsumerTimeout is how long a client may hold a delivery unless its queue
	// or consumer says otherwise: 0 is 30 minutes as in RabbitMQ, negative for ever.
	ConsumerTimeout time.Duration
	// NodeName is shown to clients as the cluster's name.
	NodeName string
	// OnError is called once when metadata cannot be stored any more.
	OnError func(error)
}

// Broker is one node's core.
type Broker struct {
	opt     Options
	level   level
	memory  queue.Memory
	commits *committer
	host    *host

	mu     sync.RWMutex // guards what follows; before every queue's mutex
	meta   *meta.State
	vhosts map[string]*vhost
	byID   map[uint64]*queue.Queue
	exByID map[uint64]*exchangeRef

	replies replies
	drops   atomic.Uint64 // dead letters that found no queue
}

// vhost is a virtual host's living half; guarded by Broker.mu but for gone.
type vhost struct {
	name      string
	exchanges map[string]*exchangeRef
	queues    map[string]*queueRef
	// gone counts deleted queues: a cached route of the default exchange holds
	// while it stands.
	gone atomic.Uint64
}

type queueRef struct {
	*queue.Queue
	def   *meta.Queue
	owner *Session // exclusive queues only
}

// Open loads the metadata. A broker with a log then gets its records as
// persistence's Owner, and Restored.
func Open(o Options) (*Broker, error) {
	b := &Broker{opt: o, meta: meta.New(), vhosts: map[string]*vhost{}, byID: map[uint64]*queue.Queue{}, exByID: map[uint64]*exchangeRef{}}
	var err error
	if b.level, err = levelOf(o.Compatibility); err != nil {
		return nil, err
	}
	if err := o.Meta.Load(b.meta.Load); err != nil {
		return nil, err
	}
	if b.opt.ConsumerTimeout == 0 {
		b.opt.ConsumerTimeout = consumerTimeout
	}
	b.commits = newCommitter(o)
	b.host = newHost(b)
	if err := b.raise(); err != nil {
		return nil, err
	}
	if len(b.vhosts) == 0 {
		return b, b.firstBoot()
	}
	return b, nil
}

const consumerTimeout = 30 * time.Minute

// firstBoot makes what RabbitMQ makes: the virtual host / and guest/guest.
func (b *Broker) firstBoot() error {
	var salt [4]byte
	if _, err := io.ReadFull(b.opt.Rand, salt[:]); err != nil {
		return fmt.Errorf("salt: %w", err)
	}
	guest := &meta.User{Name: "guest", PasswordHash: meta.HashPassword(meta.SHA256, salt, "guest"), Algorithm: meta.SHA256, Tags: []string{"administrator"}}
	b.mu.Lock()
	cs := b.addVHost("/")
	cs = append(cs, b.meta.PutUser(guest)...)
	cs = append(cs, b.meta.PutPermission(&meta.Permission{User: "guest", VHost: "/", Configure: ".*", Write: ".*", Read: ".*"})...)
	b.mu.Unlock()
	done := make(chan error, 1)
	b.commits.save(0, cs, func(err error) { done <- err })
	return <-done
}

// raise makes the living half of what was loaded.
func (b *Broker) raise() error {
	for name := range b.meta.VHosts {
		b.vhosts[name] = newVHost(name)
	}
	for _, def := range b.meta.Exchanges {
		if b.vhosts[def.VHost] == nil {
			return fmt.Errorf("metadata: exchange %q is in virtual host %q, which does not exist", def.Name, def.VHost)
		}
		if _, err := b.raiseExchange(def); err != nil {
			return fmt.Errorf("metadata: exchange %q: %w", def.Name, err)
		}
	}
	for _, def := range b.meta.Queues {
		if b.vhosts[def.VHost] == nil {
			return fmt.Errorf("metadata: queue %q is in virtual host %q, which does not exist", def.Name, def.VHost)
		}
		if _, err := b.raiseQueue(def, nil); err != nil {
			return fmt.Errorf("metadata: queue %q: %w", def.Name, err)
		}
	}
	for n := range b.meta.Exchanges {
		for _, bd := range b.meta.From(n) {
			b.route(bd)
		}
	}
	return nil
}

func newVHost(name string) *vhost {
	return &vhost{name: name, exchanges: map[string]*exchangeRef{}, queues: map[string]*queueRef{}}
}

// Level is the RabbitMQ version whose answers the broker gives.
func (b *Broker) Level() string { return b.level.name }

// ServerProperties are connection.start's, without the capabilities.
func (b *Broker) ServerProperties() wire.Table {
	t := wire.Table{
		{Name: "cluster_name", Value: b.opt.NodeName},
		{Name: "copyright", Value: "Copyright (c) the Leveret authors."},
		{Name: "information", Value: "Licensed under the Apache License 2.0."},
		{Name: "platform", Value: "Leveret " + Version},
		{Name: "product", Value: "RabbitMQ"},
		{Name: "version", Value: b.level.reported},
	}
	if b.level.named {
		t = append(t, wire.Field{Name: "leveret_version", Value: Version})
	}
	return t
}

// Version is Leveret's own.
const Version = "0.1.0"

// Close ends the broker's goroutines and makes every queue note what a clean
// stop has to remember. Sessions are closed before.
func (b *Broker) Close(context.Context) error {
	b.host.close()
	b.mu.RLock()
	for _, q := range b.byID {
		q.Close()
	}
	b.mu.RUnlock()
	return b.commits.close()
}
