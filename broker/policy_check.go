package broker

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/broker/meta"
)

// policyValues are the parts of a policy as JSON has them.
type policyValues struct{ applyTo, definition, pattern, priority any }

// ParsePolicy reads a policy as the management API and definitions have it: an
// object with pattern and definition, and perhaps priority and apply-to; others
// are ignored. Errors are Invalid in RabbitMQ's words.
func (b *Broker) ParsePolicy(n meta.PolicyName, body json.RawMessage) (meta.Policy, error) {
	p, unknown, err := b.readPolicy(n, body)
	if err == nil && unknown != "" {
		err = invalid("Validation failed\n\n%s are not recognised policy settings\n", unknown)
	}
	return p, err
}

// readPolicy is ParsePolicy, but leaves it to the caller what to do about keys
// that are not known, which it prints.
func (b *Broker) readPolicy(n meta.PolicyName, body json.RawMessage) (p meta.Policy, unknown string, err error) {
	if err := checkNames(n.Name); err != nil {
		return meta.Policy{}, "", err
	}
	m, ok := decodeObject(body)
	if !ok {
		return meta.Policy{}, "", invalid("not_json")
	}
	if err := required(m, "pattern", "definition"); err != nil {
		return meta.Policy{}, "", err
	}
	v := policyValues{applyTo: "all", definition: objectOfPairs(m["definition"]), pattern: m["pattern"], priority: int64(0)}
	if to, ok := m["apply-to"]; ok {
		v.applyTo = to
	}
	if priority, ok := m["priority"]; ok {
		v.priority = priority
	}
	unknown, err = b.checkPolicy(n, v)
	if err != nil {
		return meta.Policy{}, "", err
	}
	priority, _ := whole(v.priority)
	return meta.Policy{PolicyName: n, Pattern: v.pattern.(string), ApplyTo: v.applyTo.(string), Priority: priority,
		Definition: mustJSON(v.definition)}, unknown, nil
}

// objectOfPairs takes [["k",v],...] as an object: RabbitMQ's command line
// exports operator policies so.
func objectOfPairs(v any) any {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return v
	}
	m := map[string]any{}
	for _, item := range list {
		pair, ok := item.([]any)
		if !ok || len(pair) != 2 || !isText(pair[0]) {
			return v
		}
		m[pair[0].(string)] = pair[1]
	}
	return m
}

// required is RabbitMQ's text for what an object lacks.
func required(m map[string]any, keys ...string) error {
	var missing []string
	for _, k := range keys {
		if _, ok := m[k]; !ok {
			missing = append(missing, "{key_missing,"+k+"}")
		}
	}
	if missing == nil {
		return nil
	}
	return invalid("[%s]", strings.Join(missing, ","))
}

// checkPolicy checks all parts: RabbitMQ names each that is wrong, in the order
// of their names. Keys that are not known it prints.
func (b *Broker) checkPolicy(n meta.PolicyName, v policyValues) (unknown string, err error) {
	var wrong strings.Builder
	definition, unknown := wrongDefinition(n, v.definition)
	for _, text := range []string{b.wrongTarget(v.applyTo), definition, wrongPattern(v.pattern), wrongPriority(v.priority)} {
		if text != "" {
			wrong.WriteString(text + "\n")
		}
	}
	if wrong.Len() == 0 {
		return unknown, nil
	}
	return "", invalid("Validation failed\n\n%s", wrong.String())
}

func (b *Broker) wrongTarget(v any) string {
	switch v {
	case "all", "queues", "classic_queues", "quorum_queues", "streams", "exchanges":
		return ""
	}
	text, ok := v.(string)
	if !ok {
		text = erlang(v)
	}
	return fmt.Sprintf("apply-to '%s' unrecognised; should be %s", text, b.level.policyTargets)
}

func wrongPattern(v any) string {
	expr, ok := v.(string)
	if !ok {
		return fmt.Sprintf("pattern should be a binary but was %s", erlang(v))
	}
	if _, err := compilePattern(expr); err != nil {
		return fmt.Sprintf("pattern should be regular expression but is invalid: %v", err)
	}
	return ""
}

func wrongPriority(v any) string {
	if _, ok := whole(v); !ok {
		return fmt.Sprintf("priority should be a number, actually was %s", erlang(v))
	}
	return ""
}

func wrongDefinition(n meta.PolicyName, v any) (wrong, unknown string) {
	m, ok := v.(map[string]any)
	if list, empty := v.([]any); empty && len(list) == 0 {
		ok = true
	}
	switch {
	case !ok:
		return fmt.Sprintf("definition must be a dictionary: %s", erlang(v)), ""
	case len(m) == 0:
		return "no policy provided", ""
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		k := knownPolicyKey(name)
		if k == nil || n.Operator && !k.operator {
			names = append(names, name)
			continue
		}
		if !k.valid(m[name]) {
			return erlang(m[name]) + " " + k.says, ""
		}
	}
	if err := wrongMirrors(m); err != nil {
		return err.Error(), ""
	}
	if names == nil {
		return "", ""
	}
	return "", erlangPairs(m, names)
}

// wrongMirrors checks the keys of mirrored queues together, as RabbitMQ does.
// They are kept and do nothing.
func wrongMirrors(m map[string]any) error {
	mode, ok := m["ha-mode"]
	if !ok {
		for name := range m {
			if strings.HasPrefix(name, "ha-") {
				return errors.New("ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown")
			}
		}
		return nil
	}
	size, hasSize := m["ha-sync-batch-size"]
	switch {
	case !isOneOf("all", "exactly", "nodes")(mode):
		return fmt.Errorf("%s is not a valid ha-mode value", erlang(mode))
	case hasSize && !isPositive(size):
		return fmt.Errorf("ha-sync-batch-size takes an integer greater than 0, %s given", erlang(size))
	}
	always := [2]string{"always", "when-synced"}
	return cmp.Or(wrongMirrorCount(mode.(string), m), wrongWord(m, "ha-sync-mode", [2]string{"manual", "automatic"}),
		wrongWord(m, "ha-promote-on-shutdown", always), wrongWord(m, "ha-promote-on-failure", always))
}

func wrongWord(m map[string]any, name string, words [2]string) error {
	if v, ok := m[name]; ok && v != words[0] && v != words[1] {
		return fmt.Errorf("%s must be %q or %q, got %s", name, words[0], words[1], erlang(v))
	}
	return nil
}

func wrongMirrorCount(mode string, m map[string]any) error {
	params, given := m["ha-params"]
	text := "none"
	if given {
		text = erlang(params)
	}
	nodes, isList := params.([]any)
	switch {
	case mode == "all" && given:
		return errors.New(`ha-mode="all" does not take parameters`)
	case mode == "exactly" && !isPositive(params):
		return fmt.Errorf(`ha-mode="exactly" takes an integer, %s given`, text)
	case mode == "nodes" && !isList:
		return fmt.Errorf(`ha-mode="nodes" takes a list, %s given`, text)
	case mode == "nodes" && len(nodes) == 0:
		return errors.New(`ha-mode="nodes" list must be non-empty`)
	case mode == "nodes" && slices.ContainsFunc(nodes, func(v any) bool { return !isText(v) }):
		return fmt.Errorf(`ha-mode="nodes" takes a list of strings, %s was not a string`, text)
	}
	return nil
}
