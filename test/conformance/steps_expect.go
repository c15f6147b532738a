package conformance

import (
	"fmt"
	"slices"
	"time"
)

type expectStep struct {
	label
	Conn             string        `json:"conn"`
	Events           []expectation `json:"events"`
	Unordered        bool          `json:"unordered"`
	IgnoreHeartbeats bool          `json:"ignore-heartbeats"`
	TimeoutMS        int           `json:"timeout-ms"`
	MinMS            int           `json:"min-ms"`
	MS               int           `json:"ms"` // how long the recorder looked; nothing to check
}

func (s *expectStep) run(p *play) error {
	c, err := p.conn(s.Conn)
	if err != nil {
		return err
	}
	begin := time.Now()
	left := slices.Clone(s.Events)
	for i := range s.Events {
		if left, err = s.one(p, c, left); err != nil {
			return fmt.Errorf("event %d of %d: %w", i, len(s.Events), err)
		}
	}
	if took := time.Since(begin); took < milliseconds(s.MinMS, 0) {
		return fmt.Errorf("took %v, want at least %d ms", took.Round(time.Millisecond), s.MinMS)
	}
	return nil
}

// one takes the next event and gives the expectations that are left.
func (s *expectStep) one(p *play, c *conn, left []expectation) ([]expectation, error) {
	got, err := s.next(c)
	if err != nil {
		return left, fmt.Errorf("%w\n  want %s", err, short(text(left[0])))
	}
	got = p.broker.settled(got)
	if s.Unordered {
		for i := range left {
			if p.bound.event(left[i], got) == nil {
				return slices.Delete(left, i, i+1), nil
			}
		}
		return left, fmt.Errorf("none of the %d events that may come\n  want %s\n  got  %s", len(left), short(text(left)), short(got.String()))
	}
	if err := p.bound.event(left[0], got); err != nil {
		return left, fmt.Errorf("%w\n  want %s\n  got  %s", err, short(text(left[0])), short(got.String()))
	}
	return left[1:], nil
}

func (s *expectStep) next(c *conn) (event, error) {
	end := time.Now().Add(milliseconds(s.TimeoutMS, stepTimeout))
	for {
		got, err := c.next(time.Until(end))
		if err != nil {
			return got, fmt.Errorf("nothing came within %v", milliseconds(s.TimeoutMS, stepTimeout))
		}
		if got.kind != eventHeartbeat || !s.IgnoreHeartbeats {
			return got, nil
		}
	}
}

type nothingStep struct {
	label
	Conn string `json:"conn"`
	MS   int    `json:"ms"`
}

func (s *nothingStep) run(p *play) error {
	c, err := p.conn(s.Conn)
	if err != nil {
		return err
	}
	if got, err := c.next(milliseconds(s.MS, 0)); err == nil {
		return fmt.Errorf("want no event for %d ms, got %s", s.MS, short(got.String()))
	}
	return nil
}

type confirmsStep struct {
	label
	Conn      string   `json:"conn"`
	Ch        uint16   `json:"ch"`
	Acked     []uint64 `json:"acked"`
	Nacked    []uint64 `json:"nacked"`
	TimeoutMS int      `json:"timeout-ms"`
}

func (s *confirmsStep) run(p *play) error {
	c, err := p.conn(s.Conn)
	if err != nil {
		return err
	}
	open := map[uint64]string{}
	for _, tag := range s.Acked {
		open[tag] = "basic.ack"
	}
	for _, tag := range s.Nacked {
		open[tag] = "basic.nack"
	}
	for len(open) > 0 {
		got, err := c.next(milliseconds(s.TimeoutMS, stepTimeout))
		if err != nil {
			return fmt.Errorf("%w; still open: %v", err, open)
		}
		if err := s.settle(open, got); err != nil {
			return fmt.Errorf("%w; still open: %v\n  got  %s", err, open, short(got.String()))
		}
	}
	return nil
}

// settle takes the tags that one ack or nack answers out of open.
func (s *confirmsStep) settle(open map[uint64]string, got event) error {
	if !got.is(s.Ch, "basic.ack") && !got.is(s.Ch, "basic.nack") {
		return fmt.Errorf("want a confirm on channel %d", s.Ch)
	}
	last, _ := got.args["delivery-tag"].(uint64)
	if _, ok := open[last]; !ok {
		return fmt.Errorf("confirm of tag %d, which is not open", last)
	}
	for tag, want := range open {
		if tag != last && (got.args["multiple"] != true || tag > last) {
			continue
		}
		if want != got.method.name {
			return fmt.Errorf("tag %d: %s, want %s", tag, got.method.name, want)
		}
		delete(open, tag)
	}
	return nil
}
