package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// slowPlay runs consumers whose sinks are full most of the time, over a log
// that is mostly on disk. Which message goes where is not predicted; nothing may
// be lost, doubled, or come out of order at the end.
type slowPlay struct {
	*fixture
	r         *rand.Rand
	consumers []*slowConsumer
	serial    int
	settled   map[string]bool
	delivered map[string]bool
}

type slowConsumer struct {
	c        *Consumer
	sink     *testSink
	prefetch int
	noAck    bool
	held     map[uint64]string
}

// collect takes in what the sinks got.
func (p *slowPlay) collect() {
	holders := map[string]bool{}
	for _, c := range p.consumers {
		for i, got := range c.sink.got {
			body, id := trimStar(got), c.sink.ids[i]
			if p.settled[body] {
				p.t.Fatalf("%s delivered after it was settled", body)
			}
			if (got != body) != p.delivered[body] {
				p.t.Fatalf("%s redelivered, delivered before: %v", got, p.delivered[body])
			}
			p.delivered[body] = true
			if c.noAck {
				p.settled[body] = true
			} else {
				c.held[id] = body
			}
		}
		c.sink.take()
		for _, body := range c.held {
			if holders[body] {
				p.t.Fatalf("%s has two holders", body)
			}
			holders[body] = true
		}
		if c.prefetch > 0 && !c.noAck && len(c.held) > c.prefetch {
			p.t.Fatalf("prefetch %d holds %d", c.prefetch, len(c.held))
		}
	}
}

func trimStar(s string) string {
	if s[len(s)-1] == '*' {
		return s[:len(s)-1]
	}
	return s
}

func (p *slowPlay) step() {
	switch p.r.IntN(8) {
	case 0, 1:
		var bodies []string
		for range p.r.IntN(8) {
			p.serial++
			bodies = append(bodies, fmt.Sprintf("m%05d", p.serial))
		}
		p.publish(bodies...)
	case 2:
		p.log.cached = p.log.end
	case 3:
		p.attach()
	case 4:
		if n := len(p.consumers); n > 0 && p.r.IntN(3) == 0 {
			p.end(p.r.IntN(n))
		}
	case 5, 6:
		p.settleSome()
	default:
		if n := len(p.consumers); n > 0 {
			c := p.consumers[p.r.IntN(n)]
			c.sink.room = p.r.IntN(6)
			c.c.Resume()
		}
	}
	if p.r.IntN(3) > 0 {
		p.host.pages()
	}
	p.collect()
}

func (p *slowPlay) attach() {
	if len(p.consumers) > 5 {
		return
	}
	c := &slowConsumer{sink: newSink(), prefetch: p.r.IntN(6), noAck: p.r.IntN(4) == 0, held: map[uint64]string{}}
	c.sink.room, c.sink.credit = p.r.IntN(3), 3
	var err error
	c.c, err = p.q.Attach(ConsumerOptions{Prefetch: uint16(c.prefetch), NoAck: c.noAck, Sink: c.sink, Shared: p.r.IntN(4) == 0})
	if err != nil {
		p.t.Fatal(err)
	}
	c.c.Start()
	p.consumers = append(p.consumers, c)
}

func (p *slowPlay) end(i int) {
	c := p.consumers[i]
	c.c.Cancel()
	p.collect() // after Cancel nothing may come
	c.c.Release()
	p.consumers = slices.Delete(p.consumers, i, i+1)
}

func (p *slowPlay) settleSome() {
	if len(p.consumers) == 0 {
		return
	}
	c := p.consumers[p.r.IntN(len(p.consumers))]
	op := p.r.IntN(2)
	b := NewBatch()
	for id, body := range c.held {
		if p.r.IntN(2) == 0 {
			continue
		}
		delete(c.held, id)
		c.sink.credit++
		if op == 0 {
			b.Settle(c.c, id, id)
			p.settled[body] = true
		} else {
			b.Requeue(c.c, id, id)
		}
	}
	b.Commit(p.log)
	c.c.Resume()
}

func TestSlowSinks(t *testing.T) {
	for seed := range uint64(80) {
		p := &slowPlay{fixture: newFixture(t, seed%2 == 0, nil), r: rand.New(rand.NewPCG(seed, 2)),
			settled: map[string]bool{}, delivered: map[string]bool{}}
		for range 400 {
			p.step()
		}
		for len(p.consumers) > 0 {
			p.end(0)
		}
		p.host.pages()
		var want []string
		for i := 1; i <= p.serial; i++ {
			body := fmt.Sprintf("m%05d", i)
			if p.delivered[body] && !p.settled[body] {
				want = append(want, body+"*")
			} else if !p.settled[body] {
				want = append(want, body)
			}
		}
		equal(t, p.drain(), want)
		p.counts(0, 0)
		if p.q.arena.live != 0 || p.log.liveRefs() != 0 {
			t.Fatalf("seed %d: arena %d octets, log %d references", seed, p.q.arena.live, p.log.liveRefs())
		}
	}
}
