package queue

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// memoryLog is an in-memory twin of the node's log: it keeps every record and
// fact in order, counts live references, and replays into fresh queues.
type memoryLog struct {
	mu      sync.Mutex
	records map[uint64]*memoryRecord
	order   []any  // *memoryRecord and memoryFact, as they were appended
	end     uint64 // position of the next record
	appends int
	cached  uint64 // positions from here on are in memory
	broken  map[uint64]bool
	reads   int
	reading func() // called before each Read
}

type memoryRecord struct {
	pos     uint64
	refs    []uint64
	flags   uint8
	attr    []byte
	payload []byte
	live    int
}

type memoryFact struct {
	kind        uint8
	group, x, y uint64
}

var (
	errMoved = errors.New("moved")
	errBad   = errors.New("bad checksum")
)

func newMemoryLog() *memoryLog {
	return &memoryLog{records: map[uint64]*memoryRecord{}, end: 1 << 32, broken: map[uint64]bool{}}
}

func (l *memoryLog) Begin() Append { return &memoryAppend{l: l} }

func (l *memoryLog) Cached(pos uint64, size uint32, dst []byte) ([]byte, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.records[pos]
	if r == nil || pos < l.cached || l.broken[pos] {
		return dst, false
	}
	if len(r.payload) != int(size) {
		panic(fmt.Sprintf("size %d of a record of %d", size, len(r.payload)))
	}
	return append(dst, r.payload...), true
}

func (l *memoryLog) Read(pos uint64, size uint32, dst []byte) ([]byte, error) {
	if l.reading != nil {
		l.reading()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads++
	r := l.records[pos]
	switch {
	case r == nil:
		return dst, errMoved
	case l.broken[pos]:
		return dst, errBad
	}
	return append(dst, r.payload...), nil
}

func (l *memoryLog) ReadBatch(pos []uint64, size []uint32, dst []byte, visit func(int, []byte)) error {
	for i := range pos {
		p, err := l.Read(pos[i], size[i], dst[:0])
		if err != nil {
			return err
		}
		visit(i, p)
	}
	return nil
}

// move gives the record at pos a new place, as the cleaner does.
func (l *memoryLog) move(pos uint64, live []uint64) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := *l.records[pos]
	delete(l.records, pos)
	r.pos, r.refs, r.live = l.end, append([]uint64(nil), live...), len(live)/2
	l.end += 1000
	l.records[r.pos] = &r
	l.order = append(l.order, &r)
	return r.pos
}

// restore replays the log into fresh queues by id.
func (l *memoryLog) restore(queues map[uint64]*Queue, clean bool) {
	for _, o := range l.order {
		switch o := o.(type) {
		case memoryFact:
			q := queues[o.group]
			if q != nil && o.kind == FactSettle {
				q.RestoreSettled(o.x, o.y)
			} else if q != nil {
				q.RestoreFact(o.kind, o.x, o.y)
			}
		case *memoryRecord:
			for i := 0; i < len(o.refs) && o.flags&FlagVolatile == 0; i += 2 {
				queues[o.refs[i]].Restore(o.pos, uint32(len(o.payload)), o.flags, o.refs[i+1], o.attr)
			}
		}
	}
	for _, q := range queues {
		q.Restored(clean)
	}
}

// settledFacts returns the settled ranges of a queue, in order.
func (l *memoryLog) settledFacts(group uint64) (spans []span) {
	for _, o := range l.order {
		if f, ok := o.(memoryFact); ok && f.kind == FactSettle && f.group == group {
			spans = append(spans, span{f.x, f.y})
		}
	}
	return spans
}

func (l *memoryLog) liveRefs() (n int) {
	for _, r := range l.records {
		n += r.live
	}
	return n
}

type memoryAppend struct {
	l     *memoryLog
	items []any
	drops []uint64
	size  uint64
}

func (a *memoryAppend) Store(refs []uint64, flags uint8, attr, route, props, body []byte) uint64 {
	c := Content{Route: route, Props: props, Body: body}
	r := &memoryRecord{refs: append([]uint64(nil), refs...), flags: flags, attr: append([]byte(nil), attr...),
		payload: append(c.appendHead(nil), body...), live: len(refs) / 2, pos: a.size}
	a.items = append(a.items, r)
	a.size += uint64(len(r.payload)) + 20
	return r.pos
}

func (a *memoryAppend) Fact(kind uint8, group, x, y uint64) {
	a.items = append(a.items, memoryFact{kind, group, x, y})
}

func (a *memoryAppend) Release(pos uint64, size uint32) { a.drops = append(a.drops, pos) }

func (a *memoryAppend) Commit() uint64 {
	l := a.l
	l.mu.Lock()
	defer l.mu.Unlock()
	base := l.end
	for _, o := range a.items {
		if r, ok := o.(*memoryRecord); ok {
			r.pos += base
			l.records[r.pos] = r
		}
	}
	for _, pos := range a.drops {
		l.records[pos].live--
	}
	l.order = append(l.order, a.items...)
	l.end += a.size + 20
	l.appends++
	return base
}

// testHost notes what queues ask of the broker. Its clock stands still.
type testHost struct {
	now     time.Time
	outside []*Queue
	armed   map[*Queue]time.Time
	fetch   []*Queue
}

