package servertest_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/server/servertest"
)

// send publishes persistent messages and waits for their confirms.
func send(t *testing.T, ch *amqp.Channel, exchange string, messages ...amqp.Publishing) {
	t.Helper()
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	for i, m := range messages {
		m.DeliveryMode = amqp.Persistent
		d, err := ch.PublishWithDeferredConfirm(exchange, "key", false, false, m)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := d.WaitContext(t.Context()); err != nil || !ok {
			t.Fatalf("message %d: confirmed %t, %v", i, ok, err)
		}
	}
}

// topology declares durable exchanges, each with a durable queue of its name.
func topology(t *testing.T, ch *amqp.Channel, kind string, exchanges map[string]amqp.Table) {
	t.Helper()
	for name, args := range exchanges {
		if err := ch.ExchangeDeclare(name, kind, true, false, false, false, args); err != nil {
			t.Fatal(err)
		}
		if _, err := ch.QueueDeclare(name, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		if err := ch.QueueBind(name, "key", name, false, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func count(t *testing.T, ch *amqp.Channel, queue string) int {
	t.Helper()
	q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return q.Messages
}

// stopped gives a directory as the next start finds it: that of a clean stop, or
// a copy made while the broker runs, as kill -9 leaves it.
func stopped(t *testing.T, dir string, clean func() error) map[string]string {
	t.Helper()
	killed := t.TempDir()
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := clean(); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"kill -9": killed, "clean stop": dir}
}

// Keys that are kept on disk are known after a restart, the newest of them and
// not those that had to make room; keys in memory are not.
func TestDeduplicationRestart(t *testing.T) {
	dir := t.TempDir()
	s := servertest.Start(t, servertest.Options{Dir: dir})
	ch := open(t, s)
	topology(t, ch, "x-message-deduplication", map[string]amqp.Table{
		"disk":   {"x-cache-size": int32(50), "x-cache-persistence": "disk"},
		"memory": {"x-cache-size": int32(50)},
		"short":  {"x-cache-size": int32(50), "x-cache-persistence": "disk", "x-cache-ttl": int32(1)},
	})
	keyed := func(from, to int) (ms []amqp.Publishing) {
		for i := from; i < to; i++ {
			ms = append(ms, amqp.Publishing{Headers: amqp.Table{"x-deduplication-header": fmt.Sprint("k", i)}})
		}
		return ms
	}
	for _, exchange := range []string{"disk", "memory", "short"} {
		send(t, ch, exchange, keyed(0, 80)...)
	}
	for how, dir := range stopped(t, dir, func() error { return s.Shutdown(context.Background()) }) {
		t.Run(how, func(t *testing.T) {
			ch := open(t, servertest.Start(t, servertest.Options{Dir: dir}))
			for exchange, want := range map[string]int{"disk": 85, "memory": 130, "short": 130} {
				send(t, ch, exchange, keyed(30, 80)...)
				if exchange == "disk" {
					send(t, ch, exchange, keyed(80, 85)...)
				}
				if got := count(t, ch, exchange); got != want {
					t.Errorf("%s: %d messages, want %d", exchange, got, want)
				}
			}
		})
	}
}

// What an exchange keeps goes with it, and is not found by one of its name.
func TestDeduplicationDeleted(t *testing.T) {
	dir := t.TempDir()
	s := servertest.Start(t, servertest.Options{Dir: dir})
	args := amqp.Table{"x-cache-size": int32(50), "x-cache-persistence": "disk"}
	key := amqp.Publishing{Headers: amqp.Table{"x-deduplication-header": "k"}}
	for round := range 3 {
		ch := open(t, s)
		topology(t, ch, "x-message-deduplication", map[string]amqp.Table{"disk": args})
		send(t, ch, "disk", key, key)
		if got := count(t, ch, "disk"); got != round+1 {
			t.Fatalf("round %d: %d messages, want %d", round, got, round+1)
		}
		if err := ch.ExchangeDelete("disk", false, false); err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			if err := s.Shutdown(context.Background()); err != nil {
				t.Fatal(err)
			}
			s = servertest.Start(t, servertest.Options{Dir: dir})
		}
	}
}

// Delayed messages survive a clean stop and kill -9, those with delivery-mode 1
// too; what was due meanwhile comes at once, in its order.
func TestDelayedRestart(t *testing.T) {
	dir := t.TempDir()
	s := servertest.Start(t, servertest.Options{Dir: dir})
	ch := open(t, s)
	topology(t, ch, "x-delayed-message", map[string]amqp.Table{"later": {"x-delayed-type": "direct"}})
	var messages []amqp.Publishing
	const n = 3000
	for i := range n {
		ms := []int{3_600_000, 1400, 900}[i%3]
		messages = append(messages, amqp.Publishing{Headers: amqp.Table{"x-delay": int64(ms)}, Body: fmt.Append(nil, ms, " ", i)})
	}
	pipelined(t, ch, "later", messages)
	if got := count(t, ch, "later"); got != 0 {
		t.Fatalf("%d messages are there at once", got)
	}
	for how, dir := range stopped(t, dir, func() error { return s.Shutdown(context.Background()) }) {
		t.Run(how, func(t *testing.T) {
			ch := open(t, servertest.Start(t, servertest.Options{Dir: dir}))
			ds, err := ch.Consume("later", "", true, false, false, false, nil)
			if err != nil {
				t.Fatal(err)
			}
			last := [2]int{}
			for range n - n/3 {
				d := receive(t, ds)
				var m [2]int
				if _, err := fmt.Sscan(string(d.Body), &m[0], &m[1]); err != nil {
					t.Fatal(err)
				}
				if m[0] < last[0] || m[0] == last[0] && m[1] < last[1] || d.Redelivered || d.Headers["x-delay"] != int32(-m[0]) {
					t.Fatalf("%v came after %v, redelivered %t, x-delay %v", m, last, d.Redelivered, d.Headers["x-delay"])
				}
				last = m
			}
			if err := ch.ExchangeDelete("later", false, false); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// pipelined publishes transient messages and waits for all confirms.
func pipelined(t *testing.T, ch *amqp.Channel, exchange string, messages []amqp.Publishing) {
	t.Helper()
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	var confirms []*amqp.DeferredConfirmation
	for _, m := range messages {
		d, err := ch.PublishWithDeferredConfirm(exchange, "key", true, false, m)
		if err != nil {
			t.Fatal(err)
		}
		confirms = append(confirms, d)
	}
	for i, d := range confirms {
		if ok, err := d.WaitContext(t.Context()); err != nil || !ok {
			t.Fatalf("message %d: confirmed %t, %v", i, ok, err)
		}
	}
}

// Killed in the midst of releasing, the broker has each message once: on the
// shelf still, or in the queue.
func TestDelayedKilledWhileReleasing(t *testing.T) {
	dir := t.TempDir()
	s := servertest.Start(t, servertest.Options{Dir: dir})
	ch := open(t, s)
	topology(t, ch, "x-delayed-message", map[string]amqp.Table{"later": {"x-delayed-type": "direct"}})
	const n = 3000
	messages := make([]amqp.Publishing, n)
	for i := range messages {
		messages[i] = amqp.Publishing{Headers: amqp.Table{"x-delay": int32(300 + i/10)}, Body: fmt.Append(nil, i), DeliveryMode: amqp.Persistent}
	}
	pipelined(t, ch, "later", messages)
	var killed []string
	for _, part := range []int{1, n / 3, n * 2 / 3} {
		for count(t, ch, "later") < part {
			if t.Context().Err() != nil {
				t.Fatal("nothing is released")
			}
		}
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		killed = append(killed, copied)
	}
	for _, dir := range killed {
		ch := open(t, servertest.Start(t, servertest.Options{Dir: dir}))
		ds, err := ch.Consume("later", "", true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for range n {
			d := receive(t, ds)
			if seen[string(d.Body)] {
				t.Fatalf("message %s came twice", d.Body)
			}
			seen[string(d.Body)] = true
		}
		if got := count(t, ch, "later"); got != 0 {
			t.Fatalf("%d messages too many", got)
		}
	}
}
