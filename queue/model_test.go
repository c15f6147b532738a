package queue

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// player plays random operations on a queue and on the reference.
type player struct {
	*fixture
	r       *rand.Rand
	n       *naive
	getter  *naiveConsumer
	durable bool
	args    wire.Table
	serial  int
	history []string
	channel channelSink // of some of the consumers
}

func (p *player) note(format string, args ...any) {
	p.history = append(p.history, fmt.Sprintf(format, args...))
}

func (p *player) fail(format string, args ...any) {
	p.t.Helper()
	for _, h := range p.history {
		p.t.Log(h)
	}
	p.t.Fatalf(format, args...)
}

// check compares what the sinks got with the messages expected, in order, and
// learns who holds what.
func (p *player) check(want []*naiveMessage) {
	got := 0
	lowest := int32(1 << 30)
	for _, c := range p.n.consumers {
		last := -1
		for i, body := range c.sink.got {
			at := slices.IndexFunc(want, func(m *naiveMessage) bool { return m.holder == someone && body == m.text() })
			if at < 0 {
				p.fail("delivered %s, which is not among %v", body, texts(want))
			}
			if at < last {
				p.fail("consumer got %v out of order of %v", c.sink.got, texts(want))
			}
			last = at
			if p.n.sac && c != p.n.single {
				p.fail("a consumer that is not active got %s", body)
			}
			p.hold(c, want[at], c.sink.ids[i])
			lowest = min(lowest, c.priority)
			got++
		}
		c.sink.take()
		if !c.noAck && c.prefetch > 0 && len(c.held) > c.prefetch {
			p.fail("a consumer of prefetch %d holds %d", c.prefetch, len(c.held))
		}
	}
	p.checkChannel(want)
	if got != len(want) {
		p.fail("%d deliveries, want %v", got, texts(want))
	}
	for _, c := range p.n.consumers {
		if !p.n.sac && c.priority > lowest && (c.noAck || c.prefetch == 0 || len(c.held) < c.prefetch) {
			p.fail("a consumer of priority %d was served before one of %d", lowest, c.priority)
		}
	}
	p.checkCounts()
}

// checkChannel: consumers of one channel get the messages in their order, but
// for those that a quorum queue serves once more; of priorities, a later one
// may come first.
func (p *player) checkChannel(want []*naiveMessage) {
	last := -1
	for _, body := range p.channel.got {
		at := slices.IndexFunc(want, func(m *naiveMessage) bool { return strings.Split(body, "*")[0] == m.body })
		if strings.Contains(body, "#") || p.n.highest > 0 {
			continue
		}
		if at < last {
			p.fail("the channel got %v out of order of %v", p.channel.got, texts(want))
		}
		last = at
	}
	p.channel.got = nil
}

func (m *naiveMessage) text() string {
	text := m.body
	if m.delivered {
		text += "*"
	}
	if m.count > 0 {
		text += fmt.Sprint("#", m.count)
	}
	return text
}

func texts(ms []*naiveMessage) (out []string) {
	for _, m := range ms {
		out = append(out, m.text())
	}
	return out
}

func (p *player) hold(c *naiveConsumer, m *naiveMessage, id uint64) {
	m.holder, m.delivered = c, true
	m.out = !c.noAck
	if c.noAck {
		p.n.remove(m)
	} else {
		c.held[id] = m
	}
}

func (p *player) checkCounts() {
	ready, unacked := p.n.counts()
	if r, u, c := p.q.Counts(); r != ready || u != unacked || c != len(p.n.consumers) {
		p.fail("ready %d unacked %d consumers %d, want %d %d %d", r, u, c, ready, unacked, len(p.n.consumers))
	}
	if have, want := p.q.live, p.q.sums(); have != want {
		p.fail("sums %+v, want %+v", have, want)
	}
}

// step plays one random operation.
func (p *player) step() {
	switch p.r.IntN(16) {
	case 0, 1, 2, 3:
		p.publishSome()
	case 4, 5, 6, 7:
		p.settleSome()
	case 8:
		p.attach()
	case 9:
		p.cancelOne()
	case 10, 11:
		p.getOne()
	case 12:
		d := time.Duration(p.r.IntN(40)) * time.Millisecond
		p.note("pass %v", d)
		p.n.now += d
		p.host.pass(d)
		p.host.pages()
		p.n.resume()
		p.n.trim()
		p.n.expire()
		p.check(p.n.dispatch(p.n.credit()))
	case 13:
		p.note("dead letters")
		p.deadLetters()
	case 14:
		p.storage()
	case 15:
		p.rare()
	}
}