func newTestHost() *testHost {
	return &testHost{now: time.Now(), armed: map[*Queue]time.Time{}}
}

func (h *testHost) Outside(q *Queue) { h.outside = append(h.outside, q) }
func (h *testHost) Fetch(q *Queue)   { h.fetch = append(h.fetch, q) }
func (h *testHost) Arm(q *Queue, at time.Time) {
	if h.armed[q] = at; at.IsZero() {
		delete(h.armed, q)
	}
}
func (h *testHost) Now() time.Time { return h.now }
func (h *testHost) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}

// pass lets time pass and ticks the queues that asked for it.
func (h *testHost) pass(d time.Duration) {
	h.now = h.now.Add(d)
	for q, at := range h.armed {
		if !at.After(h.now) {
			delete(h.armed, q)
			q.Tick(h.now)
		}
	}
}

// pages runs the page-ins that were asked for.
func (h *testHost) pages() {
	for len(h.fetch) > 0 {
		q := h.fetch[0]
		h.fetch = h.fetch[1:]
		q.PageIn()
	}
}

// testSink is a channel's side that keeps copies.
type testSink struct {
	got       []string // "body" or "body*" when redelivered
	ids       []uint64
	room      int // deliveries it still takes; negative: any number
	credit    int // of the channel, for shared consumers
	cancelled int
	channel   *channelSink // of several: what they got together
}

func newSink() *testSink { return &testSink{room: -1} }

func (s *testSink) Deliver(ds []Delivery) int {
	for i, d := range ds {
		if s.room == 0 {
			return i
		}
		s.room--
		body := string(d.Body)
		if d.Redelivered {
			body += "*"
		}
		body += countOf(d.Props)
		s.got = append(s.got, body)
		s.ids = append(s.ids, d.ID)
		if s.channel != nil {
			s.channel.got = append(s.channel.got, body)
		}
	}
	return len(ds)
}
func (s *testSink) Cancelled() { s.cancelled++ }
func (s *testSink) Admit() bool {
	if s.credit == 0 {
		return false
	}
	s.credit--
	return true
}

// take returns what arrived since the last take.
func (s *testSink) take() []string {
	got := s.got
	s.got, s.ids = nil, nil
	return got
}

// fixture is one queue with its surroundings.
type fixture struct {
	t    *testing.T
	host *testHost
	log  *memoryLog
	q    *Queue
}

// newFixture makes a queue; persistent messages are logged when durable.
func newFixture(t *testing.T, durable bool, args wire.Table) *fixture {
	t.Helper()
	f := &fixture{t: t, host: newTestHost(), log: newMemoryLog()}
	f.q = f.queue(1, durable, args)
	return f
}

func (f *fixture) queue(id uint64, durable bool, args wire.Table) *Queue {
	f.t.Helper()
	a, err := ParseArguments("/", "q", args)
	if err != nil {
		f.t.Fatal(err)
	}
	return New(Options{ID: id, VHost: "/", Name: "q", Durable: durable, Arguments: a, Log: f.log, Clock: f.host, Host: f.host})
}

var testRoute = []byte("\x01x\x03key")

func message(body string, persistent bool) Message {
	return Message{Content: Content{Route: testRoute, Props: []byte{0x10, 0, 1}, Body: []byte(body)}, Persistent: persistent, TTL: -1}
}

// publish sends messages in one batch.
func (f *fixture) publish(bodies ...string) uint64 {
	b := NewBatch()
	for _, body := range bodies {
		b.Publish(message(body, true), []*Queue{f.q})
	}
	return b.Commit(f.log)
}

// publishTTL sends one message with an expiration.
func (f *fixture) publishTTL(body string, ms int64) {
	b := NewBatch()
	m := message(body, true)
	m.TTL = ms
	b.Publish(m, []*Queue{f.q})
	b.Commit(f.log)
}

func (f *fixture) consume(o ConsumerOptions) (*Consumer, *testSink) {
	f.t.Helper()
	s := newSink()
	if o.Sink == nil {
		o.Sink = s
	}
	c, err := f.q.Attach(o)
	if err != nil {
		f.t.Fatal(err)
	}
	c.Start()
	return c, o.Sink.(*testSink)
}

// get takes one message: "body", "body*" or "".
func (f *fixture) get(c *Consumer, noAck bool) (body string) {
	f.q.Get(c, noAck, func(d Delivery, _ int, ok bool) {
		if ok {
			body = string(d.Body)
			if d.Redelivered {
				body += "*"
			}
			body += countOf(d.Props)
		}
	})
	f.host.pages()
	return body
}

// drain takes all ready messages without acks.
func (f *fixture) drain() (got []string) {
	c := f.q.Getter()
	defer c.Release()
	for {
		body := f.get(c, true)
		if body == "" {
			return got
		}
		got = append(got, body)
	}
}

func (f *fixture) settle(op func(b *Batch)) uint64 {
	b := NewBatch()
	op(b)
	return b.Commit(f.log)
}

func (f *fixture) counts(ready, unacked int) {
	f.t.Helper()
	if r, u, _ := f.q.Counts(); r != ready || u != unacked {
		f.t.Fatalf("ready %d unacked %d, want %d and %d", r, u, ready, unacked)
	}
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Fatalf("got %s, want %s", g, w)
	}
}
