package bench

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// target is a broker's address and who asks.
type target struct {
	address, user, password, vhost string
}

// parseURI reads amqp://user:password@host:port/vhost with the defaults of
// RabbitMQ's clients: guest, guest, 5672, and "/" for no path or an empty one.
func parseURI(s string) (target, error) {
	u, err := url.Parse(s)
	if err != nil {
		return target{}, fmt.Errorf("--uri %q: %w", s, err)
	}
	if u.Scheme != "amqp" {
		return target{}, fmt.Errorf("--uri %q: the scheme must be amqp", s)
	}
	if u.Hostname() == "" {
		return target{}, fmt.Errorf("--uri %q: no host", s)
	}
	t := target{user: "guest", password: "guest", vhost: "/"}
	port := u.Port()
	if port == "" {
		port = "5672"
	}
	t.address = net.JoinHostPort(u.Hostname(), port)
	if u.User != nil {
		t.user = u.User.Username()
		t.password, _ = u.User.Password()
	}
	if name := strings.TrimPrefix(u.Path, "/"); name != "" {
		t.vhost = name
	}
	return t, nil
}
