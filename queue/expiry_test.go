package queue

import (
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

func TestTTL(t *testing.T) {
	f := newFixture(t, true, table("x-message-ttl", int32(100)))
	f.publish("0", "1", "2")
	f.host.pass(99 * time.Millisecond)
	f.counts(3, 0)
	f.host.pass(time.Millisecond)
	f.counts(0, 0)
	equal(t, f.log.settledFacts(1), "[{1 3}]")
}

func TestTTLOfBothIsTheSmaller(t *testing.T) {
	f := newFixture(t, true, table("x-message-ttl", int32(100)))
	f.publishTTL("short", 50)
	f.publishTTL("long", 500)
	f.host.pass(50 * time.Millisecond)
	f.counts(1, 0)
	f.host.pass(50 * time.Millisecond)
	f.counts(0, 0)
}

// TestTTLAtTheHeadOnly is scenario ttl-head-only.
func TestTTLAtTheHeadOnly(t *testing.T) {
	f := newFixture(t, false, table("x-dead-letter-exchange", ""))
	f.publishTTL("long", 60000)
	f.publishTTL("short", 50)
	f.host.pass(400 * time.Millisecond)
	f.counts(2, 0)
	equal(t, f.get(f.q.Getter(), true), "long")
	f.host.pass(0) // the timer that the new head asked for
	f.counts(0, 0)
	equal(t, string(f.q.TakeOutside(1)[0].Content.Body), "short")
}

func TestTTLZero(t *testing.T) {
	f := newFixture(t, true, table("x-message-ttl", int32(0)))
	f.publish("nobody")
	f.counts(0, 0)
	_, s := f.consume(ConsumerOptions{Prefetch: 1})
	f.publish("first", "second")
	equal(t, s.take(), "[first]")
	f.counts(0, 1)
}

func TestUnackedDoesNotExpire(t *testing.T) {
	f := newFixture(t, true, table("x-message-ttl", int32(100)))
	g := f.q.Getter()
	f.publish("m", "n")
	f.get(g, false)
	f.get(g, false)
	f.host.pass(time.Second)
	f.counts(0, 2)
	f.settle(func(b *Batch) { b.Settle(g, 1, 1); b.Requeue(g, 2, 2) })
	f.host.pass(0)
	f.counts(0, 0)
}

func TestExpiredHeadIsNotHandedOut(t *testing.T) {
	f := newFixture(t, false, nil)
	f.publishTTL("old", 10)
	f.publish("new")
	f.host.now = f.host.now.Add(time.Second) // the timer is late
	_, s := f.consume(ConsumerOptions{})
	equal(t, s.take(), "[new]")
}

func TestManyExpireAtOnce(t *testing.T) {
	f := newFixture(t, false, table("x-message-ttl", int32(10)))
	for range 3*expireStep + 7 {
		f.publish("m")
	}
	f.host.pass(time.Second)
	f.counts(0, 0)
	equal(t, f.q.Stats().Settled, 3*expireStep+7)
}

// TestWallClockStepExpiresNothing: deadlines run on the monotonic clock.
func TestWallClockStepExpiresNothing(t *testing.T) {
	f := newFixture(t, true, table("x-message-ttl", int32(60000)))
	f.publish("m")
	f.host.now = f.host.now.Add(time.Second)
	if at := f.host.armed[f.q]; at.Sub(f.host.now) != 59*time.Second {
		t.Fatalf("armed %v ahead", at.Sub(f.host.now))
	}
}

func TestQueueExpires(t *testing.T) {
	f := newFixture(t, false, table("x-expires", int32(400)))
	expired := func() bool {
		for _, o := range f.q.TakeOutside(9) {
			if o.Kind == Expired {
				return true
			}
		}
		return false
	}
	f.host.pass(399 * time.Millisecond)
	f.q.Touch()
	f.host.pass(399 * time.Millisecond)
	f.get(f.q.Getter(), true)
	f.host.pass(399 * time.Millisecond)
	c, _ := f.consume(ConsumerOptions{})
	f.host.pass(time.Hour)
	c.Cancel()
	f.host.pass(399 * time.Millisecond)
	if expired() {
		t.Fatal("expired while in use")
	}
	f.host.pass(time.Millisecond)
	if !expired() {
		t.Fatal("did not expire")
	}
}

func TestDeadLetters(t *testing.T) {
	f := newFixture(t, true, table("x-dead-letter-exchange", ""))
	c, _ := f.consume(ConsumerOptions{Prefetch: 2})
	f.publish("0", "1")
	f.publishTTL("2", 10)
	f.settle(func(b *Batch) { b.Discard(c, 1, 2) })
	f.counts(0, 1) // 2 took the place
	c.Release()
	f.host.pass(time.Second)
	f.counts(0, 0)
	equal(t, f.q.Stats().Leaving, 3)
	appends := f.log.appends
	var got []string
	b := NewBatch()
	for _, o := range f.q.TakeOutside(9) {
		got = append(got, string(o.Content.Body)+" "+o.Reason)
		equal(t, o.Content.Route, testRoute)
		b.Dead(f.q, o.Seq)
	}
	equal(t, got, "[0 rejected 1 rejected 2 expired]")
	b.Commit(f.log)
	b.Dead(f.q, 1) // twice is once
	b.Commit(f.log)
	equal(t, f.log.appends, appends+1)
	equal(t, f.log.settledFacts(1), "[{1 3}]")
	equal(t, f.q.Stats().Leaving, 0)
}

func TestDeadLetterBodies(t *testing.T) {
	large := string(make([]byte, 2*adoptMin))
	for _, c := range []struct {
		name    string
		durable bool
		body    string
		own     bool
		evicted bool
	}{
		{"arena", false, "m", false, false},
		{"adopted", false, large, true, false},
		{"cached", true, "m", false, false},
		{"on disk", true, "m", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, c.durable, table("x-dead-letter-exchange", ""))
			b := NewBatch()
			m := message(c.body, true)
			m.TTL = 0
			if c.own {
				m.Shared = wire.NewBody(m.Body)
			}
			b.Publish(m, []*Queue{f.q})
			b.Commit(f.log)
			if c.evicted {
				f.log.cached = f.log.end
			}
			work := f.q.TakeOutside(9)
			if len(work) != 1 || string(work[0].Content.Body) != c.body || string(work[0].Content.Props) != string(m.Props) {
				t.Fatalf("%d pieces of work", len(work))
			}
		})
	}
}
