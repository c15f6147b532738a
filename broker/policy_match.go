package broker

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/queue"
)

// policy is a policy ready for use; nothing changes it.
type policy struct {
	def     *meta.Policy
	pattern *pattern
	values  map[string]any
	types   int // queue types that take all of its keys
}

// policies are the policies of a virtual host, in the order in which they are
// tried: by priority, then by name.
type policies struct {
	ordinary, operator []*policy
	applied            map[[2]*policy]*applied // nil until one is
}

// applied is what a policy and an operator policy come to; queues and exchanges
// that have the same two share it.
type applied struct {
	policy, operator *policy // nil: none; not both
	values           map[string]any
}

func (b *Broker) compilePolicy(def *meta.Policy) *policy {
	p := &policy{def: def, types: onAll}
	p.values, _ = decodeObject(def.Definition)
	for name := range p.values {
		switch k := knownPolicyKey(name); {
		case k != nil && def.Operator && !k.operator:
			delete(p.values, name) // an import has kept it
		case k != nil:
			p.types &= k.types
		}
	}
	var err error
	if p.pattern, err = compilePattern(def.Pattern); err != nil {
		b.opt.Logger.Error("policy matches nothing", "vhost", def.VHost, "policy", def.Name, "err", err)
	}
	return p
}

// set puts a policy in the place of that of its name, which it returns; nil
// takes it away.
func (ps *policies) set(n meta.PolicyName, p *policy) (old *policy) {
	list := &ps.ordinary
	if n.Operator {
		list = &ps.operator
	}
	for i, have := range *list {
		if have.def.Name == n.Name {
			old = have
			*list = slices.Delete(*list, i, i+1)
			maps.DeleteFunc(ps.applied, func(pair [2]*policy, _ *applied) bool { return pair[0] == old || pair[1] == old })
			break
		}
	}
	if p != nil {
		*list = append(*list, p)
		slices.SortFunc(*list, func(x, y *policy) int {
			return cmp.Or(cmp.Compare(y.def.Priority, x.def.Priority), strings.Compare(x.def.Name, y.def.Name))
		})
	}
	return old
}

// target is what a policy may be applied to.
type target struct {
	name string
	kind string // "exchanges", or the apply-to of the queue's type
}

// types are the bits of a queue type; an exchange takes every key.
func (t target) types() int {
	switch t.kind {
	case "classic_queues":
		return onClassic
	case "quorum_queues":
		return onQuorum
	case "streams":
		return onStream
	}
	return 0
}

func (p *policy) matches(t target) bool {
	switch p.def.ApplyTo {
	case "all", t.kind:
	case "queues":
		if t.kind == "exchanges" {
			return false
		}
	default:
		return false
	}
	return p.types&t.types() == t.types() && p.pattern.Match(t.name)
}

// find gives what applies to a target, nil when nothing does.
func (ps *policies) find(t target) *applied {
	pair := [2]*policy{first(ps.ordinary, t), first(ps.operator, t)}
	if pair == [2]*policy{} {
		return nil
	}
	a := ps.applied[pair]
	if a == nil {
		if ps.applied == nil {
			ps.applied = map[[2]*policy]*applied{}
		}
		a = &applied{pair[0], pair[1], merged(pair)}
		ps.applied[pair] = a
	}
	return a
}

func first(list []*policy, t target) *policy {
	for _, p := range list {
		if p.matches(t) {
			return p
		}
	}
	return nil
}

// merged is the definition of both; of a number in both the lower.
func merged(pair [2]*policy) map[string]any {
	values := map[string]any{}
	for _, p := range pair {
		if p == nil {
			continue
		}
		for k, v := range p.values {
			if old, ok := values[k]; ok {
				v = lowest(old, v)
			}
			values[k] = v
		}
	}
	return values
}

// lowest is the lower of two numbers.
func lowest(x, y any) any {
	a, okA := x.(int64)
	b, okB := y.(int64)
	if !okA || !okB {
		return y
	}
	return min(a, b)
}

// settings are what a queue's arguments and policies come to.
func (a *applied) settings(s queue.Settings) queue.Settings {
	if a == nil {
		return s
	}
	for name, v := range a.values {
		if k := knownPolicyKey(name); k != nil && k.merge != nil && k.valid(v) {
			k.merge(&s, v)
		}
	}
	return s
}

// has says whether p is one of the two.
func (a *applied) has(p *policy) bool {
	return a != nil && p != nil && (a.policy == p || a.operator == p)
}

func (q *queueRef) target() target {
	kind := q.Options().Arguments.Type + "_queues"
	if kind == "stream_queues" {
		kind = "streams"
	}
	return target{q.def.Name, kind}
}

// govern gives a queue the policies that match it; mu is held.
func (q *queueRef) govern() {
	a := q.vhost.policies.find(q.target())
	if a == q.applied {
		return
	}
	q.applied = a
	q.Configure(a.settings(q.Options().Arguments.Settings))
}

func (x *exchangeRef) target() target { return target{x.def.Name, "exchanges"} }

// govern gives an exchange the policies that match it; mu is held.
func (x *exchangeRef) govern() {
	x.applied = x.vhost.policies.find(x.target())
	x.alternate = ""
	if v, ok := x.def.Arguments.Get("alternate-exchange"); ok { // the argument counts
		x.alternate, _ = v.(string)
	} else if x.applied != nil {
		x.alternate, _ = x.applied.values["alternate-exchange"].(string)
	}
}

// setPolicy puts a policy in the place of that of its name, nil for none, and
// has what it concerns follow; mu is held.
func (v *vhost) setPolicy(n meta.PolicyName, p *policy) {
	old := v.policies.set(n, p)
	concerns := func(a *applied, t target) bool { return a.has(old) || p != nil && p.matches(t) }
	for _, q := range v.queues {
		if concerns(q.applied, q.target()) {
			q.govern()
		}
	}
	for _, x := range v.exchanges {
		if concerns(x.applied, x.target()) {
			x.govern()
		}
	}
}

// EffectivePolicy is what policies come to for one queue or exchange.
type EffectivePolicy struct {
	Policy, Operator string // their names, empty without one
	// Definition is the JSON object of both, the lower number where both have one.
	Definition json.RawMessage
}

func (a *applied) effective() EffectivePolicy {
	e := EffectivePolicy{Definition: json.RawMessage("{}")}
	if a == nil {
		return e
	}
	if a.policy != nil {
		e.Policy = a.policy.def.Name
	}
	if a.operator != nil {
		e.Operator = a.operator.def.Name
	}
	e.Definition = mustJSON(a.values)
	return e
}

// EffectivePolicyOfQueue gives what policies come to for a queue; NotFound when
// there is no such queue.
func (b *Broker) EffectivePolicyOfQueue(vhost, name string) (EffectivePolicy, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if v := b.vhosts[vhost]; v != nil && v.queues[name] != nil {
		return v.queues[name].applied.effective(), nil
	}
	return EffectivePolicy{}, missing("not_found", name, "no queue '%s' in vhost '%s'", name, vhost)
}

// EffectivePolicyOfExchange gives what policies come to for an exchange;
// NotFound when there is no such exchange.
func (b *Broker) EffectivePolicyOfExchange(vhost, name string) (EffectivePolicy, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if v := b.vhosts[vhost]; v != nil && v.exchanges[name] != nil {
		return v.exchanges[name].applied.effective(), nil
	}
	return EffectivePolicy{}, missing("not_found", name, "no exchange '%s' in vhost '%s'", name, vhost)
}
