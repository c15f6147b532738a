package bench

import (
	"fmt"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
)

// A plan is who publishes what to where: fixed once the run begins.
type plan struct {
	run       uint32
	queues    []string
	arguments wire.Table
	durable   bool
	exchange  string
	kind      string
	bindings  []binding
	// wildcards says that the bindings are those of wildcardAt.
	wildcards bool
	keys      []string
	// reach lists per key the queues it is routed to; nil: unknown.
	reach [][]int
}

type binding struct {
	queue int
	key   string
}

// newPlan spells out the options. run tells this run's messages from others'.
func newPlan(o *Options, run uint32) (*plan, error) {
	args, err := parseArguments(o.Routing.QueueArgs)
	if err != nil {
		return nil, err
	}
	p := &plan{
		run:       run,
		queues:    queueNames(o.Routing.Pattern, o.Routing.Queues),
		arguments: args,
		durable:   o.durable(),
		exchange:  o.Routing.Exchange,
		kind:      o.Routing.Type,
	}
	if p.exchange == "" {
		p.kind = "direct" // which is what the default exchange is
		p.bindings = p.bound(p.queues)
	} else if err := p.bind(o.Routing.Bindings); err != nil {
		return nil, err
	}
	if err := p.route(o.Routing.RoutingKeys); err != nil {
		return nil, err
	}
	if o.Routing.Passive && p.exchange != "" {
		p.reach = nil // others may have bound what they like
	}
	return p, nil
}

// bind makes the bindings of an exchange: binding i goes to queue i modulo the
// number of queues, and there are at least as many as queues.
func (p *plan) bind(spec string) error {
	n, generated, err := number("--bindings", spec)
	if err != nil {
		return err
	}
	if spec != "" && !generated {
		p.bindings = p.bound(strings.Split(spec, ","))
		return nil
	}
	keys := make([]string, max(n, len(p.queues)))
	for i := range keys {
		switch p.kind {
		case "topic":
			keys[i] = wildcardAt(i).pattern
		case "direct":
			keys[i] = generatedKey(i)
		}
	}
	p.bindings, p.wildcards = p.bound(keys), p.kind == "topic"
	return nil
}

func (p *plan) bound(keys []string) []binding {
	bs := make([]binding, max(len(keys), len(p.queues)))
	for i := range bs {
		bs[i] = binding{i % len(p.queues), keys[i%len(keys)]}
	}
	return bs
}

func generatedKey(i int) string { return fmt.Sprintf("k%d", i) }

// route makes the routing keys, and says which queues each reaches.
func (p *plan) route(spec string) error {
	n, generated, err := number("--routing-keys", spec)
	if err != nil {
		return err
	}
	if spec != "" && !generated {
		p.keys = strings.Split(spec, ",")
		p.reach = p.match(p.keys)
		return nil
	}
	switch {
	case n > 0:
	case p.kind == "fanout":
		n = 1
	default:
		n = min(len(p.bindings), maxKeys)
	}
	if !p.wildcards {
		for i := range n {
			p.keys = append(p.keys, p.bindings[i%len(p.bindings)].key)
		}
		p.reach = p.match(p.keys)
		return nil
	}
	for i := range n { // spread over the bindings; each key matches one
		b := i * max(len(p.bindings)/n, 1) % len(p.bindings)
		p.keys = append(p.keys, wildcardAt(b).key)
		p.reach = append(p.reach, []int{p.bindings[b].queue})
	}
	return nil
}

// match finds the queues that each key reaches, each once.
func (p *plan) match(keys []string) [][]int {
	direct := map[string][]int{}
	for _, b := range p.bindings {
		direct[b.key] = append(direct[b.key], b.queue)
	}
	reach := make([][]int, len(keys))
	for i, key := range keys {
		switch p.kind {
		case "direct":
			reach[i] = direct[key]
		case "fanout":
			reach[i] = share(0, 1, len(p.queues))
		case "topic":
			for _, b := range p.bindings {
				if topicMatch(b.key, key) {
					reach[i] = append(reach[i], b.queue)
				}
			}
		}
		slices.Sort(reach[i])
		reach[i] = slices.Compact(reach[i])
	}
	return reach
}

// producerKeys are the keys of the i-th of n producers, by number; a stream's
// number is the key's place in them.
func (p *plan) producerKeys(i, n int) []int { return share(i, n, len(p.keys)) }

// declare makes the topology, emptying queues that existed; passive only
// checks it. It gives the number of messages in the queues.
func (p *plan) declare(c *conn, passive, purge bool) (ready uint64, err error) {
	if p.exchange != "" {
		_, err := call[*wire.ExchangeDeclareOk](c, 1, &wire.ExchangeDeclare{Exchange: p.exchange, Type: p.kind, Durable: p.durable, Passive: passive})
		if err != nil {
			return 0, err
		}
	}
	for _, q := range p.queues {
		ok, err := call[*wire.QueueDeclareOk](c, 1, &wire.QueueDeclare{Queue: q, Durable: p.durable, Passive: passive, Arguments: p.arguments})
		if err != nil {
			return 0, err
		}
		if purge && ok.MessageCount > 0 {
			if _, err := call[*wire.QueuePurgeOk](c, 1, &wire.QueuePurge{Queue: q}); err != nil {
				return 0, err
			}
			continue
		}
		ready += uint64(ok.MessageCount)
	}
	if passive {
		return ready, nil
	}
	return ready, p.bindAll(c)
}

// bindAll sends the bindings in blocks; the last of a block asks for an answer.
func (p *plan) bindAll(c *conn) error {
	if p.exchange == "" {
		return nil // every queue is bound to the default exchange by its name
	}
	const block = 100
	for i, b := range p.bindings {
		m := &wire.QueueBind{Queue: p.queues[b.queue], Exchange: p.exchange, RoutingKey: b.key}
		if m.NoWait = (i+1)%block != 0 && i+1 < len(p.bindings); m.NoWait {
			if err := c.send(1, m); err != nil {
				return err
			}
			continue
		}
		if _, err := call[*wire.QueueBindOk](c, 1, m); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes what declare made.
func (p *plan) remove(c *conn) error {
	for _, q := range p.queues {
		if _, err := call[*wire.QueueDeleteOk](c, 1, &wire.QueueDelete{Queue: q}); err != nil {
			return err
		}
	}
	if p.exchange == "" {
		return nil
	}
	_, err := call[*wire.ExchangeDeleteOk](c, 1, &wire.ExchangeDelete{Exchange: p.exchange})
	return err
}
