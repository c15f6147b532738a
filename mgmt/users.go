package mgmt

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/broker/meta"
)

var userColumns = []column[meta.User]{ // read-only
	{"name", func(u meta.User) any { return u.Name }},
	{"password_hash", func(u meta.User) any { return u.PasswordHash }},
	{"hashing_algorithm", func(u meta.User) any { return u.Algorithm }},
	{"tags", func(u meta.User) any { return u.Tags }},
	{"limits", func(u meta.User) any { return limitsObject(u.Limits) }},
}

func limitsObject(l meta.Limits) object {
	o := object{}
	for _, name := range []string{"max-connections", "max-channels", "max-queues"} {
		if n, ok := l[name]; ok {
			o = append(o, field{name, n})
		}
	}
	return o
}

func (c *call) whoami() error {
	u, err := c.broker().User(c.user.Name())
	if err != nil { // deleted since the login
		return err
	}
	return c.answer(object{{"name", u.Name}, {"tags", u.Tags}})
}

func (c *call) users() error { return rows(c, userColumns, c.broker().Users()) }

// outsiders are the users without any permission.
func (c *call) outsiders() error {
	permitted := map[string]bool{}
	for _, p := range c.broker().Permissions() {
		permitted[p.User] = true
	}
	all := c.broker().Users()
	return rows(c, userColumns, slices.DeleteFunc(all, func(u meta.User) bool { return permitted[u.Name] }))
}

func (c *call) oneUser() error {
	u, err := c.broker().User(c.vars["user"])
	if err != nil {
		return err
	}
	return row(c, userColumns, u)
}

func (c *call) putUser() error {
	b, err := c.object()
	if err != nil {
		return err
	}
	o, err := userOptions(b)
	if err != nil {
		return err
	}
	o.Name = c.vars["user"]
	return c.put(c.broker().PutUser(c.r.Context(), o))
}

// userOptions reads a user as PUT and definitions have it.
func userOptions(b body) (o broker.UserOptions, err error) {
	raw, ok := b["tags"]
	if !ok {
		return o, badRequest("tags_not_present")
	}
	if o.Tags, err = tags(raw); err != nil {
		return o, err
	}
	for name, to := range map[string]**string{"password": &o.Password, "password_hash": &o.PasswordHash} {
		if _, ok := b[name]; !ok {
			continue
		}
		text, err := b.text(name)
		if err != nil {
			return o, err
		}
		*to = &text
	}
	if o.Algorithm, err = b.text("hashing_algorithm"); err != nil {
		return o, err
	}
	if raw, ok := b["limits"]; ok {
		o.Limits = raw
	}
	return o, nil
}

// tags are an array of texts, or one text with commas.
func tags(raw json.RawMessage) ([]string, error) {
	var all []string
	if json.Unmarshal(raw, &all) != nil {
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return nil, badRequest(list{"not_tags", raw})
		}
		all = strings.Split(text, ",")
	}
	out := []string{}
	for _, t := range all {
		if t = strings.TrimSpace(t); t != "" {
			out = append(out, t)
		}
	}
	return out, nil
}

func (c *call) deleteUser() error {
	return c.deleted(c.broker().DeleteUser(c.r.Context(), c.vars["user"]))
}

func (c *call) deleteUsers() error {
	b, err := c.object("users")
	if err != nil {
		return err
	}
	var names []string
	if json.Unmarshal(b["users"], &names) != nil {
		return badRequest(list{"not_names", b["users"]})
	}
	for _, name := range names {
		if _, err := c.broker().User(name); err != nil {
			return badRequest(list{"no_such_user", name})
		}
	}
	return c.deleted(c.broker().DeleteUsers(c.r.Context(), names))
}

// authMethods tells the UI how to log in.
func (c *call) authMethods() error {
	return c.answer(object{{"enable_uaa", false}, {"uaa_client_id", ""}, {"uaa_location", ""}})
}

// cookieLogin is the form that RabbitMQ's UI logs in by.
func (c *call) cookieLogin() error {
	raw, err := c.readAll()
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return badRequest("not a form")
	}
	name, password := form.Get("username"), form.Get("password")
	if err := c.authenticate(name, password); err != nil {
		return err
	}
	if err := c.admit(anyTag); err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	_, err = c.w.Write([]byte("ok"))
	return err
}

// hashPassword hashes a password as a user's would be (RabbitMQ 4).
func (c *call) hashPassword() error {
	var salt [4]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return err
	}
	return c.answer(object{{"ok", meta.HashPassword(meta.SHA256, salt, c.vars["password"])}})
}

// loginAttempts counts logins by protocol.
func (c *call) loginAttempts() error {
	if c.vars["node"] != c.srv.node() {
		return missing()
	}
	good, bad := c.srv.logins.good.Load(), c.srv.logins.bad.Load()
	return c.answer(list{attemptsObject("http", good, bad)})
}

func attemptsObject(protocol string, good, bad uint64) object {
	return object{{"protocol", protocol}, {"auth_attempts", good + bad}, {"auth_attempts_failed", bad}, {"auth_attempts_succeeded", good}}
}

// loginSources would list attempts by address, which is off by default in
// RabbitMQ too.
func (c *call) loginSources() error {
	if c.vars["node"] != c.srv.node() {
		return missing()
	}
	return c.answer(list{})
}

func (c *call) forgetLogins() error {
	if c.vars["node"] != c.srv.node() {
		return missing()
	}
	c.srv.logins.good.Store(0)
	c.srv.logins.bad.Store(0)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}
