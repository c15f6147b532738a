package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

const awaitInterval = 5 * time.Millisecond

// drained is a message as a drain step lists it.
type drained struct {
	Body        string         `json:"body"`
	Exchange    string         `json:"exchange"`
	RoutingKey  string         `json:"routing-key"`
	Redelivered bool           `json:"redelivered"`
	Props       map[string]any `json:"props,omitempty"`
}

type drainStep struct {
	label
	Conn      string    `json:"conn"`
	Ch        uint16    `json:"ch"`
	Queue     string    `json:"queue"`
	Messages  []drained `json:"messages"`
	Unordered bool      `json:"unordered"`
}

func (s *drainStep) run(p *play) error {
	c, err := p.conn(s.Conn)
	if err != nil {
		return err
	}
	queue, err := p.bound.fill(s.Queue)
	if err != nil {
		return err
	}
	left := slices.Clone(s.Messages)
	for n := 0; ; n++ {
		got, done, err := s.get(c, queue)
		if err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
		if done {
			break
		}
		if left, err = s.take(p, left, got); err != nil {
			return fmt.Errorf("message %d of %d: %w", n, len(s.Messages), err)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("%d of %d messages are missing\n  want %s", len(left), len(s.Messages), short(text(left)))
	}
	return nil
}

func (s *drainStep) get(c *conn, queue string) (got event, done bool, err error) {
	if err := c.send(s.Ch, "basic.get", map[string]any{"queue": queue, "no-ack": true}, nil); err != nil {
		return got, false, err
	}
	got, err = c.next(stepTimeout)
	switch {
	case err != nil:
		return got, false, err
	case got.is(s.Ch, "basic.get-empty"):
		return got, true, nil
	case !got.is(s.Ch, "basic.get-ok"):
		return got, false, fmt.Errorf("want get-ok or get-empty\n  got  %s", short(got.String()))
	}
	return got, false, nil
}

// take matches one message and gives those that are left.
func (s *drainStep) take(p *play, left []drained, got event) ([]drained, error) {
	candidates := left
	if !s.Unordered && len(left) > 0 {
		candidates = left[:1]
	}
	reason := errors.New("more messages than wanted")
	for i, want := range candidates {
		if reason = p.message(want, got); reason == nil {
			return slices.Delete(left, i, i+1), nil
		}
	}
	return left, fmt.Errorf("%w\n  want %s\n  got  %s", reason, short(text(candidates)), short(got.String()))
}

func (p *play) message(want drained, got event) error {
	return p.bound.event(expectation{
		Ch:     got.ch,
		Method: got.method.name,
		Args: map[string]any{
			"delivery-tag":  json.Number(digits(got.args["delivery-tag"])),
			"message-count": json.Number(digits(got.args["message-count"])),
			"exchange":      want.Exchange,
			"routing-key":   want.RoutingKey,
			"redelivered":   want.Redelivered,
		},
		Props: want.Props,
		Body:  &want.Body,
	}, got)
}

// awaitStep watches a queue from a connection of the runner.
type awaitStep struct {
	label
	Queue     string  `json:"queue"`
	VHost     string  `json:"vhost"`
	Messages  *uint64 `json:"messages"`
	Consumers *uint64 `json:"consumers"`
	Absent    bool    `json:"absent"`
	TimeoutMS int     `json:"timeout-ms"`
}

func (s *awaitStep) run(p *play) error {
	vhost := s.VHost
	if vhost == "" {
		vhost = "/"
	}
	a, err := p.admin(vhost)
	if err != nil {
		return err
	}
	queue, err := p.bound.fill(s.Queue)
	if err != nil {
		return err
	}
	timeout := milliseconds(s.TimeoutMS, stepTimeout)
	for end := time.Now().Add(timeout); ; <-time.After(awaitInterval) {
		state, ok, err := s.look(a, queue)
		if err != nil || ok {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("not within %v; last seen: %s", timeout, state)
		}
	}
}

// look declares the queue passively and tells what it saw.
func (s *awaitStep) look(a *admin, queue string) (state string, ok bool, err error) {
	const notFound = 404
	got, err := a.call("queue.declare", map[string]any{"queue": queue, "passive": true}, "queue.declare-ok")
	var r *refusal
	switch {
	case errors.As(err, &r):
		return r.text, s.Absent && r.code == notFound, nil
	case err != nil:
		return "", false, err
	}
	ok = !s.Absent
	for name, want := range map[string]*uint64{"message-count": s.Messages, "consumer-count": s.Consumers} {
		ok = ok && (want == nil || got.args[name] == *want)
	}
	return text(show(got.args)), ok, nil
}
