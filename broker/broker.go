// Package broker is the core between protocols and queues: virtual hosts,
// users, topology, publishing, confirms and dead-lettering.
//
// Topology lives under one lock (Broker.mu); it is taken before any queue's
// mutex. Publishing takes no lock while its cached route holds.
package broker

import (
	"context"
	"errors"
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
	// Hasten makes pos durable at once if that can be done well; true: it is.
	Hasten(pos uint64) bool
	// Behind says that too much waits to be written, or the disk is full.
	Behind() bool
	// Wait returns when n octets may be appended and the log is not behind. An
	// error says that stop had a value, or the log ended.
	Wait(n int, stop <-chan struct{}) error
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
	// Version is RabbitMQ's version that clients are told; empty is that of
	// Compatibility.
	Version string
	// ConsumerTimeout is how long a client may hold a delivery unless its queue
	// or consumer says otherwise: 0 is 30 minutes as in RabbitMQ, negative for ever.
	ConsumerTimeout time.Duration
	// NodeName is shown to clients as the cluster's name.
	NodeName string
	// FirstBoot is what an empty node is filled with.
	FirstBoot FirstBoot
	// LoopbackUsers may log in from this machine only; nil is guest.
	LoopbackUsers []string
	// Limits bounds what the whole node has.
	Limits NodeLimits
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

	mu       sync.RWMutex // guards what follows; before every queue's mutex
	meta     *meta.State
	vhosts   map[string]*vhost
	byID     map[uint64]*queue.Queue
	exByID   map[uint64]*exchangeRef
	users    map[string]*presence // by name: those with sessions
	opened   int                  // sessions
	imported ImportReport         // the last

	channels atomic.Int64
	totals   totals
	replies  replies
	alarms   alarms
	random   random
	events   events
	drops    atomic.Uint64 // dead letters that found no queue
}

// vhost is a virtual host's living half; guarded by Broker.mu but for gone.
type vhost struct {
	name      string
	exchanges map[string]*exchangeRef
	queues    map[string]*queueRef
	sessions  map[*Session]bool
	access    map[string]*access // by user
	policies  policies
	deleted   bool // nothing new may come
	// gone counts deleted queues: a cached route of the default exchange holds
	// while it stands.
	gone atomic.Uint64
	// tracing: messages are copied to amq.rabbitmq.trace.
	tracing atomic.Bool

	counts  publishCounts
	retired [len(QueueTypes)]queue.Counters // of deleted queues
}

type queueRef struct {
	*queue.Queue
	vhost   *vhost
	applied *applied // nil: no policy
	def     *meta.Queue
	owner   *Session // exclusive queues only
}

// Open loads the metadata. A broker with a log then gets its records as
// persistence's Owner, and Restored.
func Open(o Options) (*Broker, error) {
	b := &Broker{opt: o, meta: meta.New(), vhosts: map[string]*vhost{}, byID: map[uint64]*queue.Queue{}, exByID: map[uint64]*exchangeRef{},
		users: map[string]*presence{}, alarms: alarms{raised: map[Alarm]bool{}}}
	var err error
	if b.level, err = levelOf(o.Compatibility); err != nil {
		return nil, err
	}
	if o.LoopbackUsers == nil {
		b.opt.LoopbackUsers = []string{"guest"}
	}
	if o.Version != "" {
		b.level.reported = o.Version
	}
	if err := b.random.seed(o.Rand); err != nil {
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
	b.events.init(b)
	b.meta.Changed = b.changed
	if err := b.raise(); err != nil {
		return nil, errors.Join(err, b.Close(context.Background()))
	}
	if o.Log == nil {
		b.host.begin()
	}
	if len(b.meta.VHosts)+len(b.meta.Users)+len(b.meta.Permissions) == 0 {
		return b, b.firstBoot(o.FirstBoot)
	}
	return b, nil
}

const consumerTimeout = 30 * time.Minute

// raise makes the living half of what was loaded.
func (b *Broker) raise() error {
	for name, def := range b.meta.VHosts {
		b.vhosts[name] = newVHost(name)
		if def.Tracing { // RabbitMQ: nothing is traced after a start
			quiet := *def
			quiet.Tracing = false
			b.meta.VHosts[name] = &quiet
		}
	}
	for n, def := range b.meta.Policies {
		b.vhosts[n.VHost].policies.set(n, b.compilePolicy(def))
	}
	for _, def := range b.meta.Exchanges {
		if b.vhosts[def.VHost] == nil {
			return fmt.Errorf("metadata: exchange %q is in virtual host %q, which does not exist", def.Name, def.VHost)
		}
		b.raiseExchange(def)
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
	return &vhost{name: name, exchanges: map[string]*exchangeRef{}, queues: map[string]*queueRef{},
		sessions: map[*Session]bool{}, access: map[string]*access{}}
}

// Level is the RabbitMQ version whose answers the broker gives.
func (b *Broker) Level() string { return b.level.name }

// ServerProperties are connection.start's, without the capabilities.
func (b *Broker) ServerProperties() wire.Table {
	t := wire.Table{
		{Name: "cluster_name", Value: b.ClusterName()},
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

// ClusterName is the global parameter cluster_name, else the node's name.
func (b *Broker) ClusterName() string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if p := b.meta.GlobalParameters["cluster_name"]; p != nil {
		if name, ok := decodeJSON(p.Value); ok && isText(name) {
			return name.(string)
		}
	}
	return b.opt.NodeName
}

// Version is Leveret's own.
const Version = "0.1.0"

// Fail says that the log has died: what waits for it is answered with an error,
// and nothing is stored any more.
func (b *Broker) Fail() { b.commits.fail() }

// Close ends the broker's goroutines and makes every queue note what a clean
// stop has to remember, if it was restored. Sessions are closed before.
func (b *Broker) Close(context.Context) error {
	restored := b.host.close()
	b.events.close()
	b.mu.RLock()
	for id, q := range b.byID {
		if restored && b.exByID[id] == nil { // nobody cares how often a shelf has delivered
			q.Close()
		}
	}
	for _, x := range b.exByID {
		if x.special != nil {
			x.special.close()
		}
	}
	b.mu.RUnlock()
	return b.commits.close()
}
