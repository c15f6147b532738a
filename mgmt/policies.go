package mgmt

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/broker/meta"
)

var policyColumns = []column[meta.Policy]{ // read-only
	{"vhost", func(p meta.Policy) any { return p.VHost }},
	{"name", func(p meta.Policy) any { return p.Name }},
	{"pattern", func(p meta.Policy) any { return p.Pattern }},
	{"apply-to", func(p meta.Policy) any { return p.ApplyTo }},
	{"definition", func(p meta.Policy) any { return p.Definition }},
	{"priority", func(p meta.Policy) any { return p.Priority }},
}

func (c *call) userPolicies() error     { return c.policies(false) }
func (c *call) operatorPolicies() error { return c.policies(true) }

// policies lists those of the path's virtual host, or all that the user may
// see.
func (c *call) policies(operator bool) error {
	all := c.broker().Policies(operator)
	vhost, ofOne := c.vars["vhost"]
	if ofOne {
		if _, err := c.broker().VHost(vhost); err != nil {
			return err
		}
	}
	sees := c.sees()
	return rows(c, policyColumns, slices.DeleteFunc(all, func(p meta.Policy) bool {
		return ofOne && p.VHost != vhost || !ofOne && !sees(p.VHost)
	}))
}

func (c *call) policyName(operator bool) meta.PolicyName {
	return meta.PolicyName{Operator: operator, VHost: c.vhost(), Name: c.vars["name"]}
}

func (c *call) userPolicy() error     { return c.policy(false) }
func (c *call) operatorPolicy() error { return c.policy(true) }

func (c *call) policy(operator bool) error {
	p, err := c.broker().Policy(c.policyName(operator))
	if err != nil {
		return err
	}
	return row(c, policyColumns, p)
}

var escaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;") // read-only

// putUserPolicy shows what is wrong as RabbitMQ does, escaped for a page.
func (c *call) putUserPolicy() error {
	err := c.putPolicy(false)
	var e *broker.Error
	if errors.As(err, &e) && e.Kind == broker.Invalid {
		return badRequest(escaped.Replace(e.Text))
	}
	return err
}

func (c *call) putOperatorPolicy() error { return c.putPolicy(true) }

func (c *call) putPolicy(operator bool) error {
	b, err := c.object("pattern", "definition")
	if err != nil {
		return err
	}
	p, err := policyFrom(b)
	if err != nil {
		return err
	}
	p.PolicyName = c.policyName(operator)
	return c.putInVHost(c.broker().PutPolicy(c.r.Context(), p))
}

// policyFrom reads a policy without its name.
func policyFrom(b body) (p meta.Policy, err error) {
	p.Definition = b["definition"]
	if err := b.texts(map[string]*string{"pattern": &p.Pattern, "apply-to": &p.ApplyTo}); err != nil {
		return p, err
	}
	if raw, ok := b["priority"]; ok {
		var n float64
		if json.Unmarshal(raw, &n) != nil {
			return p, &broker.Error{Kind: broker.Invalid, Text: "Validation failed\n\npriority should be a number, actually was " + term(raw) + "\n"}
		}
		p.Priority = int64(n)
	}
	return p, nil
}

// term is a JSON value in RabbitMQ's texts.
func term(raw json.RawMessage) string {
	if len(raw) > 0 && raw[0] == '"' {
		return "<<" + string(raw) + ">>"
	}
	return string(raw)
}

// putInVHost answers a PUT whose virtual host may be missing.
func (c *call) putInVHost(created bool, err error) error {
	if isMissing(err) {
		return missingFor("vhost_not_found")
	}
	return c.put(created, err)
}

func (c *call) deleteUserPolicy() error     { return c.deletePolicy(false) }
func (c *call) deleteOperatorPolicy() error { return c.deletePolicy(true) }

func (c *call) deletePolicy(operator bool) error {
	return c.deleted(c.broker().DeletePolicy(c.r.Context(), c.policyName(operator)))
}
