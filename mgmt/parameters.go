package mgmt

import (
	"encoding/json"
	"slices"

	"github.com/leveretmq/leveret/broker/meta"
)

var parameterColumns = []column[meta.Parameter]{ // read-only
	{"value", func(p meta.Parameter) any { return p.Value }},
	{"vhost", func(p meta.Parameter) any { return p.VHost }},
	{"component", func(p meta.Parameter) any { return p.Component }},
	{"name", func(p meta.Parameter) any { return p.Name }},
}

var globalColumns = []column[meta.GlobalParameter]{ // read-only
	{"name", func(p meta.GlobalParameter) any { return p.Name }},
	{"value", func(p meta.GlobalParameter) any { return p.Value }},
}

// parameters lists those of the path's component and virtual host that the
// user may see.
func (c *call) parameters() error {
	component, byComponent := c.vars["component"]
	vhost, byVHost := c.vars["vhost"]
	if byVHost {
		if _, err := c.broker().VHost(vhost); err != nil {
			return err
		}
	}
	sees := c.sees()
	return rows(c, parameterColumns, slices.DeleteFunc(c.broker().Parameters(), func(p meta.Parameter) bool {
		return byComponent && p.Component != component || byVHost && p.VHost != vhost || !sees(p.VHost)
	}))
}

func (c *call) parameterName() meta.ParameterName {
	return meta.ParameterName{Component: c.vars["component"], VHost: c.vhost(), Name: c.vars["name"]}
}

func (c *call) parameter() error {
	p, err := c.broker().Parameter(c.parameterName())
	if err != nil {
		return err
	}
	return row(c, parameterColumns, p)
}

func (c *call) putParameter() error {
	b, err := c.object("value")
	if err != nil {
		return err
	}
	return c.putInVHost(c.broker().PutParameter(c.r.Context(), meta.Parameter{ParameterName: c.parameterName(), Value: b["value"]}))
}

func (c *call) deleteParameter() error {
	return c.deleted(c.broker().DeleteParameter(c.r.Context(), c.parameterName()))
}

func (c *call) globalParameters() error { return rows(c, globalColumns, c.broker().GlobalParameters()) }

func (c *call) globalParameter() error {
	p, err := c.broker().GlobalParameter(c.vars["name"])
	if err != nil {
		return err
	}
	return row(c, globalColumns, p)
}

func (c *call) putGlobalParameter() error {
	b, err := c.object("value")
	if err != nil {
		return err
	}
	return c.put(c.broker().PutGlobalParameter(c.r.Context(), meta.GlobalParameter{Name: c.vars["name"], Value: b["value"]}))
}

func (c *call) deleteGlobalParameter() error {
	return c.deleted(c.broker().DeleteGlobalParameter(c.r.Context(), c.vars["name"]))
}

const clusterName = "cluster_name" // a global parameter

func (c *call) clusterName() error { return c.answer(object{{"name", c.srv.cluster()}}) }

func (c *call) putClusterName() error {
	b, err := c.object("name")
	if err != nil {
		return err
	}
	if _, err := b.text("name"); err != nil {
		return err
	}
	_, err = c.broker().PutGlobalParameter(c.r.Context(), meta.GlobalParameter{Name: clusterName, Value: b["name"]})
	return c.put(false, err)
}

// cluster is the name that the operator gave, or the node's.
func (s *Server) cluster() string {
	var name string
	p, err := s.opt.Broker.GlobalParameter(clusterName)
	if err != nil || json.Unmarshal(p.Value, &name) != nil {
		return s.node()
	}
	return name
}
