package broker

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

func (n *node) limit(user, vhost, name string, value int) {
	n.t.Helper()
	v := json.RawMessage(fmt.Sprint(value))
	if user != "" {
		n.must(n.SetUserLimit(n.t.Context(), user, name, v))
		return
	}
	n.must(n.SetVHostLimit(n.t.Context(), vhost, name, v))
}

func TestConnectionLimits(t *testing.T) {
	n := newNode(t, func(o *Options) { o.Limits.Connections = 4 })
	n.vhost("v")
	n.user("u", "/", "v")
	dial := func(user, vhost, want string) {
		t.Helper()
		_, err := n.dial(user, vhost)
		if want == "" {
			n.must(err)
			return
		}
		refused(t, err, wire.NotAllowed, want)
	}
	n.limit("", "v", "max-connections", 1)
	first := n.client("u", "v")
	dial("u", "v", "access to vhost 'v' refused for user 'u': connection limit (1) is reached")
	n.limit("", "v", "max-connections", 0)
	dial("u", "v", "access to vhost 'v' refused for user 'u': connection limit (0) is reached")
	n.limit("", "v", "max-connections", -1)
	n.limit("u", "", "max-connections", 2)
	dial("u", "v", "")
	dial("u", "/", "connection refused for user 'u': user connection limit (2) is reached")
	first.Close()
	first.Close()
	dial("u", "/", "")
	n.limit("u", "", "max-connections", 0)
	dial("u", "/", "connection refused for user 'u': user connection limit (0) is reached")
	n.must(n.ClearUserLimit(t.Context(), "u", "max-connections"))
	dial("u", "/", "")
	dial("guest", "/", "")
	dial("guest", "/", "connection refused: node connection limit (4) is reached")
}

func TestChannelLimits(t *testing.T) {
	n := newNode(t, func(o *Options) { o.Limits.Channels, o.Limits.ConsumersPerChannel = 3, 2 })
	n.user("u", "/")
	a, b, other := n.client("u", "/"), n.client("u", "/"), n.client("guest", "/")
	n.limit("u", "", "max-channels", 1)
	n.must(a.MayOpenChannel())
	p := a.NewPublisher(1, nil)
	refused(t, b.MayOpenChannel(), wire.NotAllowed, "number of channels opened for user 'u' has reached the maximum allowed user limit of (1)")
	n.must(other.MayOpenChannel())
	p.Close()
	p.Close()
	n.must(b.MayOpenChannel())
	for range 3 {
		other.NewPublisher(1, nil)
	}
	refused(t, b.MayOpenChannel(), wire.NotAllowed, "number of channels opened on node 'leveret@test' has reached the maximum allowed limit of (3)")
	n.must(a.MayConsume(1))
	refused(t, a.MayConsume(2), wire.NotAllowed, "reached maximum (2) of consumers per channel")
}

func TestQueueLimits(t *testing.T) {
	n := newNode(t, func(o *Options) { o.Limits = NodeLimits{Queues: 3, Exchanges: 15, VHosts: 2} })
	n.vhost("v")
	n.user("u", "/", "v")
	c, other := n.client("u", "v"), n.client("u", "/")
	n.limit("", "v", "max-queues", 1)
	n.must(c.declare(wire.QueueDeclare{Queue: "q1"}))
	refused(t, c.declare(wire.QueueDeclare{Queue: "q2"}), wire.PreconditionFailed, "cannot declare queue 'q2': queue limit in vhost 'v' (1) is reached")
	n.must(c.declare(wire.QueueDeclare{Queue: "q1"}))
	n.must(n.ClearVHostLimit(t.Context(), "v", ""))
	n.must(c.declare(wire.QueueDeclare{Queue: "q2"}))
	n.must(other.declare(wire.QueueDeclare{Queue: "q"}))
	refused(t, other.declare(wire.QueueDeclare{Queue: "r"}), wire.PreconditionFailed, "cannot declare queue 'r': queue limit in cluster (3) is reached")
	x := func(name string) error {
		return other.declareExchange(wire.ExchangeDeclare{Exchange: name, Type: "direct"})
	}
	n.must(x("x")) // with those of two virtual hosts the last
	n.must(x("x"))
	refused(t, x("y"), wire.PreconditionFailed, "cannot declare exchange 'y' in vhost '/': exchange limit of 15 is reached")
	if _, err := n.PutVHost(t.Context(), VHostOptions{Name: "w"}); kindOf(t, err) != Refused || err.Error() != "cannot create vhost 'w': vhost limit of 2 is reached" {
		t.Fatal(err)
	}
	if _, err := n.PutVHost(t.Context(), VHostOptions{Name: "v"}); err != nil {
		t.Fatal(err)
	}
}

func TestDefaultQueueType(t *testing.T) {
	n := newNode(t)
	c := n.client("guest", "/")
	kind := func(name string) any {
		v, _ := n.vhosts["/"].queues[name].def.Arguments.Get("x-queue-type")
		return v
	}
	n.must(c.declare(wire.QueueDeclare{Queue: "before", Durable: true}))
	classic, stream := "classic", "stream"
	_, err := n.PutVHost(t.Context(), VHostOptions{Name: "/", DefaultQueueType: &classic})
	n.must(err)
	n.must(c.declare(wire.QueueDeclare{Queue: "q", Durable: true}))
	_, err = n.PutVHost(t.Context(), VHostOptions{Name: "/", DefaultQueueType: &stream})
	n.must(err)
	n.must(c.declare(wire.QueueDeclare{Queue: "q", Durable: true}))
	n.must(c.declare(wire.QueueDeclare{Queue: "before", Durable: true}))
	n.must(c.declare(wire.QueueDeclare{Queue: "transient"}))
	n.must(c.declare(wire.QueueDeclare{Queue: "mine", Durable: true, Exclusive: true}))
	if kind("q") != "classic" || kind("before") != nil || kind("transient") != nil || kind("mine") != nil {
		t.Fatal(kind("q"), kind("before"), kind("transient"), kind("mine"))
	}
	m := c.typed("new", &wire.QueueDeclare{Queue: "new", Durable: true})
	if v, _ := m.Arguments.Get("x-queue-type"); v != "stream" {
		t.Fatal(v)
	}
}
