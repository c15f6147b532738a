// Package client wraps amqp091-go for tests of a real broker: what must work
// fails the test when it does not, and what must come is waited for.
package client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Patience is how long a test waits for something that must come.
const Patience = 10 * time.Second

// Channel is a channel on a connection of its own. Methods of the embedded
// channel that return errors are for calls that may fail.
type Channel struct {
	*amqp.Channel
	Connection *amqp.Connection
	t          testing.TB
}

// Open opens a connection and a channel, both closed when the test ends.
func Open(t testing.TB, url string) *Channel {
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
	return &Channel{Channel: channel, Connection: connection, t: t}
}

// Close closes channel and connection before the test ends.
func (c *Channel) Close() {
	c.t.Helper()
	c.check(c.Connection.Close())
}

func (c *Channel) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// Declare declares a queue that is neither exclusive nor auto-delete.
func (c *Channel) Declare(queue string, durable bool, arguments amqp.Table) amqp.Queue {
	c.t.Helper()
	q, err := c.QueueDeclare(queue, durable, false, false, false, arguments)
	c.check(err)
	return q
}

// Exchange declares an exchange that is not durable and goes with its last
// binding.
func (c *Channel) Exchange(name, kind string) {
	c.t.Helper()
	c.check(c.ExchangeDeclare(name, kind, false, true, false, false, nil))
}

// Temporary declares an exclusive queue named by the broker and binds it with
// each key; without keys it is not bound.
func (c *Channel) Temporary(exchange string, keys ...string) string {
	c.t.Helper()
	q, err := c.QueueDeclare("", false, false, true, false, nil)
	c.check(err)
	for _, key := range keys {
		c.check(c.QueueBind(q.Name, key, exchange, false, nil))
	}
	return q.Name
}

// Ready is how many messages of a queue are ready, and whether it exists. It
// asks on a channel of its own, which a missing queue closes.
func (c *Channel) Ready(queue string) (messages int, exists bool) {
	c.t.Helper()
	channel, err := c.Connection.Channel()
	c.check(err)
	q, err := channel.QueueDeclarePassive(queue, false, false, false, false, nil)
	if refused := new(amqp.Error); errors.As(err, &refused) && refused.Code == amqp.NotFound {
		return 0, false
	}
	c.check(err)
	c.check(channel.Close())
	return q.Messages, true
}

// Send publishes one message and does not wait.
func (c *Channel) Send(exchange, key string, m amqp.Publishing) {
	c.t.Helper()
	c.check(c.PublishWithContext(context.Background(), exchange, key, false, false, m))
}

// Publish publishes messages to a queue, mandatory, and waits until all are
// confirmed. The channel is put into confirm mode.
func (c *Channel) Publish(queue string, mode uint8, bodies ...string) {
	c.t.Helper()
	c.check(c.Confirm(false))
	var confirms []*amqp.DeferredConfirmation
	for _, body := range bodies {
		confirm, err := c.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{DeliveryMode: mode, Body: []byte(body)})
		c.check(err)
		confirms = append(confirms, confirm)
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	for n, confirm := range confirms {
		if ok, err := confirm.WaitContext(ctx); !ok || err != nil {
			c.t.Fatalf("publish of %q: confirmed %v, %v", bodies[n], ok, err)
		}
	}
}

// Prefetch bounds how many deliveries each later consumer holds unacknowledged.
func (c *Channel) Prefetch(count int) {
	c.t.Helper()
	c.check(c.Qos(count, 0, false))
}

// Deliveries starts a consumer.
func (c *Channel) Deliveries(queue string, autoAck bool) <-chan amqp.Delivery {
	c.t.Helper()
	deliveries, err := c.Consume(queue, "", autoAck, false, false, false, nil)
	c.check(err)
	return deliveries
}

// Pull gets one message that must be there, unacknowledged.
func (c *Channel) Pull(queue string) amqp.Delivery {
	c.t.Helper()
	d, ok, err := c.Get(queue, false)
	c.check(err)
	if !ok {
		c.t.Fatalf("queue %s is empty", queue)
	}
	return d
}

// Drain gets and acknowledges all that is ready in a queue.
func (c *Channel) Drain(queue string) []amqp.Delivery {
	c.t.Helper()
	var all []amqp.Delivery
	for {
		d, ok, err := c.Get(queue, true)
		c.check(err)
		if !ok {
			return all
		}
		all = append(all, d)
	}
}

// Take returns the next deliveries, as many as asked for.
func Take(t testing.TB, deliveries <-chan amqp.Delivery, count int) []amqp.Delivery {
	t.Helper()
	var got []amqp.Delivery
	for late := time.After(Patience); len(got) < count; {
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

// Nothing fails the test when a delivery comes within a fifth of a second.
func Nothing(t testing.TB, deliveries <-chan amqp.Delivery) {
	t.Helper()
	select {
	case d := <-deliveries:
		t.Errorf("unexpected delivery %q", d.Body)
	case <-time.After(200 * time.Millisecond):
	}
}

// Bodies are the bodies of deliveries, with blanks between them; a delivery
// flagged as redelivered has an asterisk.
func Bodies(deliveries []amqp.Delivery) string {
	var all []string
	for _, d := range deliveries {
		body := string(d.Body)
		if d.Redelivered {
			body += "*"
		}
		all = append(all, body)
	}
	return strings.Join(all, " ")
}
