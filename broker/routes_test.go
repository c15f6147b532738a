package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// topology makes exchanges and queues by short scripts; a word is one command:
//
//	x=fanout   declare exchange x      x=fanout/y  with alternate exchange y
//	q          declare queue q         x>q:k       bind queue q to x by k
//	x>>y:k     bind exchange y to x    ! before one of these undoes it
type topology struct {
	*client
	n *node
}

func newTopology(t *testing.T) *topology {
	n := newNode(t)
	return &topology{n.client("guest", "/"), n}
}

func (c *topology) run(script string) {
	c.t.Helper()
	for _, word := range strings.Fields(script) {
		command, undo := strings.CutPrefix(word, "!")
		if err := c.command(command, undo); err != nil {
			c.t.Fatalf("%s: %v", word, err)
		}
	}
}

func (c *topology) command(word string, undo bool) error {
	link, key, _ := strings.Cut(word, ":")
	if source, dest, ok := strings.Cut(link, ">>"); ok {
		if undo {
			m := &wire.ExchangeUnbind{Source: source, Destination: dest, RoutingKey: key}
			return wait(func(reply func(error)) { c.UnbindExchange(m, reply) })
		}
		return c.bindExchange(dest, source, key)
	}
	if source, dest, ok := strings.Cut(link, ">"); ok {
		if undo {
			return c.unbind(dest, source, key)
		}
		return c.bind(dest, source, key)
	}
	name, kind, isExchange := strings.Cut(word, "=")
	switch {
	case isExchange && undo:
		return wait(func(reply func(error)) { c.DeleteExchange(&wire.ExchangeDelete{Exchange: name}, reply) })
	case isExchange:
		m := wire.ExchangeDeclare{Exchange: name}
		var alternate string
		if m.Type, alternate, _ = strings.Cut(kind, "/"); alternate != "" {
			m.Arguments = wire.Table{{Name: "alternate-exchange", Value: alternate}}
		}
		return c.declareExchange(m)
	case undo:
		m := &wire.QueueDelete{Queue: name}
		return wait(func(reply func(error)) { c.DeleteQueue(m, func(_ int, err error) { reply(err) }) })
	}
	return c.declare(wire.QueueDeclare{Queue: name})
}

// arrives publishes one message and says in which queues it is then, how often.
func (c *topology) arrives(p *Publisher, exchange, key string) string {
	c.t.Helper()
	before := c.counts()
	if err := publishTo(p, exchange, key); err != nil {
		return err.Error()
	}
	var out []string
	for name, n := range c.counts() {
		if n -= before[name]; n > 0 {
			out = append(out, strings.Repeat(name+" ", n))
		}
	}
	slices.Sort(out)
	return strings.TrimSpace(strings.Join(out, ""))
}

func (c *topology) counts() map[string]int {
	c.b.mu.RLock()
	defer c.b.mu.RUnlock()
	out := map[string]int{}
	for name, q := range c.vhost.queues {
		out[name], _, _ = q.Counts()
	}
	return out
}

