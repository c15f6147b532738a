package mgmt

import (
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/leveretmq/leveret/broker"
)

// right is what a route asks of the user (RabbitMQ: user tags, and access to
// the virtual host of the path).
type right uint8

const (
	nobody      right = iota // no login
	anyTag                   // one of the four tags
	monitor                  // monitoring or administrator
	admin                    // administrator
	inVHost                  // and a permission in the virtual host
	watchVHost               // inVHost, or monitor
	policymaker              // policymaker with a permission, or administrator
)

const realm = `Basic realm="RabbitMQ Management"`

// login finds out who asks.
func (c *call) login() error {
	h := c.r.Header.Get("Authorization")
	if h == "" {
		c.w.Header().Set("WWW-Authenticate", realm)
		return bare(http.StatusUnauthorized)
	}
	scheme, encoded, _ := strings.Cut(h, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return c.unknown("Login failed")
	}
	return c.credentials(encoded)
}

// credentials checks base64 of NAME:PASSWORD.
func (c *call) credentials(encoded string) error {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	name, password, ok := strings.Cut(string(raw), ":")
	if err != nil || !ok {
		return bare(http.StatusBadRequest)
	}
	return c.authenticate(name, password)
}

func (c *call) authenticate(name, password string) error {
	if c.srv.opt.API.NoPasswords {
		return c.unknown("Login by password is disabled")
	}
	user, err := c.broker().Authenticate(name, password, c.loopback())
	c.srv.logins.count(err == nil)
	switch {
	case errors.Is(err, broker.ErrLoopback):
		return c.unknown("User can only log in via localhost")
	case err != nil:
		c.srv.opt.Logger.Warn("HTTP access denied: user '" + strings.Map(printable, name) + "' - " + err.Error()) // RabbitMQ's words
		return c.unknown("Login failed")
	}
	c.user = user
	return nil
}

// printable leaves out what would break a line of the log.
func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return -1
	}
	return r
}

func (c *call) unknown(reason string) error {
	c.w.Header().Set("WWW-Authenticate", realm)
	return loginFailed(reason)
}

// loopback says that the client is on this machine.
func (c *call) loopback() bool {
	host, _, err := net.SplitHostPort(c.r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// tagged says whether the user has one of the tags.
func (c *call) tagged(tags ...string) bool { return slices.ContainsFunc(tags, c.user.Has) }

func (c *call) isAdmin() bool   { return c.tagged("administrator") }
func (c *call) isMonitor() bool { return c.tagged("monitoring", "administrator") }

// admit checks a right. RabbitMQ asks for the tags first, then for the virtual
// host; one that does not exist is not a matter of rights.
func (c *call) admit(r right) error {
	if !c.tagged("management", "monitoring", "policymaker", "administrator") {
		return refused("Not management user")
	}
	switch {
	case r == monitor && !c.isMonitor():
		return refused("Not monitor user")
	case r == admin && !c.isAdmin():
		return refused("Not administrator user")
	case r == policymaker && !c.tagged("policymaker", "administrator"), r == policymaker && !c.entered():
		return refused("User not authorised to access object")
	case r == inVHost && !c.entered(), r == watchVHost && !c.isMonitor() && !c.entered():
		return refused("User not authorised to access virtual host")
	}
	return nil
}

// entered says whether the user may see the virtual host of the path.
func (c *call) entered() bool {
	vhost, ok := c.vars["vhost"]
	if !ok || c.isAdmin() || c.permitted(vhost) {
		return true
	}
	_, err := c.broker().VHost(vhost)
	return err != nil
}

// permitted says whether the user has a permission in a virtual host.
func (c *call) permitted(vhost string) bool {
	_, err := c.broker().Permission(vhost, c.user.Name())
	return err == nil
}

// sees gives whether the user may see what is in a virtual host, with the
// answers remembered for one list.
func (c *call) sees() func(vhost string) bool {
	if c.isAdmin() {
		return func(string) bool { return true }
	}
	known := map[string]bool{}
	return func(vhost string) bool {
		ok, asked := known[vhost]
		if !asked {
			ok = c.permitted(vhost)
			known[vhost] = ok
		}
		return ok
	}
}

// seesUser says whether the user may see another user's connections.
func (c *call) seesUser(name string) bool { return c.isMonitor() || name == c.user.Name() }
