package broker

import (
	"context"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/queue"
)

func anywhere(string) bool { return true }

// send publishes n messages of one octet.
func (c *client) send(p *Publisher, exchange, key string, mandatory bool, n int) {
	c.t.Helper()
	for range n {
		pub := wire.Publish{Exchange: []byte(exchange), RoutingKey: []byte(key), Route: wire.AppendRoute(nil, exchange, key), Mandatory: mandatory}
		if err := p.Publish(pub, nil, wire.PropertyView{}, []byte("x"), nil); err != nil {
			c.t.Fatal(err)
		}
	}
}

func queuesOf(t Traffic) queue.Counters { return t.Queues() }

func TestTraffic(t *testing.T) {
	n := newNode(t)
	n.vhost("v")
	n.user("u", "v")
	c := n.client("u", "v")
	for _, name := range []string{"a", "b"} {
		n.must(c.declare(wire.QueueDeclare{Queue: name}))
		n.must(c.bind(name, "amq.fanout", ""))
	}
	p := c.NewPublisher(1, &returns{})
	p.SelectConfirms(func() {})
	c.send(p, "", "a", false, 3)
	c.send(p, "amq.fanout", "", false, 2)
	c.send(p, "", "nowhere", false, 1)
	c.send(p, "", "nowhere", true, 1)
	p.Flush()
	p.Confirms().Take(func(uint64, bool, bool) {})

	want := PublishCounts{Published: 7, Routed: 7, Awaited: 7, Returned: 1, Dropped: 1}
	if got := p.Counts(); got != want {
		t.Errorf("publisher: %+v, want %+v", got, want)
	}
	if confirmed, waiting := p.Confirms().Counts(); confirmed != 7 || waiting != 0 {
		t.Errorf("%d confirmed, %d waiting, want 7 and 0", confirmed, waiting)
	}
	want.Confirmed = 7
	node, byVHost := n.Traffic()
	if got := byVHost["v"]; got.Publish != want || got.Ready != 7 || queuesOf(got).Published != 7 || got.Bytes != 7 {
		t.Errorf("virtual host: %+v", got)
	}
	if x, ok := n.Exchange("v", "amq.fanout"); !ok || x.PublishCounts != (PublishCounts{Published: 2, Routed: 4, Awaited: 2}) {
		t.Errorf("exchange: %+v", x.PublishCounts)
	}
	if node.Publish != want {
		t.Errorf("node: %+v", node.Publish)
	}

	// What is gone still counts.
	n.must(wait(func(reply func(error)) {
		c.DeleteQueue(&wire.QueueDelete{Queue: "a"}, func(_ int, err error) { reply(err) })
	}))
	if _, byVHost = n.Traffic(); queuesOf(byVHost["v"]).Published != 7 || byVHost["v"].Ready != 2 {
		t.Errorf("after a queue is gone: %+v", byVHost["v"])
	}
	n.must(n.DeleteVHost(context.Background(), "v"))
	if node, byVHost = n.Traffic(); node.Publish != want || queuesOf(node).Published != 7 || node.Ready != 0 || len(byVHost) != 1 {
		t.Errorf("after the virtual host is gone: %+v, %v", node, byVHost)
	}
	if got := n.Churn(); got != (Churn{2, 2, 2}) {
		t.Errorf("churn %+v", got)
	}
}

func TestUncommittedIsCounted(t *testing.T) {
	n := newNode(t)
	c := n.client("guest", "/")
	n.must(c.declare(wire.QueueDeclare{Queue: "q"}))
	p := c.NewPublisher(1, &returns{})
	p.SelectTx()
	c.send(p, "", "q", false, 2)
	if p.Uncommitted() != 2 || p.Counts() != (PublishCounts{}) {
		t.Errorf("%d uncommitted, %+v", p.Uncommitted(), p.Counts())
	}
	n.must(wait(func(reply func(error)) { p.Commit(func(*queue.Batch) {}, reply) }))
	if p.Uncommitted() != 0 || p.Counts() != (PublishCounts{Published: 2, Routed: 2}) {
		t.Errorf("%d uncommitted, %+v", p.Uncommitted(), p.Counts())
	}
}

func TestLists(t *testing.T) {
	n := newNode(t)
	n.vhost("v")
	n.user("u", "v")
	c := n.client("u", "v")
	n.must(c.declare(wire.QueueDeclare{Queue: "b", Exclusive: true}))
	n.must(c.declare(wire.QueueDeclare{Queue: "a"}))
	n.must(c.bind("a", "amq.topic", "k.#"))
	_, err := n.PutPolicy(t.Context(), meta.Policy{PolicyName: meta.PolicyName{VHost: "v", Name: "p"}, Pattern: "^a", ApplyTo: "queues", Definition: []byte(`{"max-length":5}`)})
	n.must(err)

	qs := n.Queues(func(vhost string) bool { return vhost == "v" })
	if len(qs) != 2 || qs[0].Name != "a" || qs[1].Name != "b" || qs[0].Type() != "classic" {
		t.Fatalf("queues %+v", qs)
	}
	if qs[0].Policy != "p" || qs[0].Effective["max-length"] != int64(5) || qs[1].Policy != "" || !qs[1].Exclusive {
		t.Errorf("policies %+v, %+v", qs[0].PolicyView, qs[1].PolicyView)
	}
	if _, ok := n.Queue("/", "a"); ok {
		t.Error("a queue of another virtual host")
	}
	if q, ok := n.Queue("v", "a"); !ok || q.Name != "a" {
		t.Errorf("queue a: %+v, %t", q, ok)
	}
	if xs := n.Exchanges(anywhere); len(xs) != 2*len(predeclared) || xs[0].VHost != "/" || xs[len(predeclared)].VHost != "v" {
		t.Errorf("%d exchanges", len(xs))
	}
	if queues, exchanges, ok := n.Route("v", "amq.topic", "k.x", nil); !ok || len(queues) != 1 || queues[0] != "a" || len(exchanges) != 1 {
		t.Errorf("route: %q by %q, %t", queues, exchanges, ok)
	}
	if _, _, ok := n.Route("v", "nowhere", "", nil); ok {
		t.Error("a route through an exchange that does not exist")
	}
	var got []string
	for _, b := range n.Bindings(anywhere) {
		got = append(got, b.Source+" "+b.Key+" "+b.Dest)
	}
	if len(got) != 3 || got[0] != " a a" || got[1] != " b b" || got[2] != "amq.topic k.# a" {
		t.Errorf("bindings %q", got)
	}
}