// A publisher keeps where a route leads. Whatever changes that, the next
// message goes the new way.
func TestKeptRoutes(t *testing.T) {
	for _, k := range []struct {
		name                  string
		setup, before, change string
		after                 string
		exchange, key         string
	}{
		{"bound", "a b x=direct x>a:k", "a", "x>b:k", "a b", "x", "k"},
		{"bound by another key", "a b x=direct x>a:k", "a", "x>b:other", "a", "x", "k"},
		{"unbound", "a b x=direct x>a:k x>b:k", "a b", "!x>a:k", "b", "x", "k"},
		{"unbound by another key", "a x=direct x>a:k x>a:l", "a", "!x>a:l", "a", "x", "k"},
		{"the last binding goes", "a x=fanout x>a:", "a", "!x>a:", "", "x", ""},
		{"the first binding comes", "a x=topic", "", "x>a:#", "a", "x", "k"},
		{"queue deleted", "a b x=fanout x>a: x>b:", "a b", "!a", "b", "x", ""},
		{"queue declared anew is not bound", "a x=fanout x>a:", "a", "!a a", "", "x", ""},
		{"queue declared and bound anew", "a x=fanout x>a:", "a", "!a a x>a:", "a", "x", ""},
		{"exchange deleted", "a x=fanout x>a:", "a", "!x=", "NOT_FOUND - no exchange 'x' in vhost '/'", "x", ""},
		{"exchange declared anew", "a b x=fanout x>a:", "a", "!x= x=fanout x>b:", "b", "x", ""},
		{"exchange of another type", "a x=fanout x>a:k", "a", "!x= x=direct x>a:other", "", "x", "k"},
		{"default exchange, queue deleted", "a", "a", "!a", "", "", "a"},
		{"default exchange, queue declared", "b", "", "a", "a", "", "a"},
		{"default exchange, queue declared anew", "a", "a", "!a a", "a", "", "a"},
		{"default exchange, another queue deleted", "a b", "a", "!b", "a", "", "a"},
		{"behind: bound", "a b x=fanout y=fanout x>>y: y>a:", "a", "y>b:", "a b", "x", ""},
		{"behind: unbound", "a b x=fanout y=fanout x>>y: y>a: y>b:", "a b", "!y>a:", "b", "x", ""},
		{"behind: exchange deleted", "a b x=fanout y=fanout x>>y: y>a: x>b:", "a b", "!y=", "b", "x", ""},
		{"behind: exchange declared anew is not bound", "a x=fanout y=fanout x>>y: y>a:", "a", "!y= y=fanout y>a:", "", "x", ""},
		{"alternate: bound beside it", "a b x=direct/y y=fanout y>a:", "a", "x>b:k", "b", "x", "k"},
		{"alternate: unbound, so that it gets all", "a b x=direct/y y=fanout y>a: x>b:k", "b", "!x>b:k", "a", "x", "k"},
		{"alternate: changed itself", "a b x=direct/y y=fanout y>a:", "a", "y>b: !y>a:", "b", "x", "k"},
		{"alternate: deleted", "a x=direct/y y=fanout y>a:", "a", "!y=", "", "x", "k"},
		{"alternate: declared later", "a x=direct/y", "", "y=fanout y>a:", "a", "x", "k"},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newTopology(t)
			c.run(k.setup)
			p := c.NewPublisher(1, &returns{})
			for range 2 { // the second goes the way that is kept
				if got := c.arrives(p, k.exchange, k.key); got != k.before {
					t.Fatalf("before: arrives in %q, want %q", got, k.before)
				}
			}
			c.run(k.change)
			for range 2 {
				if got := c.arrives(p, k.exchange, k.key); got != k.after {
					t.Fatalf("after %s: arrives in %q, want %q", k.change, got, k.after)
				}
			}
		})
	}
}

// A policy gives an exchange another alternate at once.
func TestKeptRoutesAndPolicies(t *testing.T) {
	c := newTopology(t)
	c.run("a b x=direct y=fanout z=fanout y>a: z>b:")
	p := c.NewPublisher(1, &returns{})
	for _, k := range []struct{ alternate, want string }{{"y", "a"}, {"z", "b"}, {"none", ""}} {
		c.n.policy("p", "^x$", "exchanges", 0, fmt.Sprintf(`{"alternate-exchange": %q}`, k.alternate))
		if got := c.arrives(p, "x", "k"); got != k.want {
			t.Fatalf("with alternate %s: arrives in %q, want %q", k.alternate, got, k.want)
		}
	}
}

// What one client does with exchanges of its own leaves the routes of others
// alone: keeping them would be worth nothing.
func TestKeptRoutesOfOthers(t *testing.T) {
	c := newTopology(t)
	c.run("a b x=direct x>a:k other=direct")
	p := c.NewPublisher(1, nil)
	kept := func() *cached { return p.cache[string(wire.AppendRoute(nil, "x", "k"))] }
	c.arrives(p, "x", "k")
	first := kept()
	if first == nil {
		t.Fatal("nothing is kept")
	}
	c.run("other>b:k temporary other>temporary:k !temporary third=fanout !third= !other=")
	c.arrives(p, "x", "k")
	if kept() != first {
		t.Fatal("another exchange's bindings emptied it")
	}
	c.run("x>b:other")
	c.arrives(p, "x", "k")
	if kept() == first {
		t.Fatal("it outlived a binding of its exchange")
	}
}

