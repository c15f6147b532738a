package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/queue"
)

// grant is a right on one resource: "configure queue q".
type grant struct {
	right      Right
	kind, name string
}

func (g grant) String() string {
	return [...]string{"configure", "write", "read"}[g.right] + " " + g.kind + " " + g.name
}

// grants reads a list such as "configure queue q, write exchange x".
func grants(t *testing.T, list string) (gs []grant) {
	t.Helper()
	for _, item := range strings.Split(list, ", ") {
		words := strings.Fields(item)
		if len(words) == 0 {
			continue
		}
		g := grant{map[string]Right{"configure": Configure, "write": Write, "read": Read}[words[0]], words[1], words[2]}
		if g.String() != item {
			t.Fatalf("no grant: %q", item)
		}
		gs = append(gs, g)
	}
	return gs
}

// may gives the user exactly these rights.
func (n *node) may(user string, gs []grant) {
	n.t.Helper()
	names := [3][]string{}
	for _, g := range gs {
		names[g.right] = append(names[g.right], strings.ReplaceAll(g.name, ".", `\.`))
	}
	var patterns [3]string
	for i, ns := range names {
		if len(ns) > 0 {
			patterns[i] = "^(" + strings.Join(ns, "|") + ")$"
		}
	}
	_, err := n.PutPermission(n.t.Context(), meta.Permission{User: user, VHost: "/", Configure: patterns[0], Write: patterns[1], Read: patterns[2]})
	n.must(err)
}

// Each operation needs the rights of RabbitMQ's table (access control), all of
// them and no other.
func TestRightsOfOperations(t *testing.T) {
	letters := func(name string) wire.Table { return wire.Table{{Name: "x-dead-letter-exchange", Value: name}} }
	for _, k := range []struct {
		name  string
		needs string
		do    func(c *client) error
	}{
		{"queue.declare", "configure queue new", func(c *client) error { return c.declare(wire.QueueDeclare{Queue: "new"}) }},
		{"queue.declare again", "configure queue q", func(c *client) error { return c.declare(wire.QueueDeclare{Queue: "q"}) }},
		{"queue.declare passive", "", func(c *client) error { return c.declare(wire.QueueDeclare{Queue: "q", Passive: true}) }},
		{"queue.declare with dead letters", "configure queue new, read queue new, write exchange x", func(c *client) error {
			return c.declare(wire.QueueDeclare{Queue: "new", Arguments: letters("x")})
		}},
		{"queue.declare with dead letters by the default exchange", "configure queue new, read queue new, write exchange amq.default", func(c *client) error {
			return c.declare(wire.QueueDeclare{Queue: "new", Arguments: letters("")})
		}},
		{"queue.delete", "configure queue q", func(c *client) error {
			return wait(func(reply func(error)) {
				c.DeleteQueue(&wire.QueueDelete{Queue: "q"}, func(_ int, err error) { reply(err) })
			})
		}},
		{"queue.purge", "read queue q", func(c *client) error {
			return wait(func(reply func(error)) {
				c.PurgeQueue(&wire.QueuePurge{Queue: "q"}, func(_ int, err error) { reply(err) })
			})
		}},
		{"queue.bind", "write queue q, read exchange x", func(c *client) error { return c.bind("q", "x", "new") }},
		{"queue.unbind", "write queue q, read exchange x", func(c *client) error { return c.unbind("q", "x", "k") }},
		{"exchange.declare", "configure exchange new", func(c *client) error {
			return c.declareExchange(wire.ExchangeDeclare{Exchange: "new", Type: "fanout"})
		}},
		{"exchange.declare passive", "", func(c *client) error { return c.declareExchange(wire.ExchangeDeclare{Exchange: "x", Passive: true}) }},
		{"exchange.declare with an alternate", "configure exchange new, read exchange new, write exchange x", func(c *client) error {
			return c.declareExchange(wire.ExchangeDeclare{Exchange: "new", Type: "fanout", Arguments: wire.Table{{Name: "alternate-exchange", Value: "x"}}})
		}},
		{"exchange.delete", "configure exchange x", func(c *client) error {
			return wait(func(reply func(error)) { c.DeleteExchange(&wire.ExchangeDelete{Exchange: "x"}, reply) })
		}},
		{"exchange.bind", "write exchange y, read exchange x", func(c *client) error { return c.bindExchange("y", "x", "k") }},
		{"exchange.unbind", "write exchange y, read exchange x", func(c *client) error {
			return wait(func(reply func(error)) {
				c.UnbindExchange(&wire.ExchangeUnbind{Destination: "y", Source: "x"}, reply)
			})
		}},
		{"basic.publish", "write exchange x", func(c *client) error { return publishTo(c.NewPublisher(1, nil), "x", "k") }},
		{"basic.publish to a queue", "write exchange amq.default", func(c *client) error { return publishTo(c.NewPublisher(1, nil), "", "q") }},
		{"basic.get", "read queue q", func(c *client) error { _, err := c.Queue("q", Read); return err }},
		{"basic.consume", "read queue q", func(c *client) error {
			_, err := c.Consume("q", queue.ConsumerOptions{Sink: deafSink{}})
			return err
		}},
	} {
		t.Run(k.name, func(t *testing.T) {
			needs := grants(t, k.needs)
			n := newNode(t)
			n.user("u", "/")
			c := n.client("u", "/")
			n.must(c.declare(wire.QueueDeclare{Queue: "q"}))
			for _, x := range []string{"x", "y"} {
				n.must(c.declareExchange(wire.ExchangeDeclare{Exchange: x, Type: "direct"}))
			}
			n.must(c.bind("q", "x", "k"))
			for i, missing := range needs {
				n.may("u", append(append([]grant{}, needs[:i]...), needs[i+1:]...))
				refused(t, k.do(c), wire.AccessRefused, fmt.Sprintf("access to %s '%s' in vhost '/' refused for user 'u'", missing.kind, missing.name))
			}
			n.may("u", needs)
			if err := k.do(c); err != nil {
				t.Fatalf("with %q: %v", k.needs, err)
			}
		})
	}
}

