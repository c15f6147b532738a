package mgmt

import (
	"slices"

	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/broker/meta"
)

var permissionColumns = []column[meta.Permission]{ // read-only
	{"user", func(p meta.Permission) any { return p.User }},
	{"vhost", func(p meta.Permission) any { return p.VHost }},
	{"configure", func(p meta.Permission) any { return p.Configure }},
	{"write", func(p meta.Permission) any { return p.Write }},
	{"read", func(p meta.Permission) any { return p.Read }},
}

var topicPermissionColumns = []column[meta.TopicPermission]{ // read-only
	{"user", func(p meta.TopicPermission) any { return p.User }},
	{"vhost", func(p meta.TopicPermission) any { return p.VHost }},
	{"exchange", func(p meta.TopicPermission) any { return p.Exchange }},
	{"write", func(p meta.TopicPermission) any { return p.Write }},
	{"read", func(p meta.TopicPermission) any { return p.Read }},
}

// only keeps what is of the path's virtual host and user, where it names them;
// either has to exist.
func only[T any](c *call, all []T, of func(T) (vhost, user string)) ([]T, error) {
	vhost, byVHost := c.vars["vhost"]
	user, byUser := c.vars["user"]
	if byVHost {
		if _, err := c.broker().VHost(vhost); err != nil {
			return nil, err
		}
	}
	if byUser {
		if _, err := c.broker().User(user); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(all, func(p T) bool {
		v, u := of(p)
		return byVHost && v != vhost || byUser && u != user
	}), nil
}

func (c *call) permissions() error {
	some, err := only(c, c.broker().Permissions(), func(p meta.Permission) (string, string) { return p.VHost, p.User })
	if err != nil {
		return err
	}
	return rows(c, permissionColumns, some)
}

func (c *call) permission() error {
	p, err := c.broker().Permission(c.vhost(), c.vars["user"])
	if err != nil {
		return err
	}
	return row(c, permissionColumns, p)
}

func (c *call) putPermission() error {
	b, err := c.object("configure", "write", "read")
	if err != nil {
		return err
	}
	p := meta.Permission{User: c.vars["user"], VHost: c.vhost()}
	if err := b.texts(map[string]*string{"configure": &p.Configure, "write": &p.Write, "read": &p.Read}); err != nil {
		return err
	}
	return c.putRight(c.broker().PutPermission(c.r.Context(), p))
}

// texts reads several texts.
func (b body) texts(into map[string]*string) (err error) {
	for name, to := range into {
		if *to, err = b.text(name); err != nil {
			return err
		}
	}
	return nil
}

// putRight words what is missing around a permission.
func (c *call) putRight(created bool, err error) error {
	if isMissing(err) {
		return badRequest("vhost_or_user_not_found")
	}
	return c.put(created, err)
}

func (c *call) deletePermission() error {
	return c.deleted(c.broker().DeletePermission(c.r.Context(), c.vhost(), c.vars["user"]))
}

func (c *call) topicPermissions() error {
	some, err := only(c, c.broker().TopicPermissions(), func(p meta.TopicPermission) (string, string) { return p.VHost, p.User })
	if err != nil {
		return err
	}
	if _, ofOne := c.vars["vhost"]; ofOne && len(some) == 0 && c.vars["user"] != "" {
		return missing()
	}
	return rows(c, topicPermissionColumns, some)
}

func (c *call) topicPermission() error {
	for _, p := range c.broker().TopicPermissions() {
		if p.VHost == c.vhost() && p.User == c.vars["user"] && p.Exchange == c.vars["exchange"] {
			return row(c, topicPermissionColumns, p)
		}
	}
	return missing()
}

func (c *call) putTopicPermission() error {
	b, err := c.object("exchange", "write", "read")
	if err != nil {
		return err
	}
	p := meta.TopicPermission{User: c.vars["user"], VHost: c.vhost()}
	if err := b.texts(map[string]*string{"exchange": &p.Exchange, "write": &p.Write, "read": &p.Read}); err != nil {
		return err
	}
	others := slices.ContainsFunc(c.broker().TopicPermissions(), func(o meta.TopicPermission) bool { return o.User == p.User && o.VHost == p.VHost })
	created, err := c.broker().PutTopicPermission(c.r.Context(), p)
	return c.putRight(created && !others, err) // RabbitMQ: 201 for the first of all
}

func (c *call) deleteTopicPermissions() error {
	var exchange *string
	if name, ok := c.vars["exchange"]; ok {
		exchange = &name
	}
	return c.deleted(c.broker().DeleteTopicPermissions(c.r.Context(), c.vhost(), c.vars["user"], exchange))
}

// isMissing says that an operator's call found something missing.
func isMissing(err error) bool {
	e, ok := err.(*broker.Error)
	return ok && e.Kind == broker.NotFound
}
