package clients

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/test/harness"
)

// TestGo runs the steps of the other clients with amqp091-go.
func TestGo(t *testing.T) {
	broker := harness.Start(t)
	channel := openChannel(t, broker.URL())
	confirmMode(t, channel)
	const queue = "go.work"
	if n := declare(t, channel, queue, true).Messages; n != 0 {
		t.Fatalf("the new queue holds %d messages", n)
	}
	publishConfirmed(t, channel, queue, "m", 20)
	consumeWithPrefetch(t, broker.URL(), queue)
	rejectTwice(t, channel, queue)
	returnUnroutable(t, channel)

	publishConfirmed(t, channel, queue, "kept", 10)
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	broker.Restart()
	if err := <-closed; err == nil || err.Code != amqp.ConnectionForced {
		t.Errorf("the channel closed with %v, want 320", err)
	}
	channel = openChannel(t, broker.URL())
	kept := take(t, consume(t, channel, queue, true), 10)
	if got := bodies(kept); got != numbered("kept", 10) {
		t.Errorf("after the restart: %q", got)
	}
}

func publishConfirmed(t *testing.T, channel *amqp.Channel, queue, name string, count int) {
	t.Helper()
	var confirms []*amqp.DeferredConfirmation
	for n := range count {
		body := fmt.Appendf(nil, "%s%d", name, n)
		c, err := channel.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
		if err != nil {
			t.Fatal(err)
		}
		confirms = append(confirms, c)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for n, c := range confirms {
		if ok, err := c.WaitContext(ctx); !ok || err != nil {
			t.Fatalf("publish %d: confirmed %v, %v", n, ok, err)
		}
	}
}

func consumeWithPrefetch(t *testing.T, url, queue string) {
	t.Helper()
	channel := openChannel(t, url)
	if err := channel.Qos(5, 0, false); err != nil {
		t.Fatal(err)
	}
	deliveries := consume(t, channel, queue, false)
	all := take(t, deliveries, 5)
	nothing(t, deliveries)
	for acked := range 20 {
		if acked == len(all) {
			all = append(all, take(t, deliveries, 1)...)
		}
		if err := all[acked].Ack(false); err != nil {
			t.Fatal(err)
		}
	}
	if got := bodies(all); got != numbered("m", 20) {
		t.Errorf("consumed %q", got)
	}
	if err := channel.Close(); err != nil {
		t.Fatal(err)
	}
}

func rejectTwice(t *testing.T, channel *amqp.Channel, queue string) {
	t.Helper()
	publishConfirmed(t, channel, queue, "again", 1)
	first := pull(t, channel, queue)
	if first.Redelivered {
		t.Error("redelivered at the first delivery")
	}
	if err := first.Reject(true); err != nil {
		t.Fatal(err)
	}
	second := pull(t, channel, queue)
	if !second.Redelivered || string(second.Body) != "again0" {
		t.Errorf("after a requeue: %q, redelivered %v", second.Body, second.Redelivered)
	}
	if err := second.Nack(false, false); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := channel.Get(queue, true); ok || err != nil {
		t.Errorf("a rejected message came back: %v, %v", ok, err)
	}
}

func returnUnroutable(t *testing.T, channel *amqp.Channel) {
	t.Helper()
	returns := channel.NotifyReturn(make(chan amqp.Return, 1))
	publishConfirmed(t, channel, "go.no-such-queue", "nowhere", 1)
	select {
	case r := <-returns: // RabbitMQ: the return precedes the confirm
		if r.ReplyCode != amqp.NoRoute || string(r.Body) != "nowhere0" {
			t.Errorf("returned %d %q", r.ReplyCode, r.Body)
		}
	default:
		t.Error("confirmed before it was returned")
	}
}

// openChannel opens a connection and a channel that end with the test.
func openChannel(t *testing.T, url string) *amqp.Channel {
	t.Helper()
	connection, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := connection.Close(); err != nil && !errors.Is(err, amqp.ErrClosed) {
			t.Errorf("close: %v", err)
		}
	})
	channel, err := connection.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return channel
}

func confirmMode(t *testing.T, channel *amqp.Channel) {
	t.Helper()
	if err := channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
}

func declare(t *testing.T, channel *amqp.Channel, queue string, durable bool) amqp.Queue {
	t.Helper()
	q, err := channel.QueueDeclare(queue, durable, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func exchange(t *testing.T, channel *amqp.Channel, name, kind string) {
	t.Helper()
	if err := channel.ExchangeDeclare(name, kind, false, true, false, false, nil); err != nil {
		t.Fatal(err)
	}
}

// temporaryQueue declares an exclusive queue named by the broker and binds it
// with each key; without keys it is not bound.
func temporaryQueue(t *testing.T, channel *amqp.Channel, exchange string, keys ...string) string {
	t.Helper()
	q, err := channel.QueueDeclare("", false, false, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if err := channel.QueueBind(q.Name, key, exchange, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	return q.Name
}

func send(t *testing.T, channel *amqp.Channel, exchange, key string, m amqp.Publishing) {
	t.Helper()
	if err := channel.PublishWithContext(context.Background(), exchange, key, false, false, m); err != nil {
		t.Fatal(err)
	}
}

func consume(t *testing.T, channel *amqp.Channel, queue string, autoAck bool) <-chan amqp.Delivery {
	t.Helper()
	deliveries, err := channel.Consume(queue, "", autoAck, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return deliveries
}

// take returns the next deliveries.
func take(t *testing.T, deliveries <-chan amqp.Delivery, count int) []amqp.Delivery {
	t.Helper()
	var got []amqp.Delivery
	for late := time.After(patience); len(got) < count; {
		select {
		case d, ok := <-deliveries:
			if !ok {
				t.Fatalf("the channel closed after %d of %d deliveries", len(got), count)
			}
			got = append(got, d)
		case <-late:
			t.Fatalf("%d of %d deliveries came", len(got), count)
		}
	}
	return got
}

// nothing fails the test when a delivery comes.
func nothing(t *testing.T, deliveries <-chan amqp.Delivery) {
	t.Helper()
	select {
	case d := <-deliveries:
		t.Errorf("unexpected delivery %q", d.Body)
	case <-time.After(200 * time.Millisecond):
	}
}

func pull(t *testing.T, channel *amqp.Channel, queue string) amqp.Delivery {
	t.Helper()
	d, ok, err := channel.Get(queue, false)
	if err != nil || !ok {
		t.Fatalf("get from %s: %v, %v", queue, ok, err)
	}
	return d
}

func bodies(deliveries []amqp.Delivery) string {
	var all []string
	for _, d := range deliveries {
		all = append(all, string(d.Body))
	}
	return strings.Join(all, " ")
}

// numbered is what bodies returns for name0 to name(count-1).
func numbered(name string, count int) string {
	var all []string
	for n := range count {
		all = append(all, fmt.Sprintf("%s%d", name, n))
	}
	return strings.Join(all, " ")
}
