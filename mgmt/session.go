package mgmt

import (
	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// session enters the virtual host of the path with the user's rights. The
// caller closes it.
func (c *call) session() (*broker.Session, error) {
	if err := c.inside(); err != nil {
		return nil, err
	}
	s, err := c.broker().OpenSession(broker.SessionOptions{
		User: c.user, VHost: c.vhost(), Name: c.r.RemoteAddr + " (management)", Close: func(*wire.Error) {},
	})
	if err != nil {
		return nil, refused("Access refused.")
	}
	return s, nil
}

// inside says whether the virtual host of the path exists.
func (c *call) inside() error {
	if _, err := c.broker().VHost(c.vhost()); err == nil {
		return nil
	}
	if c.r.Method == "GET" || c.r.Method == "DELETE" {
		return missing()
	}
	return missingFor("vhost_not_found")
}

// perform runs a change of the topology in a session of its own, and waits
// until it is stored.
func (c *call) perform(change func(s *broker.Session, reply func(error))) error {
	s, err := c.session()
	if err != nil {
		return err
	}
	defer s.Close()
	done := make(chan error, 1)
	change(s, func(err error) { done <- err })
	select {
	case err := <-done:
		return amqpProblem(err)
	case <-c.r.Context().Done():
		return c.r.Context().Err()
	}
}

// within picks the virtual host of the path, or all that the user may see.
func (c *call) within() func(string) bool {
	if vhost, ok := c.vars["vhost"]; ok {
		return func(name string) bool { return name == vhost }
	}
	return c.sees()
}

// nameMost bounds names of queues and exchanges, which AMQP sends as short
// strings (spec: 4.2.5.3).
const nameMost = 255
