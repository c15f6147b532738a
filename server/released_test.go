package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/queue"
)

// A segment of the log whose live counter reaches 0 is recycled without asking
// anybody. So each ref to a record has to be released once: a second time loses
// messages, and never keeps the disk. These tests do at random what releases
// refs and hold the counters against the queues whenever nothing moves.

// definitions are the queues of the test: one for each way a message ends.
var definitions = []wire.QueueDeclare{ // read-only
	{Queue: "plain", Durable: true},
	{Queue: "other", Durable: true},
	{Queue: "dead", Durable: true, Arguments: wire.Table{{Name: "x-dead-letter-exchange", Value: "again"}}},
	{Queue: "short", Durable: true, Arguments: wire.Table{{Name: "x-message-ttl", Value: int32(40)}, {Name: "x-dead-letter-exchange", Value: "again"}}},
	{Queue: "self", Durable: true, Arguments: wire.Table{{Name: "x-dead-letter-exchange", Value: ""}, {Name: "x-message-ttl", Value: int32(90)}}},
	{Queue: "lease", Durable: true, Arguments: wire.Table{{Name: "x-expires", Value: int32(150)}}},
	{Queue: "auto", Durable: true, AutoDelete: true},
	{Queue: "mine", Exclusive: true},
	{Queue: "passing"},
}

// bindings are of the fanout exchanges.
var bindings = map[string][]string{ // read-only
	"all":   {"plain", "other", "dead", "short", "self", "lease", "auto", "mine", "passing"},
	"again": {"other", "lease", "passing"},
}

// mover does random things to a node.
type mover struct {
	*node
	rng     *rand.Rand
	s       *broker.Session
	plain   *broker.Publisher
	tx      *broker.Publisher
	batch   *queue.Batch
	takers  []*taker
	getters map[string]*taker
}

func newMover(t *testing.T, seed uint64) *mover {
	m := &mover{node: newNode(t), rng: rand.New(rand.NewPCG(seed, 9)), batch: queue.NewBatch()}
	m.enter()
	return m
}

// enter opens a session and declares what is missing.
func (m *mover) enter() {
	m.s = m.session()
	m.plain, m.tx = m.s.NewPublisher(1, returned{}), m.s.NewPublisher(2, returned{})
	m.tx.SelectTx()
	m.takers, m.getters = nil, map[string]*taker{}
	m.declare()
}

func (m *mover) declare() {
	answer := func(err error) {
		if err != nil && m.log.Err() == nil {
			m.t.Errorf("declare: %v", err)
		}
	}
	for _, d := range definitions {
		m.s.DeclareQueue(&d, func(_ broker.QueueInfo, err error) { answer(err) })
	}
	for x, queues := range bindings {
		m.s.DeclareExchange(&wire.ExchangeDeclare{Exchange: x, Type: "fanout", Durable: true}, answer)
		for _, q := range queues {
			m.s.BindQueue(&wire.QueueBind{Queue: q, Exchange: x}, answer)
		}
	}
	synctest.Wait()
}

// leave ends the session as a connection that is lost.
func (m *mover) leave() {
	for _, k := range m.takers {
		m.s.Release(k.c)
	}
	for _, k := range m.getters {
		m.s.Release(k.c)
	}
	m.plain.Close()
	m.tx.Close()
	m.s.Close()
}

// queue is a random queue that lives.
func (m *mover) queue() (name string, q *queue.Queue) {
	for _, i := range m.rng.Perm(len(definitions)) {
		name = definitions[i].Queue
		if q, err := m.s.Queue(name, broker.Read); err == nil {
			return name, q
		}
	}
	m.t.Fatal("no queue lives")
	return "", nil
}

func (m *mover) message() message {
	x := message{persistent: m.rng.IntN(5) > 0, size: m.rng.IntN(300)}
	switch m.rng.IntN(20) {
	case 0:
		x.size = m.rng.IntN(40_000)
	case 1, 2:
		x.expiration = fmt.Sprint(m.rng.IntN(100))
	}
	if x.exchange = "all"; m.rng.IntN(3) > 0 {
		x.exchange = ""
		x.key, _ = m.queue()
	}
	return x
}

// settle adds a random settlement of what k holds to b.
func (m *mover) settle(b *queue.Batch, k *taker) {
	last, _, _ := k.state()
	if last == 0 {
		return
	}
	from := 1 + m.rng.Uint64N(last)
	to := from + m.rng.Uint64N(last-from+1)
	switch m.rng.IntN(6) {
	case 0:
		b.Discard(k.c, from, to)
	case 1:
		b.Requeue(k.c, from, to)
	case 2:
		b.Settle(k.c, 1, last)
	default:
		b.Settle(k.c, from, to)
	}
}