func (p *player) publishSome() {
	b := NewBatch()
	credit, want := p.n.credit(), []*naiveMessage(nil)
	var refused []uint32
	for range 1 + p.r.IntN(5) {
		p.serial++
		m := message(fmt.Sprintf("m%d", p.serial), p.r.IntN(3) > 0)
		nm := &naiveMessage{body: string(m.Body), persistent: m.Persistent || p.n.quorum, serial: p.serial}
		ttl := p.n.ttl
		if p.r.IntN(4) == 0 {
			m.TTL = int64(p.r.IntN(60))
			ttl = min(ttl, time.Duration(m.TTL)*time.Millisecond)
		}
		m.Priority = uint8(p.r.IntN(5))
		nm.priority = min(int(m.Priority), p.n.highest)
		if ttl < never {
			nm.deadline = p.n.now + ttl
		}
		p.note("publish %s persistent=%v ttl=%d", m.Body, m.Persistent, m.TTL)
		m.Tag = uint32(p.serial)
		b.Publish(m, []*Queue{p.q})
		out := p.n.publish(nm, credit-len(want))
		if want = append(want, out...); nm.refused {
			refused = append(refused, m.Tag)
		}
	}
	b.Commit(p.log)
	if !slices.Equal(b.Refused(), refused) {
		p.fail("refused %v, want %v", b.Refused(), refused)
	}
	p.host.pages()
	p.check(want)
}

func (p *player) settleSome() {
	all := append([]*naiveConsumer{p.getter}, p.n.consumers...)
	c := all[p.r.IntN(len(all))]
	ids := make([]uint64, 0, len(c.held))
	for id := range c.held {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return
	}
	slices.Sort(ids)
	from := ids[p.r.IntN(len(ids))]
	to := from + uint64(p.r.IntN(4))
	b := NewBatch()
	op := p.r.IntN(5)
	p.note("settle op %d ids %d-%d", op, from, to)
	[]func(*Consumer, uint64, uint64){b.Settle, b.Discard, b.Requeue, b.Nack, b.Reject}[op](c.c, from, to)
	b.Commit(p.log)
	p.host.pages()
	for _, id := range ids {
		if id < from || id > to {
			continue
		}
		m := c.held[id]
		delete(c.held, id)
		switch m.holder = nil; op {
		case 0:
			p.n.remove(m)
		case 1:
			p.n.bury(m, "rejected")
		default:
			p.n.comeBack(m, true, op == 3)
		}
	}
	p.n.trim()
	p.check(p.n.dispatch(p.n.credit()))
}

func (p *player) attach() {
	if len(p.n.consumers) > 3 {
		return
	}
	c := &naiveConsumer{prefetch: p.r.IntN(5), priority: int32(p.r.IntN(2)), noAck: p.r.IntN(6) == 0, held: map[uint64]*naiveMessage{}}
	p.note("attach prefetch=%d priority=%d noAck=%v", c.prefetch, c.priority, c.noAck)
	p.n.consumers = append(p.n.consumers, c)
	p.n.activate()
	c.sink = newSink()
	o := ConsumerOptions{Prefetch: uint16(c.prefetch), Priority: c.priority, NoAck: c.noAck, Sink: c.sink}
	if p.r.IntN(2) == 0 {
		c.sink.channel, o.Channel = &p.channel, &p.channel
	}
	c.c, _ = p.q.Attach(o)
	c.c.Start()
	p.host.pages()
	p.check(p.n.dispatch(p.n.credit()))
}

func (p *player) cancelOne() {
	if len(p.n.consumers) == 0 {
		return
	}
	i := p.r.IntN(len(p.n.consumers))
	c := p.n.consumers[i]
	p.n.consumers = slices.Delete(p.n.consumers, i, i+1)
	p.n.activate()
	if p.r.IntN(2) == 0 {
		p.note("cancel")
		c.c.Cancel()
		p.host.pages()
		p.check(p.n.dispatch(p.n.credit()))
	}
	p.release(c)
}

