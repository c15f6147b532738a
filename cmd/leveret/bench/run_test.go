package bench

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestStages(t *testing.T) {
	for _, c := range []struct {
		name        string
		fill, drain bool
		consumers   int
		want        []stage
	}{
		{"both at once", false, false, 1, []stage{{"run", true, true}}},
		{"publishers only", false, false, 0, []stage{{"run", true, false}}},
		{"fill", true, false, 1, []stage{{"fill", true, false}}},
		{"drain", false, true, 1, []stage{{"drain", false, true}}},
		{"one after the other", true, true, 1, []stage{{"fill", true, false}, {"drain", false, true}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := DefaultOptions()
			o.Load.Consumers = c.consumers
			o.Length.Fill, o.Length.Drain = c.fill, c.drain
			if got := stages(&o); !reflect.DeepEqual(got, c.want) {
				t.Errorf("stages = %v, want %v", got, c.want)
			}
		})
	}
}

func TestCrewReportsTheFirstErrorAndHangsUp(t *testing.T) {
	c := newCrew()
	near, far := pipeConn(t)
	c.own(near)
	first := errors.New("first")
	c.start(func() error { return first })
	c.start(func() error { // returns when the crew hangs up
		_, err := near.receive()
		return err
	})
	if _, err := far.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
	if err := c.wait(); !errors.Is(err, first) {
		t.Errorf("error = %v, want the first", err)
	}
}

func TestCrewWithoutErrors(t *testing.T) {
	c := newCrew()
	ran := make(chan struct{}, 3)
	for range 3 {
		c.start(func() error {
			ran <- struct{}{}
			return nil
		})
	}
	if err := c.wait(); err != nil || len(ran) != 3 {
		t.Errorf("error %v after %d of 3", err, len(ran))
	}
}

func TestExpect(t *testing.T) {
	producers := []*producer{{tmpl: &template{seqs: []uint64{10, 5}}}, {tmpl: &template{seqs: []uint64{7}}}}
	for _, c := range []struct {
		name    string
		flow    *flow
		drain   bool
		want    uint64
		unknown bool
	}{
		{"every key to one queue", &flow{plan: &plan{keys: []string{"a", "b", "c"}, reach: [][]int{{0}, {0}, {1}}}, producers: producers}, false, 22, false},
		{"a key to two, one to none", &flow{plan: &plan{keys: []string{"a", "b", "c"}, reach: [][]int{{0, 1}, {0}, nil}}, producers: producers}, false, 27, false},
		{"routes unknown", &flow{plan: &plan{keys: []string{"a", "b", "c"}}, producers: producers}, false, 0, true},
		{"drain of a backlog", &flow{plan: &plan{}, backlog: 99}, true, 99, false},
		{"consumers without end", &flow{plan: &plan{}, backlog: 99}, false, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := DefaultOptions()
			o.Load.Producers = 2
			o.Length.Drain = c.drain
			c.flow.o = &o
			n, known := c.flow.expect()
			if known == c.unknown || known && n != c.want {
				t.Errorf("expect = %d, %v; want %d, %v", n, known, c.want, !c.unknown)
			}
		})
	}
}

func TestStallLastsOnlyWhileNothingMoves(t *testing.T) {
	p := &producer{}
	s := stall{meter: &meter{producers: []*producer{p}}}
	if s.lasts(time.Nanosecond) {
		t.Error("a stall at the first look")
	}
	for !s.lasts(time.Millisecond) {
		// Only the clock moves.
	}
	p.published.Add(1)
	if s.lasts(time.Hour) || s.moved != 1 {
		t.Error("still a stall after something moved")
	}
}

func TestUnroutableAndMandatoryIsReturned(t *testing.T) {
	p, _, far := piped(t, LoadOptions{Size: 128, Confirm: 5})
	ctx, cancel := context.WithCancel(t.Context())
	p.assignment = assignment{ctx, 0, func() {}}
	cancel() // publishes nothing
	ended := make(chan error, 1)
	go func() { ended <- p.read() }()
	if _, err := far.Write(appendReturn(nil, 3)); err != nil {
		t.Fatal(err)
	}
	far.Close()
	if err := <-ended; err == nil || p.returned.Load() != 3 {
		t.Errorf("%d returned, want 3 (read: %v)", p.returned.Load(), err)
	}
}

func TestConfirmsThatWereNotAskedFor(t *testing.T) {
	for _, c := range []struct {
		name    string
		payload []byte
		window  bool
		want    string
	}{
		{"no confirm mode", []byte{0, 60, 0, 80, 0, 0, 0, 0, 0, 0, 0, 1, 0}, false, "not asked for"},
		{"cut short", []byte{0, 60, 0, 80, 0}, true, "cut short"},
		{"of what was not sent", []byte{0, 60, 0, 120, 0, 0, 0, 0, 0, 0, 0, 9, 0}, true, "publish 9 of 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &producer{wake: make(chan struct{}, 1)}
			if c.window {
				p.window = newWindow(1)
			}
			if err := p.method(c.payload); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}
