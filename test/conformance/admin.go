package conformance

import (
	"errors"
	"fmt"
	"time"
)

const (
	lockedRetry = 20 * time.Millisecond
	lockedLimit = 5 * time.Second
)

// login describes how a connection gets from its socket to open-ok.
type login struct {
	user, pass, vhost string
	properties        map[string]any // nil: the usual ones
	tune              map[string]any // fields of tune-ok other than the server's
}

// open dials and logs in with PLAIN.
func open(c *codec, address string, l login) (*conn, error) {
	out, err := dial(c, address)
	if err != nil {
		return nil, err
	}
	if err := out.login(l); err != nil {
		out.close()
		return nil, fmt.Errorf("login of %s to %s: %w", l.user, l.vhost, err)
	}
	return out, nil
}

func (c *conn) login(l login) error {
	if err := c.write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return err
	}
	if _, err := c.method(0, "connection.start"); err != nil {
		return err
	}
	properties := l.properties
	if properties == nil {
		properties = usualProperties()
	}
	tune, err := c.call(0, "connection.start-ok", map[string]any{
		"client-properties": properties,
		"mechanism":         "PLAIN",
		"response":          "\x00" + l.user + "\x00" + l.pass,
		"locale":            "en_US",
	}, "connection.tune")
	if err != nil {
		return err
	}
	answer := map[string]any{"heartbeat": 0}
	for _, name := range []string{"channel-max", "frame-max"} {
		answer[name] = tune.args[name]
	}
	for name, v := range l.tune {
		answer[name] = v
	}
	if err := c.send(0, "connection.tune-ok", answer, nil); err != nil {
		return err
	}
	_, err = c.call(0, "connection.open", map[string]any{"virtual-host": l.vhost}, "connection.open-ok")
	return err
}

func usualProperties() map[string]any {
	capabilities := map[string]any{}
	for _, name := range []string{"publisher_confirms", "exchange_exchange_bindings", "basic.nack",
		"consumer_cancel_notify", "connection.blocked", "authentication_failure_close"} {
		capabilities[name] = []any{"t", true}
	}
	return map[string]any{
		"product":      []any{"S", "conformance"},
		"capabilities": []any{"F", capabilities},
	}
}

// admin is a connection of the runner itself, with channel 1 for its commands.
type admin struct {
	conn *conn
	open bool // channel 1
}

// admin gives the runner's connection to a virtual host.
func (p *play) admin(vhost string) (*admin, error) {
	if a := p.admins[vhost]; a != nil {
		return a, nil
	}
	c, err := open(p.codec, p.broker.address, login{user: "guest", pass: "guest", vhost: vhost})
	if err != nil {
		return nil, err
	}
	a := &admin{conn: c}
	p.admins[vhost] = a
	return a, nil
}

// refusal is a channel.close the runner got for a command of its own.
type refusal struct {
	code uint64
	text string
}

func (r *refusal) Error() string { return r.text }

// call sends a command on channel 1, which is opened when needed. A refused
// command is a *refusal and leaves the connection usable.
func (a *admin) call(name string, args map[string]any, answer string) (event, error) {
	if !a.open {
		if _, err := a.conn.call(1, "channel.open", nil, "channel.open-ok"); err != nil {
			return event{}, err
		}
		a.open = true
	}
	if err := a.conn.send(1, name, args, nil); err != nil {
		return event{}, err
	}
	e, err := a.conn.next(stepTimeout)
	switch {
	case err != nil:
		return e, err
	case e.is(1, answer):
		return e, nil
	case !e.is(1, "channel.close"):
		return e, fmt.Errorf("%s answered by %v", name, e)
	}
	a.open = false
	code, _ := e.args["reply-code"].(uint64)
	reason, _ := e.args["reply-text"].(string)
	return e, firstError(a.conn.send(1, "channel.close-ok", nil, nil), &refusal{code: code, text: reason})
}

// cleanup deletes queues and exchanges of the scenario in virtual host /.
// Refusals do not count; while a queue is locked by a connection that is just
// going away, the deletion is tried again.
func (p *play) cleanup(c cleanup) error {
	if len(c.Queues)+len(c.Exchanges) == 0 {
		return nil
	}
	a, err := p.admin("/")
	if err != nil {
		return err
	}
	for _, q := range c.Queues {
		if err := a.remove("queue.delete", map[string]any{"queue": q}); err != nil {
			return err
		}
	}
	for _, x := range c.Exchanges {
		if err := a.remove("exchange.delete", map[string]any{"exchange": x}); err != nil {
			return err
		}
	}
	return nil
}

func (a *admin) remove(name string, args map[string]any) error {
	const locked = 405
	for end := time.Now().Add(lockedLimit); ; <-time.After(lockedRetry) {
		_, err := a.call(name, args, name+"-ok")
		var r *refusal
		if !errors.As(err, &r) {
			return err
		}
		if r.code != locked || time.Now().After(end) {
			return nil
		}
	}
}
