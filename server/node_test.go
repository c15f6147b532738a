package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/queue"
)

// node is a broker over the real log, both in memory and without a network.
type node struct {
	t      *testing.T
	fs     *persistence.Memory
	meta   *persistence.MemoryMeta
	log    *persistence.Log
	b      *broker.Broker
	runs   uint64
	open   bool
	errors *complaints
}

func newNode(t *testing.T) *node {
	n := &node{t: t, fs: persistence.NewMemory(), meta: persistence.NewMemoryMeta()}
	n.start()
	t.Cleanup(func() {
		if n.open { // the test has failed
			_ = n.stop()
		}
	})
	return n
}

// start opens the broker as Server.open does.
func (n *node) start() {
	n.t.Helper()
	n.runs++
	n.errors = new(complaints)
	logger := slog.New(slog.NewTextHandler(n.errors, &slog.HandlerOptions{Level: slog.LevelError}))
	adapter := &logAdapter{}
	var err error
	n.b, err = broker.Open(broker.Options{Log: adapter, Meta: metaAdapter{n.meta}, Clock: wallClock{}, Rand: rand.Reader, Logger: logger})
	if err != nil {
		n.t.Fatalf("open broker: %v", err)
	}
	n.log, err = persistence.Open(persistence.Options{FS: n.fs, Owner: n.b, Incarnation: n.runs, SegmentSize: 32 << 10, CacheBytes: 64 << 10,
		OnError: func(error) { n.b.Fail() }, Logger: logger})
	if err != nil {
		n.t.Fatalf("open log: %v", err)
	}
	adapter.Log = n.log
	n.open = true
	n.b.Restored(n.log.Clean())
}

// stop ends the node; its error is that of a log that had died.
func (n *node) stop() error {
	n.open = false
	if err := n.b.Close(context.Background()); err != nil {
		n.t.Errorf("close broker: %v", err)
	}
	return n.log.Close()
}

// audit waits until nothing moves and holds the log's counters against what
// the queues hold.
func (n *node) audit(after string) {
	n.t.Helper()
	synctest.Wait()
	if n.log.Err() != nil { // it counts no more
		return
	}
	if err := n.log.Audit(); err != nil {
		n.t.Fatalf("after %s: %v", after, err)
	}
	if text := n.errors.String(); text != "" {
		n.t.Fatalf("after %s: %s", after, text)
	}
}

// complaints are what a logger was told.
type complaints struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (c *complaints) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(b)
}

func (c *complaints) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

func (n *node) session() *broker.Session {
	n.t.Helper()
	u, err := n.b.Authenticate("guest", "guest", true)
	if err != nil {
		n.t.Fatal(err)
	}
	s, err := n.b.OpenSession(broker.SessionOptions{User: u, VHost: "/"})
	if err != nil {
		n.t.Fatal(err)
	}
	return s
}

// returned takes what finds no queue: nobody asks.
type returned struct{}

func (returned) Return(wire.Code, string, queue.Content) {}

// message is what to publish.
type message struct {
	exchange, key string
	persistent    bool
	expiration    string
	size          int
}

func (n *node) publish(p *broker.Publisher, m message) {
	n.t.Helper()
	x := wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 1, Expiration: m.expiration}
	if m.persistent {
		x.DeliveryMode = 2
	}
	if m.expiration != "" {
		x.Flags |= wire.FlagExpiration
	}
	props := x.Append(nil)
	v, err := wire.ScanProperties(props)
	if err != nil {
		n.t.Fatal(err)
	}
	route := wire.AppendRoute(nil, m.exchange, m.key)
	pub := wire.Publish{Route: route}
	pub.Exchange, pub.RoutingKey = wire.SplitRoute(route)
	if err := p.Publish(pub, props, v, body(m.size), nil); err != nil {
		n.t.Fatalf("publish to %q %q: %v", m.exchange, m.key, err)
	}
}

// body is a message's: its size can be told from it, and damage.
func body(size int) []byte {
	head := fmt.Appendf(nil, "%d:", size)
	return append(head, bytes.Repeat([]byte{byte(size)}, size)...)
}

func intact(b []byte) bool {
	var size int
	_, err := fmt.Sscanf(string(b[:min(len(b), 20)]), "%d:", &size)
	return err == nil && bytes.Equal(b, body(size))
}

// taker is a consumer with room for some messages, or a getter.
type taker struct {
	t *testing.T
	c *queue.Consumer

	mu    sync.Mutex // guards what follows
	room  int
	last  uint64 // the last id taken
	seen  int    // messages taken
	ended bool
}

func (k *taker) take(ds []queue.Delivery) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := min(k.room, len(ds))
	for _, d := range ds[:n] {
		if !intact(d.Body) {
			k.t.Errorf("a body came back as %.40q", d.Body)
		}
		k.last = d.ID
	}
	k.room -= n
	k.seen += n
	return n
}

// Deliver implements queue.Sink.
func (k *taker) Deliver(ds []queue.Delivery) int { return k.take(ds) }

// Cancelled implements queue.Sink.
func (k *taker) Cancelled() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
}

// Admit implements queue.Sink.
func (k *taker) Admit() bool { return true }

// more makes room and has the queue use it.
func (k *taker) more(n int) {
	k.mu.Lock()
	k.room += n
	k.mu.Unlock()
	k.c.Resume()
}

func (k *taker) state() (last uint64, seen int, ended bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last, k.seen, k.ended
}
