package mgmt

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// tracks is a sampler with a queue that is noted by hand.
func newTracks() *sampler { return &sampler{tracks: map[series]*track{}} }

// look notes a sample as sample does.
func (s *sampler) look(k series, published uint64, ready uint64) {
	at := time.Now().UnixMilli()
	s.tick++
	s.ticks = append(s.ticks, at)
	v := vector{ofPublish: published, ofReady: ready}
	s.note(k, at, &v, keepShort)
}

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, q := newTracks(), series{aQueue, 1, ""}
		rate := func(published uint64) float64 {
			p := s.past(q, vector{ofPublish: published}, &ages{})
			return p.rate([]int{ofPublish})
		}
		if r := rate(10); r != 0 {
			t.Errorf("rate %v before any sample", r)
		}
		s.look(series{aQueue, 2, ""}, 0, 0)
		time.Sleep(5 * time.Second)
		s.look(q, 10, 0) // it is new: before, there was nothing
		time.Sleep(2 * time.Second)
		if r := rate(24); r != 24.0/7 {
			t.Errorf("rate %v, want that of the seven seconds since it was not there", r)
		}
		time.Sleep(3 * time.Second)
		s.look(q, 60, 0)
		time.Sleep(5 * time.Second)
		s.look(q, 60, 0)
		time.Sleep(time.Second)
		if r := rate(60); r != 0 {
			t.Errorf("rate %v of what has stopped", r)
		}
		time.Sleep(time.Second)
		if r := rate(130); r != 10 {
			t.Errorf("rate %v, want 70 in seven seconds", r)
		}
	})
}

func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, q := newTracks(), series{aQueue, 1, ""}
		for i := range uint64(4) {
			s.look(q, 0, 5*i)
			time.Sleep(5 * time.Second)
		}
		p := s.past(q, vector{ofReady: 20}, &ages{lengths: window{10, 5}})
		got := string(appendJSON(nil, p.details(window{10, 5}, ofReady)))
		now := time.Now().UnixMilli()
		want := fmt.Sprintf(`{"avg":15.0,"avg_rate":1.0,"rate":1.0,"samples":[{"sample":20,"timestamp":%d},{"sample":15,"timestamp":%d},{"sample":10,"timestamp":%d}]}`,
			now, now-5000, now-10000)
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got := string(appendJSON(nil, p.details(window{}, ofReady))); got != `{"rate":1.0}` {
			t.Error(got)
		}
	})
}

// TestIdleThingsCostOnePoint: what does not change is not kept twice, and what
// changes is kept for a while.
func TestIdleThingsCostOnePoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, idle, busy := newTracks(), series{aQueue, 1, ""}, series{aQueue, 2, ""}
		for i := range uint64(100) {
			s.look(idle, 7, 7)
			s.look(busy, i, 0)
			time.Sleep(5 * time.Second)
		}
		if n := len(s.tracks[idle].points); n > 2 { // and that there was nothing before
			t.Errorf("%d points of an idle queue", n)
		}
		if n := len(s.tracks[busy].points); n < 13 || n > 16 {
			t.Errorf("%d points of a busy queue", n)
		}
		if at := s.changed(idle, vector{ofPublish: 7, ofReady: 7}); time.Since(at) < 490*time.Second {
			t.Errorf("changed %v ago", time.Since(at))
		}
		if at := s.changed(busy, vector{ofPublish: 200}); !at.IsZero() {
			t.Errorf("what changes changed %v ago", time.Since(at))
		}
	})
}

func TestLongHistoryIsThinned(t *testing.T) {
	var tr track
	const day = 24 * 3600 * 1000
	for at := int64(0); at <= 2*day; at += 5000 {
		tr.note(at, &vector{ofPublish: uint64(at)}, keepLong)
	}
	if n := len(tr.points); n > pointsMost {
		t.Errorf("%d points", n)
	}
	if first := tr.points[0].at; first > day+day/4 {
		t.Errorf("the oldest is of %d s, of two days with one kept", first/1000)
	}
	if v := tr.at(2*day - 60_000); v[ofPublish] != 2*day-60_000 {
		t.Errorf("a minute ago: %d", v[ofPublish])
	}
}

func TestForget(t *testing.T) {
	s := newTracks()
	s.look(series{aQueue, 1, ""}, 1, 0)
	s.look(series{aQueue, 2, ""}, 1, 0)
	if s.forget(); len(s.tracks) != 1 {
		t.Errorf("%d tracks, want that of the last look", len(s.tracks))
	}
	if s.reset(); len(s.tracks) != 0 || s.ticks != nil {
		t.Error("not reset")
	}
}

func TestEmptyShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, q := newTracks(), series{aQueue, 1, ""}
		for _, ready := range []uint64{0, 0, 3} {
			s.look(q, 0, ready)
			time.Sleep(5 * time.Second)
		}
		if got := s.emptyShare(q, 0); got != 0.75 {
			t.Errorf("%v, want three looks of four", got)
		}
		if got := s.emptyShare(series{aQueue, 9, ""}, 1); got != 0 {
			t.Errorf("%v of an unknown queue that is not empty", got)
		}
	})
}

func TestWindows(t *testing.T) {
	for query, want := range map[string]window{
		"": {}, "lengths_age=60&lengths_incr=5": {60, 5}, "lengths_age=60": {}, "lengths_age=x&lengths_incr=5": {},
		"lengths_age=0&lengths_incr=5": {}, "lengths_age=99999999&lengths_incr=1": {}, "lengths_age=60&lengths_incr=-5": {},
	} {
		if got := agesOf(values(query)).lengths; got != want {
			t.Errorf("%q: %+v, want %+v", query, got, want)
		}
	}
}
