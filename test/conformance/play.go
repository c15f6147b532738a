package conformance

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// stepTimeout is how long an event may take when a step names no time.
	stepTimeout = 4 * time.Second
	// settleTime is how long connections must stay silent after the last step.
	settleTime = 30 * time.Millisecond
)

// broker is what scenarios are played against.
type broker struct {
	address    string // AMQP, host:port
	management string // base URL of the management API; "" when there is none
	oracle     bool   // a RabbitMQ, which knows every feature
}

// settled gives the event without what differs from one start of RabbitMQ to
// the next: it lists its mechanisms in the order of a hash table.
func (b broker) settled(e event) event {
	if mechanisms, ok := e.args["mechanisms"].(string); ok && b.oracle {
		words := strings.Fields(mechanisms)
		slices.Sort(words)
		e.args["mechanisms"] = strings.Join(words, " ")
	}
	return e
}

// play is one run of one scenario.
type play struct {
	broker broker
	codec  *codec
	conns  map[string]*conn
	bound  bindings
	admins map[string]*admin // the runner's own connections, by virtual host
}

// perform plays a scenario and describes the first difference.
func perform(b broker, c *codec, s scenario) error {
	p := &play{broker: b, codec: c, conns: map[string]*conn{}, bound: bindings{}, admins: map[string]*admin{}}
	defer p.hangUp()
	defer p.teardown(s)
	if err := p.cleanup(s.Cleanup); err != nil {
		return fmt.Errorf("%s: before the first step: %w", s.Name, err)
	}
	for i, st := range s.Steps {
		if err := st.action.run(p); err != nil {
			return failure(s, i, err)
		}
	}
	if err := p.silent(); err != nil {
		return fmt.Errorf("%s (%s) after the last step: %w", s.Name, s.Title, err)
	}
	return nil
}

func failure(s scenario, i int, err error) error {
	st := s.Steps[i]
	err = fmt.Errorf("%s (%s)\nstep %d of %d, %s: %w", s.Name, s.Title, i, len(s.Steps), st.op, err)
	if st.op == "expect" { // the error quotes the event that was wanted
		return err
	}
	return fmt.Errorf("%w\n  step %s", err, short(string(st.source)))
}

// short cuts what would fill a screen.
func short(s string) string {
	const limit = 1500
	if len(s) <= limit {
		return s
	}
	return fmt.Sprintf("%s... (%d octets more)", strings.ToValidUTF8(s[:limit], ""), len(s)-limit)
}

// silent fails when a connection holds an unread event.
func (p *play) silent() error {
	if len(p.conns) > 0 {
		<-time.After(settleTime)
	}
	for name, c := range p.conns {
		select {
		case e := <-c.events:
			return fmt.Errorf("unread event on %s: %v", name, e)
		default:
		}
	}
	return nil
}

// teardown runs whatever happened; its results do not count.
func (p *play) teardown(s scenario) {
	for name, c := range p.conns {
		c.close()
		delete(p.conns, name)
	}
	for _, st := range s.Teardown {
		_ = st.action.run(p)
	}
	_ = p.cleanup(s.Cleanup)
}

func (p *play) hangUp() {
	for _, a := range p.admins {
		a.conn.close()
	}
}

func (p *play) conn(name string) (*conn, error) {
	c := p.conns[name]
	if c == nil {
		return nil, fmt.Errorf("no connection %q", name)
	}
	return c, nil
}

// keep enters a new connection under its name.
func (p *play) keep(name string, c *conn) error {
	if p.conns[name] != nil {
		c.close()
		return fmt.Errorf("connection %q exists already", name)
	}
	p.conns[name] = c
	return nil
}