// However many keys there are, a publisher keeps a bounded number of routes.
func TestKeptRoutesAreBounded(t *testing.T) {
	c := newTopology(t)
	c.run("a x=fanout x>a:")
	p := c.NewPublisher(1, nil)
	for i := range 3 * cacheMax {
		if err := publishTo(p, "x", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		if len(p.cache) > cacheMax {
			t.Fatalf("%d routes after %d keys", len(p.cache), i+1)
		}
	}
	if n := ready(t, c.Session, "a"); n != 3*cacheMax {
		t.Fatalf("%d messages arrived, want %d", n, 3*cacheMax)
	}
}

// Exchanges may lead back to each other: each is asked once, and each queue
// gets one copy however many ways lead to it.
func TestRoutesThatMeet(t *testing.T) {
	var many strings.Builder
	var all []string
	for i := range 2 * manyQueues {
		name := fmt.Sprintf("q%02d", i)
		fmt.Fprintf(&many, " %s x>%s: y>%s:", name, name, name)
		all = append(all, name)
	}
	for _, k := range []struct{ name, setup, want string }{
		{"to itself", "a x=fanout x>>x: x>a:", "a"},
		{"there and back", "a b x=fanout y=fanout x>>y: y>>x: x>a: y>b:", "a b"},
		{"round", "a b c x=fanout y=fanout z=fanout x>>y: y>>z: z>>x: x>a: y>b: z>c:", "a b c"},
		{"two ways", "a x=fanout y=fanout z=fanout w=fanout x>>y: x>>z: y>>w: z>>w: w>a:", "a"},
		{"two bindings", "a x=topic x>a:# x>a:*", "a"},
		{"alternates of each other", "a x=direct/y y=direct/x y>a:other", ""},
		{"alternate to itself", "x=direct/x", ""},
		{"an alternate that leads back", "a x=direct/y y=fanout y>>x: y>a:", "a"},
		{"many queues, two ways", "x=fanout y=fanout x>>y:" + many.String(), strings.Join(all, " ")},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := newTopology(t)
			c.run(k.setup)
			p := c.NewPublisher(1, &returns{})
			for range 2 {
				if got := c.arrives(p, "x", "k"); got != k.want {
					t.Fatalf("arrives in %q, want %q", got, k.want)
				}
			}
		})
	}
}

// Mandatory is about queues: a message that reached exchanges only comes back,
// once.
func TestMandatoryWithoutQueue(t *testing.T) {
	c := newTopology(t)
	c.run("a x=fanout y=direct/z z=fanout x>>y: x>>z:")
	r := &returns{}
	p := c.NewPublisher(1, r)
	c.send(p, "x", "k", true, 1)
	if p.Flush(); r.n != 1 {
		t.Fatalf("returned %d times, want once", r.n)
	}
	c.run("z>a:")
	c.send(p, "x", "k", true, 1)
	if p.Flush(); r.n != 1 || ready(t, c.Session, "a") != 1 {
		t.Fatalf("returned %d times, %d in the queue", r.n, ready(t, c.Session, "a"))
	}
}

// Nobody publishes to an internal exchange, but bindings lead there.
func TestInternalExchange(t *testing.T) {
	c := newTopology(t)
	c.run("a x=fanout")
	c.n.must(c.declareExchange(wire.ExchangeDeclare{Exchange: "inner", Type: "fanout", Internal: true}))
	c.run("x>>inner: inner>a:")
	p := c.NewPublisher(1, nil)
	if got := c.arrives(p, "x", ""); got != "a" {
		t.Fatalf("arrives in %q, want a", got)
	}
	refused(t, publishTo(p, "inner", ""), wire.AccessRefused, "cannot publish to internal exchange 'inner' in vhost '/'")
}
