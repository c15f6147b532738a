package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

var anywhere = wire.Field{Name: "x-expire-anywhere", Value: true}

// TestExpireAnywhere: a message goes at its own deadline, in the order of the
// deadlines, whatever stands before it.
func TestExpireAnywhere(t *testing.T) {
	for name, more := range map[string]wire.Table{
		"plain":      {},
		"priorities": table("x-max-priority", int32(5)),
		"quorum":     {isQuorum},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, true, append(more, anywhere, toDead))
			f.publish("stays")
			f.publishTTL("hour", 3600000)
			f.publishTTL("second", 1000)
			f.publishTTL("short", 500)
			f.host.pass(499 * time.Millisecond)
			equal(t, f.dead(), "[]")
			f.host.pass(time.Millisecond)
			equal(t, f.dead(), "[short expired]")
			f.host.pass(time.Hour)
			equal(t, f.dead(), "[second expired hour expired]")
			f.counts(1, 0)
			f.publish("last")
			equal(t, len(f.drain()), 2)
			equal(t, f.log.liveRefs(), 0)
		})
	}
}

// TestExpireAnywhereUnacked: what is held does not expire, but it does instead
// of being delivered again.
func TestExpireAnywhereUnacked(t *testing.T) {
	f := newFixture(t, true, table("x-expire-anywhere", true, "x-dead-letter-exchange", ""))
	f.publishTTL("a", 100)
	f.publishTTL("b", 200)
	f.publish("c")
	c, s := f.consume(ConsumerOptions{Prefetch: 2})
	f.host.pass(150 * time.Millisecond)
	f.counts(1, 2)
	f.settle(func(b *Batch) { b.Requeue(c, 1, 2) })
	equal(t, f.dead(), "[a expired]")
	equal(t, s.take(), "[a b b* c]")
	f.host.pass(time.Second)
	c.Release()
	equal(t, f.dead(), "[b expired]")
	equal(t, f.drain(), "[c*]")
}

func TestExpireAnywhereOverRestart(t *testing.T) {
	f := newFixture(t, true, wire.Table{anywhere, toDead})
	f.publish("a")
	f.publishTTL("b", 1000)
	f.publishTTL("c", 3000)
	f.host.now = f.host.now.Add(2 * time.Second) // the node is down
	f.restart(true)
	equal(t, f.dead(), "[b expired]")
	f.host.pass(time.Second)
	equal(t, f.dead(), "[c expired]")
}

// TestExpireAnywhereByPolicy begins and ends with the setting.
func TestExpireAnywhereByPolicy(t *testing.T) {
	f := newFixture(t, true, nil)
	f.publish("a")
	f.publishTTL("b", 1000)
	f.publishTTL("c", 3000)
	f.q.Configure(Settings{ExpireAnywhere: true})
	f.host.pass(time.Second)
	f.counts(2, 0)
	f.q.Configure(Settings{})
	f.host.pass(time.Hour)
	f.counts(2, 0)
	equal(t, f.drain(), "[a]") // at the head it is noticed
}

// TestExpireAnywhereIsBounded: deadlines and places of messages that are gone
// do not pile up.
func TestExpireAnywhereIsBounded(t *testing.T) {
	f := newFixture(t, false, table("x-expire-anywhere", true, "x-max-priority", int32(1)))
	f.publishAt("stays", 1, -1)
	for range 10 * windowKeep {
		f.publishAt("goes", 0, 3600000)
		if f.q.Counts(); f.q.state.ready > 100 {
			f.host.pass(2 * time.Hour)
		}
	}
	if n := f.q.state.lanes.priorities[0].fresh.n; n > 2*windowKeep {
		t.Errorf("%d places for %d messages", n, f.q.state.ready)
	}
	c, _ := f.consume(ConsumerOptions{NoAck: true})
	for range 10 * windowKeep {
		f.publishAt("taken", 0, 36000000)
	}
	c.Release()
	if n := len(f.q.state.expiries); n > 2*windowKeep {
		t.Errorf("%d deadlines for %d messages", n, f.q.state.ready)
	}
}

func TestAppointments(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var p appointments
	var want []appointment
	for i := range uint64(3 * windowKeep) {
		a := appointment{r.Int64N(1000), i}
		p.push(a)
		want = append(want, a)
	}
	keep := func(seq uint64) bool { return seq%5 == 0 }
	p.tidy(len(want), keep)
	equal(t, len(p), len(want))
	p.tidy(10, keep)
	want = slices.DeleteFunc(want, func(a appointment) bool { return !keep(a.seq) })
	slices.SortFunc(want, func(a, b appointment) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	for _, a := range want {
		equal(t, fmt.Sprint(p[0]), fmt.Sprint(a))
		p.pop()
	}
	equal(t, len(p), 0)
}
