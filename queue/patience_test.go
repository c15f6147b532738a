package queue

import (
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// patient makes a queue whose deliveries may be held for three seconds.
func patient(t *testing.T) *fixture {
	return newFixture(t, true, table("x-consumer-timeout", int32(3000)))
}

// watch counts how often c is called overdue.
func watch(c *Consumer) *int {
	n := new(int)
	c.Watch(func(time.Duration) { *n++ })
	return n
}

// passing lets d pass in steps.
func (f *fixture) passing(d, step time.Duration) {
	for ; d > 0; d -= step {
		f.host.pass(step)
	}
}

func TestOverdue(t *testing.T) {
	f := patient(t)
	c, _ := f.consume(ConsumerOptions{})
	n := watch(c)
	f.publish("1")
	f.passing(2999*time.Millisecond, time.Millisecond)
	equal(t, *n, 0)
	f.passing(200*time.Millisecond, time.Millisecond)
	equal(t, *n, 1)
	f.publish("2")
	f.passing(10*time.Second, 10*time.Millisecond)
	equal(t, *n, 1) // once
}

// TestOverdueIsTheOldest: what is acknowledged in time does not count for what
// is not.
func TestOverdueIsTheOldest(t *testing.T) {
	f := patient(t)
	c, _ := f.consume(ConsumerOptions{})
	n := watch(c)
	id := uint64(0)
	for range 200 { // acks stay a second behind
		f.publish("m")
		f.passing(50*time.Millisecond, 10*time.Millisecond)
		if id++; id > 20 {
			f.settle(func(b *Batch) { b.Settle(c, id-20, id-20) })
		}
	}
	equal(t, *n, 0)
	f.settle(func(b *Batch) { b.Settle(c, id-18, id-1) }) // one is left behind
	for range 60 {
		f.passing(40*time.Millisecond, 10*time.Millisecond)
		f.publish("m")
		id++
		f.settle(func(b *Batch) { b.Settle(c, id-1, id) })
	}
	equal(t, *n, 1)
}

// TestIdleIsNotLookedAt: when nothing is held any more, there is one last look.
func TestIdleIsNotLookedAt(t *testing.T) {
	f := patient(t)
	c, _ := f.consume(ConsumerOptions{})
	equal(t, len(f.host.armed), 0)
	f.publish("1")
	equal(t, len(f.host.armed), 1)
	f.settle(func(b *Batch) { b.Settle(c, 1, 1) })
	f.passing(time.Second, 10*time.Millisecond)
	equal(t, len(f.host.armed), 0)
}

func TestOverdueHolders(t *testing.T) {
	off, short := table("x-consumer-timeout", int32(0)), table("x-consumer-timeout", int32(500))
	for _, c := range []struct {
		name  string
		o     ConsumerOptions
		get   bool // basic.get
		after func(f *fixture, c *Consumer)
		pass  time.Duration
		want  int
	}{
		{name: "get", get: true, pass: 4 * time.Second, want: 1},
		{name: "cancelled", after: func(_ *fixture, c *Consumer) { c.Cancel() }, pass: 4 * time.Second, want: 1},
		{name: "released", after: func(_ *fixture, c *Consumer) { c.Release() }, pass: 4 * time.Second},
		{name: "no-ack", o: ConsumerOptions{NoAck: true}, pass: 4 * time.Second},
		{name: "off for the consumer", o: ConsumerOptions{Arguments: off}, pass: time.Hour},
		{name: "shorter for the consumer", o: ConsumerOptions{Arguments: short}, pass: 600 * time.Millisecond, want: 1},
		{name: "a value without sense", o: ConsumerOptions{Arguments: table("x-consumer-timeout", "soon")}, pass: 4 * time.Second, want: 1},
		{name: "off by policy", pass: time.Hour, after: func(f *fixture, _ *Consumer) {
			f.q.Configure(Settings{ConsumerTimeout: new(time.Duration)})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := patient(t)
			f.publish("m")
			k := f.q.Getter()
			n := watch(k)
			if c.get {
				f.take(k, 1)
			} else {
				c.o.Sink = newSink()
				k, _ = f.q.Attach(c.o)
				n = watch(k)
				k.Start()
			}
			if c.after != nil {
				c.after(f, k)
			}
			f.passing(c.pass, 20*time.Millisecond)
			equal(t, *n, c.want)
		})
	}
}

// TestOverdueOfTheNode: queues without a timeout of their own take the node's.
func TestOverdueOfTheNode(t *testing.T) {
	f := newFixture(t, true, nil)
	o := f.q.Options()
	o.ConsumerTimeout = 30 * time.Minute
	f.q = New(o)
	c, _ := f.consume(ConsumerOptions{})
	var told time.Duration
	c.Watch(func(d time.Duration) { told = d })
	f.publish("m")
	f.passing(30*time.Minute-time.Second, time.Second)
	equal(t, told, "0s")
	f.passing(time.Minute+2*time.Second, time.Second)
	equal(t, told, "30m0s")
}

// TestOverdueBesideTTL: the timer of a queue serves both.
func TestOverdueBesideTTL(t *testing.T) {
	f := newFixture(t, true, append(table("x-consumer-timeout", int32(3000), "x-message-ttl", int32(1000)),
		wire.Field{Name: "x-expires", Value: int32(600000)}))
	g := f.q.Getter()
	n := watch(g)
	f.publish("1", "2")
	f.take(g, 1)
	f.passing(time.Second, 10*time.Millisecond)
	f.counts(0, 1)
	f.passing(2200*time.Millisecond, 10*time.Millisecond)
	equal(t, *n, 1)
}