func (p *player) release(c *naiveConsumer) {
	p.note("release")
	c.c.Release()
	p.host.pages()
	for _, id := range slices.Sorted(maps.Keys(c.held)) {
		p.n.comeBack(c.held[id], false, false)
	}
	p.n.trim()
	p.check(p.n.dispatch(p.n.credit()))
}

func (p *player) getOne() {
	noAck := p.r.IntN(2) == 0
	p.note("get noAck=%v", noAck)
	p.n.expire()
	want := ""
	m := p.n.head()
	if m != nil {
		if want = m.text(); p.n.quorum && m.count == 0 {
			want += "#0"
		}
	}
	var got string
	p.q.Get(p.getter.c, noAck, func(d Delivery, _ int, ok bool) {
		if !ok {
			return
		}
		if got = string(d.Body); d.Redelivered {
			got += "*"
		}
		got += countOf(d.Props)
		if !noAck && m != nil {
			p.hold(p.getter, m, d.ID)
		}
	})
	p.host.pages()
	if got != want {
		p.fail("get %q, want %q", got, want)
	}
	switch {
	case m != nil && noAck:
		p.n.remove(m)
	case m != nil:
		p.n.first = slices.DeleteFunc(p.n.first, func(x *naiveMessage) bool { return x == m })
	}
	if m != nil {
		p.n.expire() // what has expired behind the message goes with it
	}
	p.check(nil)
}

func (p *player) deadLetters() {
	for {
		work := p.q.TakeOutside(3)
		if len(work) == 0 {
			break
		}
		b := NewBatch()
		for _, o := range work {
			got := string(o.Content.Body) + " " + o.Reason
			if o.Kind != Dead || len(p.n.dead) == 0 || got != p.n.dead[0] {
				p.fail("dead letter %q kind %d, want %v", got, o.Kind, p.n.dead)
			}
			p.n.dead = p.n.dead[1:]
			i := slices.IndexFunc(p.n.messages, func(m *naiveMessage) bool { return m.leaving && m.body == string(o.Content.Body) })
			p.n.remove(p.n.messages[i])
			b.Dead(p.q, o.Seq)
		}
		b.Commit(p.log)
	}
	if len(p.n.dead) > 0 {
		p.fail("dead letters never came: %v", p.n.dead)
	}
	p.checkCounts()
}

// storage does what must not be seen: records leave the memory and move.
func (p *player) storage() {
	p.note("records move")
	p.log.cached = p.log.end
	var moved []*memoryRecord
	for _, r := range p.log.records {
		if r.live > 0 && p.r.IntN(2) == 0 {
			moved = append(moved, r)
		}
	}
	for _, r := range moved {
		Relocate([]*Queue{p.q}, r.pos, r.refs, func(live []uint64) uint64 { return p.log.move(r.pos, live) })
	}
}

func (p *player) rare() {
	switch p.r.IntN(4) {
	case 0:
		p.note("purge")
		ready, _ := p.n.counts()
		if n, _ := p.q.Purge(); n != ready {
			p.fail("purged %d of %d", n, ready)
		}
		p.n.messages = slices.DeleteFunc(p.n.messages, func(m *naiveMessage) bool { return m.ready() })
		p.n.first = nil
		p.check(nil)
	case 1:
		p.restart(p.r.IntN(2) == 0)
	}
}

// restart stops cleanly or crashes, and replays the log.
func (p *player) restart(clean bool) {
	if !p.durable {
		return
	}
	p.note("restart clean=%v", clean)
	if clean {
		for len(p.n.consumers) > 0 {
			p.cancelOne()
		}
		p.release(p.getter)
		p.q.Close()
	}
	clear(p.host.armed)
	p.host.fetch = nil
	p.q = p.queue(1, true, p.args)
	p.log.restore(map[uint64]*Queue{1: p.q}, clean)
	p.n.consumers, p.n.single, p.n.dead = nil, nil, nil
	p.n.messages = slices.DeleteFunc(p.n.messages, func(m *naiveMessage) bool { return !m.persistent })
	for _, m := range p.n.messages {
		m.holder, m.leaving = nil, false
		m.delivered = m.delivered || !clean
	}
	p.n.restart()
	p.n.trim()
	p.n.expire()
	p.getter = &naiveConsumer{c: p.q.Getter(), sink: newSink(), held: map[uint64]*naiveMessage{}}
	p.check(nil)
}

