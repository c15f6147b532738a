package queue

import (
	"fmt"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// retrying makes a queue with delayed retry; its first delay is a second.
func retrying(t *testing.T, more ...wire.Field) *fixture {
	return newFixture(t, true, append(table("x-delayed-retry-min", int32(1000), "x-dead-letter-exchange", ""), more...))
}

func retryField(what string, v any) wire.Field {
	return wire.Field{Name: "x-delayed-retry-" + what, Value: v}
}

// TestRetryWaits: the n-th return waits n times as long; meanwhile others
// overtake, and the message is neither ready nor unacked.
func TestRetryWaits(t *testing.T) {
	for name, queueType := range map[string]string{"classic": "classic", "quorum": "quorum"} {
		t.Run(name, func(t *testing.T) {
			f := retrying(t, wire.Field{Name: "x-queue-type", Value: queueType})
			c, s := f.consume(ConsumerOptions{Prefetch: 1})
			f.publish("a", "b")
			f.settle(func(b *Batch) { b.Nack(c, 1, 1) })
			equal(t, s.take(), "[a b]")
			f.counts(0, 1)
			equal(t, f.q.Stats().Delayed, 1)
			f.host.pass(time.Second)
			f.counts(1, 1)
			f.settle(func(b *Batch) { b.Settle(c, 2, 2) })
			equal(t, s.take(), "[a*#1]")
			f.settle(func(b *Batch) { b.Reject(c, 3, 3) })
			f.host.pass(1999 * time.Millisecond)
			f.counts(0, 0)
			f.host.pass(time.Millisecond)
			equal(t, s.take(), "[a*#2]")
			f.settle(func(b *Batch) { b.Settle(c, 4, 4) })
			equal(t, f.log.liveRefs(), 0)
			equal(t, len(f.host.armed), 0)
		})
	}
}

// TestRetryByKind: only what a client requeued waits, by the type's method.
func TestRetryByKind(t *testing.T) {
	ways := []struct {
		name string
		back func(f *fixture, c *Consumer)
	}{
		{"nack", func(f *fixture, c *Consumer) { f.settle(func(b *Batch) { b.Nack(c, 1, 1) }) }},
		{"reject", func(f *fixture, c *Consumer) { f.settle(func(b *Batch) { b.Reject(c, 1, 1) }) }},
		{"recover", func(f *fixture, c *Consumer) { f.settle(func(b *Batch) { b.Recover(c) }) }},
		{"release", func(f *fixture, c *Consumer) { c.Release() }},
	}
	for kind, waits := range map[string]string{"all": "nack reject", "failed": "reject", "returned": "nack", "disabled": ""} {
		var got string
		for _, w := range ways {
			f := retrying(t, retryField("type", kind))
			g := f.q.Getter()
			f.publish("m")
			f.take(g, 1)
			if w.back(f, g); f.q.Stats().Delayed == 1 {
				got += " " + w.name
			}
		}
		if got != "" {
			got = got[1:]
		}
		equal(t, got, waits)
	}
}

func TestRetryDelay(t *testing.T) {
	sec := int64(time.Second)
	for _, c := range []struct {
		r    DelayedRetry
		n    uint32
		want int64
	}{
		{DelayedRetry{Min: time.Second}, 1, sec},
		{DelayedRetry{Min: time.Second}, 7, 7 * sec},
		{DelayedRetry{Min: time.Second, Max: 5 * time.Second}, 7, 5 * sec},
		{DelayedRetry{Min: 10 * time.Second, Max: 5 * time.Second}, 1, 5 * sec},
		{DelayedRetry{Min: time.Second, Multiplier: 1}, 9, sec},
		{DelayedRetry{Min: time.Second, Multiplier: 2}, 1, sec},
		{DelayedRetry{Min: time.Second, Multiplier: 2}, 5, 16 * sec},
		{DelayedRetry{Min: time.Second, Multiplier: 3, Max: 20 * time.Second}, 4, 20 * sec},
		{DelayedRetry{Min: maxTTL * time.Millisecond}, 1 << 31, maxTTL * int64(time.Millisecond)},
		{DelayedRetry{Min: time.Second, Multiplier: 1 << 40}, 1 << 31, maxTTL * int64(time.Millisecond)},
	} {
		if got := c.r.delay(3, c.n); got != c.want {
			t.Errorf("%+v, return %d: %v, want %v", c.r, c.n, time.Duration(got), time.Duration(c.want))
		}
	}
}

// TestRetryJitter only shortens, differs from message to message, and is the
// same whenever it is asked for.
func TestRetryJitter(t *testing.T) {
	r := DelayedRetry{Min: time.Second, Multiplier: 1, Jitter: 40}
	seen := map[int64]bool{}
	for seq := range uint64(1000) {
		d := r.delay(seq, 2)
		if d > int64(time.Second) || d < int64(600*time.Millisecond) || d != r.delay(seq, 2) {
			t.Fatalf("message %d waits %v", seq, time.Duration(d))
		}
		seen[d] = true
	}
	if len(seen) < 900 {
		t.Errorf("%d different delays of 1000", len(seen))
	}
}

// TestRetryLimit is 20 unless the queue says otherwise.
func TestRetryLimit(t *testing.T) {
	for _, c := range []struct {
		more []wire.Field
		want int
	}{
		{nil, 20},
		{[]wire.Field{{Name: "x-delivery-limit", Value: int32(3)}}, 3},
		{[]wire.Field{isQuorum}, 20},
	} {
		f := retrying(t, append(c.more, retryField("multiplier", int32(1)))...)
		k, s := f.consume(ConsumerOptions{})
		f.publish("m")
		for id := range uint64(c.want) + 1 {
			f.settle(func(b *Batch) { b.Nack(k, id+1, id+1) })
			f.host.pass(time.Second)
		}
		equal(t, len(s.got), c.want+1)
		equal(t, f.dead(), "[m delivery_limit]")
		equal(t, f.log.liveRefs(), 0)
	}
}

// TestRetryBeside: what waits is free of max-length and purge, but not of its
// deadline, and keeps an if-empty delete from happening.
func TestRetryBeside(t *testing.T) {
	f := retrying(t, wire.Field{Name: "x-max-length", Value: int32(1)})
	g := f.q.Getter()
	f.publishTTL("short", 500)
	f.take(g, 1)
	f.publish("a")
	f.take(g, 1)
	f.settle(func(b *Batch) { b.Nack(g, 1, 2) })
	f.publish("b")
	f.counts(1, 0)
	equal(t, f.q.Stats().Delayed, 2)
	n, _ := f.q.Purge()
	equal(t, n, 1)
	_, _, err := f.q.Delete(false, true)
	equal(t, err, "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty")
	f.host.pass(500 * time.Millisecond)
	equal(t, f.dead(), "[short expired]")
	f.publish("c")
	f.host.pass(500 * time.Millisecond)
	equal(t, f.dead(), "[a maxlen]") // it comes back to its old place, the head
	equal(t, f.drain(), "[c]")
}

// TestRetryOldPlace: a message comes back before those that were behind it.
func TestRetryOldPlace(t *testing.T) {
	f := retrying(t, wire.Field{Name: "x-max-priority", Value: int32(3)})
	g := f.q.Getter()
	f.publishAt("a", 1, -1)
	f.publishAt("b", 1, -1)
	f.publishAt("c", 3, -1)
	f.take(g, 2) // c and a
	f.settle(func(b *Batch) { b.Nack(g, 1, 2) })
	f.host.pass(time.Second)
	equal(t, f.drain(), "[c/3*#1 a/1*#1 b/1]")
}

// TestRetryOverRestart: a restart ends the waiting and keeps the count.
func TestRetryOverRestart(t *testing.T) {
	for _, clean := range []bool{true, false} {
		f := retrying(t)
		g := f.q.Getter()
		f.publish("m")
		f.take(g, 1)
		f.settle(func(b *Batch) { b.Nack(g, 1, 1) })
		g.Release()
		f.restart(clean)
		equal(t, f.drain(), "[m*#1]")
	}
}

// TestFreeNacks: at RabbitMQ 4.3 only failures count.
func TestFreeNacks(t *testing.T) {
	f := newQuorum(t, 1)
	o := f.q.Options()
	o.FreeNacks = true
	f.q = New(o)
	f.publish("m")
	c, s := f.consume(ConsumerOptions{})
	f.settle(func(b *Batch) { b.Nack(c, 1, 1) })
	f.settle(func(b *Batch) { b.Nack(c, 2, 2) })
	f.settle(func(b *Batch) { b.Reject(c, 3, 3) })
	f.settle(func(b *Batch) { b.Reject(c, 4, 4) })
	equal(t, s.take(), "[m m* m* m*#1]")
	f.counts(0, 0)
}

func TestRetryArguments(t *testing.T) {
	for _, c := range []struct {
		args wire.Table
		want string
	}{
		{table("x-delayed-retry-type", "some"), "invalid arg 'x-delayed-retry-type' for queue 'n' in vhost 'v': invalid_delayed_retry_type"},
		{table("x-delayed-retry-min", int32(0)), "invalid arg 'x-delayed-retry-min' for queue 'n' in vhost 'v': {value_zero,0}"},
		{table("x-delayed-retry-max", "1"), `invalid arg 'x-delayed-retry-max' for queue 'n' in vhost 'v': "expected integer, got longstr"`},
		{table("x-delayed-retry-multiplier", int32(0)), "invalid arg 'x-delayed-retry-multiplier' for queue 'n' in vhost 'v': {value_zero,0}"},
		{table("x-delayed-retry-jitter", int32(101)), "invalid arg 'x-delayed-retry-jitter' for queue 'n' in vhost 'v': {max_value_exceeded,101}"},
		{table("x-delayed-retry-min", int32(1), "x-delayed-retry-type", "disabled", "x-delivery-limit", int32(1)),
			"invalid arg 'x-delivery-limit' for queue 'n' in vhost 'v' of queue type rabbit_classic_queue"},
		{table("x-queue-type", "stream", "x-delayed-retry-min", int32(1)), "invalid arg 'x-delayed-retry-min' for queue 'n' in vhost 'v' of queue type rabbit_stream_queue"},
	} {
		_, err := ParseArguments("v", "n", c.args)
		equal(t, fmt.Sprint(err), "PRECONDITION_FAILED - "+c.want)
	}
	args := table("x-delayed-retry-min", int32(5), "x-delivery-limit", int32(7))
	a, err := ParseArguments("v", "n", args)
	equal(t, err, "<nil>")
	equal(t, a.Inequivalent("v", "n", args), "<nil>")
	equal(t, a.Inequivalent("v", "n", args[:1]),
		"PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'n' in vhost 'v': received none but current is the value '7' of type 'signedint'")
}
