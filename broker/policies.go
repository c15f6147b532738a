package broker

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"github.com/leveretmq/leveret/broker/meta"
)

// Policies lists the policies, or the operator policies, by virtual host and
// name.
func (b *Broker) Policies(operator bool) []meta.Policy {
	all := listOf(b, b.meta.Policies, func(x, y meta.Policy) int {
		return cmp.Or(strings.Compare(x.VHost, y.VHost), strings.Compare(x.Name, y.Name))
	})
	out := all[:0]
	for _, p := range all {
		if p.Operator == operator {
			out = append(out, p)
		}
	}
	return out
}

// Policy gives one policy; NotFound when there is none of that name.
func (b *Broker) Policy(n meta.PolicyName) (meta.Policy, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if p := b.meta.Policies[n]; p != nil {
		return *p, nil
	}
	return meta.Policy{}, missingPolicy(n)
}

func missingPolicy(n meta.PolicyName) error {
	return missing("not_found", n.Name, "Policy '%s' does not exist in virtual host '%s'", n.Name, n.VHost)
}

// PutPolicy makes or changes a policy. Queues and exchanges that it matches
// follow before PutPolicy returns. An empty ApplyTo is "all".
func (b *Broker) PutPolicy(ctx context.Context, p meta.Policy) (created bool, err error) {
	p.ApplyTo = cmp.Or(p.ApplyTo, "all")
	err = b.administer(ctx, func() ([]meta.Change, error) {
		if b.vhosts[p.VHost] == nil {
			return nil, missingVHost(p.VHost)
		}
		if p.Definition != nil && !json.Valid(p.Definition) {
			return nil, invalid("not_json")
		}
		body := mustJSON(policyValue{p.Pattern, p.Definition, p.Priority, p.ApplyTo})
		if _, err := b.ParsePolicy(p.PolicyName, body); err != nil {
			return nil, err
		}
		created = b.meta.Policies[p.PolicyName] == nil
		return b.putPolicy(p), nil
	})
	return created, err
}

// putPolicy keeps a policy that was checked; mu is held.
func (b *Broker) putPolicy(p meta.Policy) []meta.Change {
	p.Definition, _ = canonicalJSON(p.Definition)
	b.vhosts[p.VHost].setPolicy(p.PolicyName, b.compilePolicy(&p))
	return b.meta.PutPolicy(&p)
}

// DeletePolicy removes a policy. Queues and exchanges that it matched follow
// before DeletePolicy returns.
func (b *Broker) DeletePolicy(ctx context.Context, n meta.PolicyName) error {
	return b.administer(ctx, func() ([]meta.Change, error) {
		if b.meta.Policies[n] == nil {
			return nil, missingPolicy(n)
		}
		b.vhosts[n.VHost].setPolicy(n, nil)
		return b.meta.DeletePolicy(n), nil
	})
}
