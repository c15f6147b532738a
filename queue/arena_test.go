package queue

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

func content(body string) Content {
	return Content{Route: testRoute, Props: []byte{0x10, 0, 2}, Body: []byte(body)}
}

func TestArenaKeepsContents(t *testing.T) {
	var a arena
	a.init(new(Memory))
	r := rand.New(rand.NewPCG(1, 5))
	live := map[uint64]string{}
	total := int64(0)
	for i := range 20000 {
		if r.IntN(2) == 0 || len(live) > 200 {
			for loc, body := range live {
				c := content(body)
				got := a.at(loc, uint32(c.payloadSize()))
				if string(got.Body) != body || !bytes.Equal(got.Props, c.Props) || !bytes.Equal(got.Route, c.Route) {
					t.Fatalf("%d octets back of %d", len(got.Body), len(body))
				}
				a.free(loc, uint32(c.payloadSize()))
				total -= int64(c.payloadSize())
				delete(live, loc)
				break
			}
			continue
		}
		c := content(fmt.Sprint(i, strings.Repeat("x", 1<<r.IntN(18))))
		if r.IntN(2) == 0 {
			c.Shared = wire.NewBody(c.Body)
		}
		live[a.put(&c)] = string(c.Body)
		total += int64(c.payloadSize())
		if a.live != total {
			t.Fatalf("live %d, want %d", a.live, total)
		}
	}
	for loc, body := range live {
		c := content(body)
		a.free(loc, uint32(c.payloadSize()))
	}
	if a.live != 0 || a.held > chunkSmall {
		t.Fatalf("an empty arena: live %d held %d", a.live, a.held)
	}
}

func TestArenaAdoptsLargeBodies(t *testing.T) {
	var a arena
	a.init(new(Memory))
	c := content(strings.Repeat("x", adoptMin))
	c.Shared = wire.NewBody(c.Body)
	loc := a.put(&c)
	if got := a.at(loc, uint32(c.payloadSize())); got.Shared != c.Shared || &got.Body[0] != &c.Body[0] {
		t.Fatal("the body was copied")
	}
	c.Shared = nil
	loc2 := a.put(&c)
	if got := a.at(loc2, uint32(c.payloadSize())); got.Shared != nil || &got.Body[0] == &c.Body[0] {
		t.Fatal("a body of somebody else's was kept")
	}
}

// TestArenaIsCompacted: a few messages that nobody acks do not keep the chunks
// they lie in.
func TestArenaIsCompacted(t *testing.T) {
	f := newFixture(t, false, nil)
	g := f.q.Getter()
	body := strings.Repeat("x", 1000)
	for i := range 20000 {
		f.publish(fmt.Sprint(i%10, body))
		f.get(g, i%64 != 0)
	}
	s := f.q.Stats()
	if s.Unacked != 313 || s.ArenaBytes > 8*f.q.arena.live+2<<20 {
		t.Fatalf("%d messages of 1 kB hold %d octets", s.Unacked, s.ArenaBytes)
	}
	g.Release()
	for i, got := range f.drain() {
		equal(t, got, fmt.Sprint(i*64%10, body, "*"))
	}
}

func TestParseContentRejectsGarbage(t *testing.T) {
	c := content("body")
	whole := append(c.appendHead(nil), c.Body...)
	for n := range len(whole) - len(c.Body) {
		if got := ParseContent(whole[:n]); got.Route != nil {
			t.Fatalf("%d octets parsed as %v", n, got)
		}
	}
	huge := append(append([]byte(nil), testRoute...), 0xff, 0xff, 0xff, 0xff)
	if got := ParseContent(huge); got.Route != nil {
		t.Fatal("properties longer than the payload")
	}
	equal(t, ParseContent(whole), c)
}

// TestTransientBeyondTheBoundIsVolatile: what does not fit the arena goes to
// the log and does not come back after a restart.
func TestTransientBeyondTheBoundIsVolatile(t *testing.T) {
	f := newFixture(t, true, nil)
	f.q.opt.ArenaBytes = 100
	b := NewBatch()
	for _, body := range []string{"0", "1", strings.Repeat("2", 90), strings.Repeat("3", 90)} {
		b.Publish(message(body, false), []*Queue{f.q})
	}
	b.Commit(f.log)
	equal(t, f.log.liveRefs(), 2)
	f.log.cached = f.log.end
	got := f.drain()
	equal(t, len(got), 4)
	equal(t, got[3], strings.Repeat("3", 90))
	equal(t, f.log.liveRefs(), 0)
	equal(t, f.log.settledFacts(1), "[]") // nothing to say about what is dead at start
	f.q = f.queue(1, true, nil)
	f.log.restore(map[uint64]*Queue{1: f.q}, true)
	f.counts(0, 0)
}
