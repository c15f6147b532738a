package broker

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"github.com/leveretmq/leveret/broker/meta"
)

// Components of runtime parameters. Those of shovels and federation are kept
// for whoever reads them; the others stand for what has calls of its own.
const (
	componentLimits         = "vhost-limits"
	componentPolicy         = "policy"
	componentOperatorPolicy = "operator_policy"
)

// knownComponent says whether a parameter of that component may be set.
func knownComponent(component string) bool {
	switch component {
	case "shovel", "federation-upstream", "federation-upstream-set":
		return true
	}
	return false
}

// Parameters lists the runtime parameters by component, virtual host and name:
// with limits of virtual hosts and operator policies, which RabbitMQ keeps
// there, without the other policies.
func (b *Broker) Parameters() []meta.Parameter {
	all := listOf(b, b.meta.Parameters, compareParameters)
	for _, v := range b.VHosts() {
		if len(v.Limits) > 0 {
			all = append(all, limitsParameter(v))
		}
	}
	for _, p := range b.Policies(true) {
		all = append(all, policyParameter(p))
	}
	return all
}

func compareParameters(x, y meta.Parameter) int {
	return cmp.Or(strings.Compare(x.Component, y.Component), strings.Compare(x.VHost, y.VHost), strings.Compare(x.Name, y.Name))
}

func limitsParameter(v meta.VHost) meta.Parameter {
	return meta.Parameter{ParameterName: meta.ParameterName{Component: componentLimits, VHost: v.Name, Name: "limits"}, Value: mustJSON(v.Limits)}
}

// policyValue is how RabbitMQ keeps a policy.
type policyValue struct {
	Pattern    string          `json:"pattern"`
	Definition json.RawMessage `json:"definition"`
	Priority   int64           `json:"priority"`
	ApplyTo    string          `json:"apply-to"`
}

func policyParameter(p meta.Policy) meta.Parameter {
	return meta.Parameter{ParameterName: meta.ParameterName{Component: componentOperatorPolicy, VHost: p.VHost, Name: p.Name},
		Value: mustJSON(policyValue{p.Pattern, p.Definition, p.Priority, p.ApplyTo})}
}

// Parameter gives one runtime parameter; NotFound when there is none.
func (b *Broker) Parameter(n meta.ParameterName) (meta.Parameter, error) {
	for _, p := range b.Parameters() {
		if p.ParameterName == n {
			return p, nil
		}
	}
	return meta.Parameter{}, missingParameter(n)
}

func missingParameter(n meta.ParameterName) error {
	return missing("not_found", n.Name, "Parameter '%s' of component '%s' does not exist in virtual host '%s'", n.Name, n.Component, n.VHost)
}

// PutParameter makes or changes a runtime parameter. Component vhost-limits
// sets the limits of the virtual host; policies have calls of their own.
func (b *Broker) PutParameter(ctx context.Context, p meta.Parameter) (created bool, err error) {
	if p.Component == componentLimits {
		return false, b.SetVHostLimits(ctx, p.VHost, p.Value)
	}
	err = b.administer(ctx, func() (cs []meta.Change, err error) {
		if err := b.checkParameter(p.ParameterName); err != nil {
			return nil, err
		}
		cs, created, err = b.putParameter(p)
		return cs, err
	})
	return created, err
}

// checkParameter checks whether such a parameter may be set; mu is held.
func (b *Broker) checkParameter(n meta.ParameterName) error {
	switch {
	case n.Component == componentPolicy || n.Component == componentOperatorPolicy:
		return &Error{Kind: Refused, Text: "policies may not be set using this method"}
	case b.meta.VHosts[n.VHost] == nil:
		return missingVHost(n.VHost)
	case !knownComponent(n.Component):
		return invalid("Validation failed\n\ncomponent %s not found\n", n.Component)
	}
	return checkNames(n.Name)
}

func (b *Broker) putParameter(p meta.Parameter) (cs []meta.Change, created bool, err error) {
	value, ok := canonicalJSON(p.Value)
	if !ok {
		return nil, false, invalid("value is not valid JSON")
	}
	p.Value = value
	created = b.meta.Parameters[p.ParameterName] == nil
	return b.meta.PutParameter(&p), created, nil
}

// DeleteParameter removes a runtime parameter. Component vhost-limits clears
// the limits of the virtual host.
func (b *Broker) DeleteParameter(ctx context.Context, n meta.ParameterName) error {
	if n.Component == componentLimits {
		return b.ClearVHostLimit(ctx, n.VHost, "")
	}
	return b.administer(ctx, func() ([]meta.Change, error) {
		if n.Component == componentPolicy || n.Component == componentOperatorPolicy {
			return nil, &Error{Kind: Refused, Text: "policies may not be cleared using this method"}
		}
		if b.meta.Parameters[n] == nil {
			return nil, missingParameter(n)
		}
		return b.meta.DeleteParameter(n), nil
	})
}

// GlobalParameters lists the global parameters.
func (b *Broker) GlobalParameters() []meta.GlobalParameter {
	return listOf(b, b.meta.GlobalParameters, func(x, y meta.GlobalParameter) int { return strings.Compare(x.Name, y.Name) })
}

// GlobalParameter gives one global parameter; NotFound when there is none.
func (b *Broker) GlobalParameter(name string) (meta.GlobalParameter, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if p := b.meta.GlobalParameters[name]; p != nil {
		return *p, nil
	}
	return meta.GlobalParameter{}, missing("not_found", name, "Global parameter '%s' does not exist", name)
}

// PutGlobalParameter makes or changes a global parameter.
func (b *Broker) PutGlobalParameter(ctx context.Context, p meta.GlobalParameter) (created bool, err error) {
	err = b.administer(ctx, func() ([]meta.Change, error) {
		if err := checkNames(p.Name); err != nil {
			return nil, err
		}
		value, ok := canonicalJSON(p.Value)
		if !ok {
			return nil, invalid("value is not valid JSON")
		}
		p.Value = value
		created = b.meta.GlobalParameters[p.Name] == nil
		return b.meta.PutGlobalParameter(&p), nil
	})
	return created, err
}

// DeleteGlobalParameter removes a global parameter.
func (b *Broker) DeleteGlobalParameter(ctx context.Context, name string) error {
	return b.administer(ctx, func() ([]meta.Change, error) {
		if b.meta.GlobalParameters[name] == nil {
			return nil, missing("not_found", name, "Global parameter '%s' does not exist", name)
		}
		return b.meta.DeleteGlobalParameter(name), nil
	})
}
