package broker

import (
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
)

// publish checks and publishes one message, and gives the error of it.
func publishTo(p *Publisher, exchange, key string) error {
	if err := p.Check([]byte(exchange)); err != nil {
		return err
	}
	route := wire.AppendRoute(nil, exchange, key)
	x, k := wire.SplitRoute(route)
	err := p.Publish(wire.Publish{Exchange: x, RoutingKey: k, Route: route}, new(wire.Properties).Append(nil), wire.PropertyView{}, []byte("m"), nil)
	p.Flush()
	return err
}

func (c *client) unbind(queue, exchange, key string) error {
	done := make(chan error, 1)
	c.UnbindQueue(&wire.QueueUnbind{Queue: queue, Exchange: exchange, RoutingKey: key}, func(err error) { done <- err })
	return <-done
}

func (c *client) bindExchange(to, from, key string) error {
	done := make(chan error, 1)
	c.BindExchange(&wire.ExchangeBind{Destination: to, Source: from, RoutingKey: key}, func(err error) { done <- err })
	return <-done
}

// Permissions that change hold for the next operation of a session.
func TestPermissionsChangeAtOnce(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	n.user("u", "/")
	c := n.client("u", "/")
	p := c.NewPublisher(1, nil)
	n.must(c.declare(wire.QueueDeclare{Queue: "q"}))
	n.must(publishTo(p, "", "q"))
	_, err := n.PutPermission(ctx, meta.Permission{User: "u", VHost: "/", Configure: ".*", Write: "^$", Read: "^(?!q)"})
	n.must(err)
	refused(t, publishTo(p, "", "q"), wire.AccessRefused, "access to exchange 'amq.default' in vhost '/' refused for user 'u'")
	_, err = c.Queue("q", Read)
	refused(t, err, wire.AccessRefused, "access to queue 'q' in vhost '/' refused for user 'u'")
	n.must(c.declare(wire.QueueDeclare{Queue: "r"}))
	if _, err = c.Queue("r", Read); err != nil {
		t.Fatal(err)
	}
	n.must(n.DeletePermission(ctx, "/", "u"))
	refused(t, c.declare(wire.QueueDeclare{Queue: "s"}), wire.AccessRefused, "access to queue 's' in vhost '/' refused for user 'u'")
	_, err = n.dial("u", "/")
	refused(t, err, wire.NotAllowed, "access to vhost '/' refused for user 'u'")
	n.user("u", "/")
	n.must(publishTo(p, "", "q"))
	n.must(n.DeleteUser(ctx, "u"))
	refused(t, publishTo(p, "", "q"), wire.AccessRefused, "access to exchange 'amq.default' in vhost '/' refused for user 'u'")
}

// Sessions of one user in one virtual host share what is compiled for them.
func TestRightsAreShared(t *testing.T) {
	n := newNode(t)
	n.vhost("v")
	n.user("u", "/", "v")
	a, b, other := n.client("u", "/"), n.client("u", "/"), n.client("u", "v")
	if a.access != b.access || a.access.Load() != b.access.Load() || a.access == other.access {
		t.Fatal("not shared as it should be")
	}
	a.Close()
	a.Close()
	if got := n.vhosts["/"].access["u"]; got != b.access {
		t.Fatal("gone with the first of two")
	}
	b.Close()
	if len(n.vhosts["/"].access) != 0 || len(n.vhosts["v"].access) != 1 {
		t.Fatal("kept without a session")
	}
}

func TestTopicPermissions(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	n.vhost("v")
	n.user("u.1", "v")
	c := n.client("u.1", "v")
	p := c.NewPublisher(1, nil)
	n.must(c.declare(wire.QueueDeclare{Queue: "q"}))
	for _, x := range []string{"t", "other"} {
		n.must(c.declareExchange(wire.ExchangeDeclare{Exchange: x, Type: "topic"}))
	}
	n.must(c.bind("q", "t", "before"))
	for _, x := range []string{"t", "amq.direct", ""} {
		_, err := n.PutTopicPermission(ctx, meta.TopicPermission{User: "u.1", VHost: "v", Exchange: x, Write: `^{username}\.`, Read: "^{vhost}$"})
		n.must(err)
	}
	refusal := func(key string) string {
		return "access to topic '" + key + "' in exchange 't' in vhost 'v' refused for user 'u.1'"
	}
	n.must(publishTo(p, "t", "u.1.a"))
	n.must(publishTo(p, "other", "x"))
	n.must(publishTo(p, "amq.direct", "x")) // only topic exchanges have such permissions
	n.must(publishTo(p, "", "q"))
	refused(t, publishTo(p, "t", "ux1.a"), wire.AccessRefused, refusal("ux1.a"))
	n.must(c.bind("q", "t", "v"))
	n.must(c.bind("q", "amq.direct", "x"))
	n.must(c.bindExchange("t", "amq.direct", "x"))
	refused(t, c.bind("q", "t", "w"), wire.AccessRefused, refusal("w"))
	refused(t, c.bindExchange("other", "t", "w"), wire.AccessRefused, refusal("w"))
	refused(t, c.unbind("q", "t", "before"), wire.AccessRefused, refusal("before"))
	n.must(c.unbind("q", "t", "v"))
	_, err := n.PutTopicPermission(ctx, meta.TopicPermission{User: "u.1", VHost: "v", Exchange: "t"})
	n.must(err)
	n.must(publishTo(p, "t", "")) // an empty expression is ^$
	refused(t, publishTo(p, "t", "u.1.a"), wire.AccessRefused, refusal("u.1.a"))
	n.must(n.DeleteTopicPermissions(ctx, "v", "u.1", nil))
	n.must(publishTo(p, "t", "u.1.a"))
	n.must(c.unbind("q", "t", "before"))
}