// holder is a random consumer or getter, nil when there is none.
func (m *mover) holder() *taker {
	if len(m.takers) > 0 && m.rng.IntN(4) > 0 {
		return m.takers[m.rng.IntN(len(m.takers))]
	}
	return m.getters[definitions[m.rng.IntN(len(definitions))].Queue]
}

func (m *mover) publishSome() {
	for range 1 + m.rng.IntN(12) {
		m.publish(m.plain, m.message())
	}
	m.plain.Flush()
}

// transact publishes and settles as one.
func (m *mover) transact() {
	for range m.rng.IntN(4) {
		m.publish(m.tx, m.message())
	}
	if m.rng.IntN(5) == 0 {
		m.tx.Rollback()
		return
	}
	m.tx.Commit(func(b *queue.Batch) {
		for range m.rng.IntN(4) {
			if k := m.holder(); k != nil {
				m.settle(b, k)
			}
		}
	}, func(error) {})
}

// settleSome settles as the end of a socket read does.
func (m *mover) settleSome() {
	for range 1 + m.rng.IntN(4) {
		if k := m.holder(); k != nil {
			m.settle(m.batch, k)
		}
	}
	m.batch.Commit(m.s.Log())
}

func (m *mover) consume() {
	if len(m.takers) >= 8 {
		m.part()
		return
	}
	name, _ := m.queue()
	k := &taker{t: m.t, room: m.rng.IntN(50)}
	c, err := m.s.Consume(name, queue.ConsumerOptions{NoAck: m.rng.IntN(3) == 0, Prefetch: uint16(m.rng.IntN(30)), Sink: k})
	if err != nil {
		m.t.Fatal(err)
	}
	k.c = c
	m.takers = append(m.takers, k)
	c.Start()
}

// part cancels a consumer, or takes it away with all it holds.
func (m *mover) part() {
	if len(m.takers) == 0 {
		return
	}
	i := m.rng.IntN(len(m.takers))
	if m.rng.IntN(2) == 0 {
		m.s.Cancel(m.takers[i].c) // what it holds it may still settle
		return
	}
	m.s.Release(m.takers[i].c)
	m.takers = append(m.takers[:i], m.takers[i+1:]...)
}

func (m *mover) more() {
	if len(m.takers) > 0 {
		m.takers[m.rng.IntN(len(m.takers))].more(m.rng.IntN(200))
	}
}

func (m *mover) get() {
	name, q := m.queue()
	k := m.getters[name]
	if k == nil || k.c.Queue() != q {
		k = &taker{t: m.t, c: q.Getter()}
		m.getters[name] = k
	}
	k.mu.Lock()
	k.room = 1
	k.mu.Unlock()
	q.Get(k.c, m.rng.IntN(2) == 0, func(d queue.Delivery, _ int, ok bool) {
		if ok {
			k.take([]queue.Delivery{d})
		}
	})
	synctest.Wait() // its body may come from the disk
}

func (m *mover) recover() {
	if k := m.holder(); k != nil {
		m.batch.Recover(k.c)
		m.batch.Commit(m.s.Log())
	}
}

func (m *mover) purge() {
	name, _ := m.queue()
	m.s.PurgeQueue(&wire.QueuePurge{Queue: name}, func(int, error) {})
}

func (m *mover) delete() {
	name, _ := m.queue()
	m.s.DeleteQueue(&wire.QueueDelete{Queue: name}, func(int, error) {})
	if m.rng.IntN(2) == 0 {
		m.declare()
	}
}

// flood publishes transient messages beyond what a queue keeps in memory: they
// spill to the log.
func (m *mover) flood() {
	name, _ := m.queue()
	for range 12 {
		m.publish(m.plain, message{key: name, size: 1 << 20})
		m.plain.Flush()
	}
}

// step does one thing.
func (m *mover) step() (what string) {
	pick := m.rng.IntN(1000)
	for _, x := range []struct {
		what   string
		weight int // of 1000
		do     func()
	}{
		{"publish", 330, m.publishSome},
		{"settle", 200, m.settleSome},
		{"transaction", 90, m.transact},
		{"more room", 100, m.more},
		{"get", 80, m.get},
		{"consume", 60, m.consume},
		{"cancel", 30, m.part},
		{"recover", 20, m.recover},
		{"time", 30, func() { time.Sleep(time.Duration(m.rng.IntN(60)) * time.Millisecond) }},
		{"purge", 15, m.purge},
		{"delete", 15, m.delete},
		{"declare", 20, m.declare},
		{"reconnect", 8, func() { m.leave(); m.enter() }},
		{"flood", 2, m.flood},
	} {
		if pick -= x.weight; pick < 0 {
			x.do()
			return x.what
		}
	}
	return "nothing"
}

// run does random things until steps are done or the log has died.
func (m *mover) run(steps int) {
	for range steps {
		what := m.step()
		if m.log.Err() != nil {
			return
		}
		if m.rng.IntN(4) == 0 {
			m.audit(what)
		}
	}
	m.audit("the last step")
}