func TestAgainstNaiveModel(t *testing.T) {
	ttl := wire.Field{Name: "x-message-ttl", Value: int32(45)}
	dlx := wire.Field{Name: "x-dead-letter-exchange", Value: "d"}
	length := wire.Field{Name: "x-max-length", Value: int32(4)}
	for _, c := range []struct {
		name    string
		durable bool
		args    wire.Table
	}{
		{"transient", false, nil},
		{"durable", true, nil},
		{"transient with ttl and dead letters", false, wire.Table{ttl, dlx}},
		{"durable with dead letters", true, wire.Table{dlx}},
		{"durable with ttl and dead letters", true, wire.Table{ttl, dlx}},
		{"durable with length", true, wire.Table{length, dlx}},
		{"transient with bytes and ttl", false, append(table("x-max-length-bytes", int32(12)), ttl, dlx)},
		{"durable with bytes", true, append(table("x-max-length-bytes", int32(12)), dlx)},
		{"single active", true, append(table("x-single-active-consumer", true), dlx)},
		{"quorum with single active and length", true, append(table("x-single-active-consumer", true), isQuorum, length, dlx)},
		{"durable with priorities", true, append(table("x-max-priority", int32(3)), dlx)},
		{"transient with priorities, ttl and length", false, append(table("x-max-priority", int32(2)), ttl, length, dlx)},
		{"durable with priorities, ttl and bytes", true, append(table("x-max-priority", int32(9), "x-max-length-bytes", int32(12)), ttl)},
		{"expiring anywhere", true, append(table("x-expire-anywhere", true), dlx)},
		{"expiring anywhere, with ttl, priorities and length", false, append(table("x-expire-anywhere", true, "x-max-priority", int32(2)), dlx, ttl, length)},
		{"quorum, expiring anywhere", true, append(table("x-expire-anywhere", true, "x-delivery-limit", int32(2)), isQuorum, dlx, ttl)},
		{"retry of nacks", true, append(table("x-delayed-retry-type", "returned", "x-delayed-retry-min", int32(20)), dlx)},
		{"retry of nacks, with ttl, limit, length and priorities", true, append(table("x-delayed-retry-type", "returned",
			"x-delayed-retry-min", int32(20), "x-delivery-limit", int32(2), "x-max-priority", int32(2)), dlx, length, ttl)},
		{"quorum with retry of nacks, expiring anywhere", true, append(table("x-delayed-retry-type", "returned",
			"x-delayed-retry-min", int32(20), "x-delivery-limit", int32(2), "x-expire-anywhere", true), dlx, ttl, isQuorum)},
		{"quorum", true, wire.Table{isQuorum, dlx}},
		{"quorum with ttl and length", true, wire.Table{isQuorum, dlx, ttl, length}},
		{"quorum with limit", true, append(table("x-delivery-limit", int32(2)), isQuorum, dlx)},
		{"quorum with limit, ttl and length", true, append(table("x-delivery-limit", int32(1)), isQuorum, ttl, length)},
		{"durable rejecting", true, append(table("x-overflow", "reject-publish"), length)},
		{"durable rejecting to dead letters", true, append(table("x-overflow", "reject-publish-dlx"), length, dlx, ttl)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(60) {
				playSeed(t, seed, c.durable, c.args)
			}
		})
	}
}

func playSeed(t *testing.T, seed uint64, durable bool, args wire.Table) {
	p := &player{fixture: newFixture(t, durable, args), r: rand.New(rand.NewPCG(seed, 1)), n: newNaive(args), durable: durable, args: args}
	p.note("seed %d", seed)
	p.getter = &naiveConsumer{c: p.q.Getter(), sink: newSink(), held: map[uint64]*naiveMessage{}}
	for range 300 {
		p.step()
	}
	p.deadLetters()
	if live := p.log.liveRefs(); durable && live != len(p.n.persistent()) {
		p.fail("%d live references in the log, want %d", live, len(p.n.persistent()))
	}
	if _, u := p.n.counts(); p.q.arena.live == 0 && u == 0 && p.q.arena.held > chunkSmall {
		p.fail("an empty arena holds %d octets", p.q.arena.held)
	}
}

func (n *naive) persistent() (out []*naiveMessage) {
	for _, m := range n.messages {
		if m.persistent {
			out = append(out, m)
		}
	}
	return out
}
