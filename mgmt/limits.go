package mgmt

import (
	"slices"

	"github.com/leveretmq/leveret/broker/meta"
)

var vhostLimitColumns = []column[meta.VHost]{ // read-only
	{"vhost", func(v meta.VHost) any { return v.Name }},
	{"value", func(v meta.VHost) any { return limitsObject(v.Limits) }},
}

var userLimitColumns = []column[meta.User]{ // read-only
	{"user", func(u meta.User) any { return u.Name }},
	{"value", func(u meta.User) any { return limitsObject(u.Limits) }},
}

// vhostLimits lists the limits of virtual hosts that have some.
func (c *call) vhostLimits() error {
	all := c.broker().VHosts()
	if vhost, ok := c.vars["vhost"]; ok {
		v, err := c.broker().VHost(vhost)
		if err != nil {
			return err
		}
		all = []meta.VHost{v}
	}
	sees := c.sees()
	return rows(c, vhostLimitColumns, slices.DeleteFunc(all, func(v meta.VHost) bool {
		return len(v.Limits) == 0 || !c.isMonitor() && !sees(v.Name)
	}))
}

func (c *call) putVHostLimit() error {
	b, err := c.object("value")
	if err != nil {
		return err
	}
	return c.putInVHost(false, c.broker().SetVHostLimit(c.r.Context(), c.vhost(), c.vars["name"], b["value"]))
}

func (c *call) deleteVHostLimit() error {
	return c.deleted(c.broker().ClearVHostLimit(c.r.Context(), c.vhost(), c.vars["name"]))
}

// userLimits lists the limits of users that have some.
func (c *call) userLimits() error {
	all := c.broker().Users()
	if name, ok := c.vars["user"]; ok {
		u, err := c.broker().User(name)
		if err != nil {
			return err
		}
		all = []meta.User{u}
	}
	return rows(c, userLimitColumns, slices.DeleteFunc(all, func(u meta.User) bool { return len(u.Limits) == 0 }))
}

func (c *call) putUserLimit() error {
	b, err := c.object("value")
	if err != nil {
		return err
	}
	err = c.broker().SetUserLimit(c.r.Context(), c.vars["user"], c.vars["name"], b["value"])
	if isMissing(err) {
		return badRequest(list{"no_such_user", c.vars["user"]})
	}
	return c.put(false, err)
}

func (c *call) deleteUserLimit() error {
	return c.deleted(c.broker().ClearUserLimit(c.r.Context(), c.vars["user"], c.vars["name"]))
}