// drain takes every message out of every queue and deletes the queues: nothing
// may be left alive in the log.
func (m *mover) drain() {
	m.leave()
	m.enter()
	var all []*queue.Consumer
	for _, d := range definitions {
		k := &taker{t: m.t, room: 1 << 40}
		c, err := m.s.Consume(d.Queue, queue.ConsumerOptions{NoAck: true, Sink: k})
		if err != nil {
			m.t.Fatal(err)
		}
		k.c = c
		all = append(all, c)
		c.Start()
	}
	m.audit("draining all queues") // until the last dead letter has arrived
	for _, c := range all {
		if s := c.Queue().Stats(); s.Ready+s.Unacked+s.Leaving > 0 || s.Corrupt > 0 {
			m.t.Errorf("drained, %s has %+v", c.Queue().Options().Name, s)
		}
		m.s.Release(c)
	}
	for _, d := range definitions {
		m.s.DeleteQueue(&wire.QueueDelete{Queue: d.Queue}, func(int, error) {})
	}
	m.audit("deleting all queues")
	if s := m.log.Stats(); s.Live != 0 || s.Orphans != 0 {
		m.t.Errorf("without queues the log has %+v", s)
	}
}

// TestEveryRefIsReleasedOnce restarts cleanly between runs.
func TestEveryRefIsReleasedOnce(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMover(t, seed)
				for range 3 {
					m.run(600)
					m.leave()
					m.audit("the session's end")
					if err := m.stop(); err != nil {
						t.Fatal(err)
					}
					m.start()
					m.audit("a restart")
					m.enter()
				}
				m.drain()
				m.leave()
				if err := m.stop(); err != nil {
					t.Fatal(err)
				}
				t.Logf("%+v", m.log.Stats())
			})
		})
	}
}

// TestEveryRefIsReleasedOnceAfterCrash does so when the power fails in the
// middle: what comes back is counted anew.
func TestEveryRefIsReleasedOnceAfterCrash(t *testing.T) {
	seeds := uint64(12)
	if os.Getenv("LEVERET_CRASH") == "all" {
		seeds = 500
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMover(t, 100+seed)
				for range 4 {
					last := m.fs.Calls() + 1 + m.rng.IntN(400)
					m.fs.SetFault(func(call int, _, _ string) error {
						if call >= last {
							return persistence.ErrPowerCut
						}
						return nil
					})
					m.run(400)
					m.leave()
					if err := m.stop(); err == nil || !errors.Is(err, persistence.ErrPowerCut) {
						t.Logf("the power did not fail: %v", err)
					}
					m.fs, m.meta = m.fs.Crash(m.rng), m.meta.Clone()
					m.start()
					m.audit("a crash")
					m.enter()
				}
				m.run(100)
				m.drain()
				m.leave()
				if err := m.stop(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// TestCrashWhileReclaiming: the power fails when only some of the live records
// of the oldest segment are copied forward for good. At the next start there are
// two copies of those, of which the newer one counts; the older one must not be
// copied and released once more.
func TestCrashWhileReclaiming(t *testing.T) {
	for last := 60; last < 240; last += 4 {
		synctest.Test(t, func(t *testing.T) {
			n, rng := newNode(t), rand.New(rand.NewPCG(uint64(last), 1))
			n.fs.SetFault(func(call int, _, _ string) error {
				if call >= last {
					return persistence.ErrPowerCut
				}
				return nil
			})
			n.keepSome(rng, func() bool { return n.log.Err() == nil })
			if err := n.stop(); !errors.Is(err, persistence.ErrPowerCut) {
				t.Fatal(err)
			}
			n.fs, n.meta = n.fs.Crash(rng), n.meta.Clone()
			n.start()
			n.audit(fmt.Sprintf("the start after call %d", last))
			n.keepSome(rng, func() bool { return n.log.Stats().Relocated < 40 })
			if err := n.stop(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// keepSome publishes to a queue and settles seven messages of ten, as
// long as more says so.
func (n *node) keepSome(rng *rand.Rand, more func() bool) {
	n.t.Helper()
	s := n.session()
	s.DeclareQueue(&wire.QueueDeclare{Queue: "q", Durable: true}, func(broker.QueueInfo, error) {})
	p, b := s.NewPublisher(1, returned{}), queue.NewBatch()
	k := &taker{t: n.t, room: 1 << 40}
	var err error
	if k.c, err = s.Consume("q", queue.ConsumerOptions{Sink: k}); err != nil {
		n.t.Fatal(err)
	}
	k.c.Start()
	for more() {
		for range 10 {
			n.publish(p, message{key: "q", persistent: true, size: 6000 + rng.IntN(6000)})
		}
		p.Flush()
		last, _, _ := k.state()
		b.Settle(k.c, last-9, last-3)
		b.Commit(s.Log())
		n.audit("a turn")
	}
	s.Release(k.c)
	s.Close()
}