// A session's exclusive queues are locked to others while it lives, and gone
// with it: with their bindings, and the auto-delete exchanges that have no other.
func TestExclusiveQueuesLiveWithTheirSession(t *testing.T) {
	n := newNode(t)
	owner, other := n.client("guest", "/"), n.client("guest", "/")
	n.must(owner.declareExchange(wire.ExchangeDeclare{Exchange: "auto", Type: "fanout", AutoDelete: true}))
	n.must(owner.declare(wire.QueueDeclare{Queue: "q", Exclusive: true}))
	n.must(owner.declare(wire.QueueDeclare{Queue: "shared"}))
	n.must(owner.bind("q", "auto", ""))
	locked := "cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration."
	refused(t, other.declare(wire.QueueDeclare{Queue: "q", Exclusive: true}), wire.ResourceLocked, locked)
	refused(t, other.declare(wire.QueueDeclare{Queue: "q", Passive: true}), wire.ResourceLocked, locked)
	refused(t, other.bind("q", "auto", "k"), wire.ResourceLocked, locked)
	refused(t, other.unbind("q", "auto", ""), wire.ResourceLocked, locked)
	_, err := other.Queue("q", Read)
	refused(t, err, wire.ResourceLocked, locked)
	for name, call := range map[string]func(reply func(int, error)){
		"purge":  func(reply func(int, error)) { other.PurgeQueue(&wire.QueuePurge{Queue: "q"}, reply) },
		"delete": func(reply func(int, error)) { other.DeleteQueue(&wire.QueueDelete{Queue: "q"}, reply) },
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, wait(func(reply func(error)) { call(func(_ int, err error) { reply(err) }) }), wire.ResourceLocked, locked)
		})
	}
	n.must(publishTo(other.NewPublisher(1, nil), "", "q")) // anybody may send to it
	owner.Close()
	refused(t, other.declare(wire.QueueDeclare{Queue: "q", Passive: true}), wire.NotFound, "no queue 'q' in vhost '/'")
	refused(t, other.declareExchange(wire.ExchangeDeclare{Exchange: "auto", Passive: true}), wire.NotFound, "no exchange 'auto' in vhost '/'")
	n.must(other.declare(wire.QueueDeclare{Queue: "shared", Passive: true}))
	n.must(other.declare(wire.QueueDeclare{Queue: "q", Exclusive: true}))
}
