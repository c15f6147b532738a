package clients

import (
	"fmt"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/test/harness"
	"github.com/leveretmq/leveret/test/harness/client"
)

// TestGo runs the steps of the other clients with amqp091-go.
func TestGo(t *testing.T) {
	t.Parallel()
	broker := harness.Start(t)
	channel := client.Open(t, broker.URL())
	const queue = "go.work"
	if n := channel.Declare(queue, true, nil).Messages; n != 0 {
		t.Fatalf("the new queue holds %d messages", n)
	}
	channel.Publish(queue, amqp.Persistent, numbered("m", 20)...)
	consumeWithPrefetch(t, broker.URL(), queue)
	rejectTwice(t, channel, queue)
	returnUnroutable(t, channel)

	channel.Publish(queue, amqp.Persistent, numbered("kept", 10)...)
	closed := channel.NotifyClose(make(chan *amqp.Error, 1))
	broker.Restart()
	if err := <-closed; err == nil || err.Code != amqp.ConnectionForced {
		t.Errorf("the channel closed with %v, want 320", err)
	}
	channel = client.Open(t, broker.URL())
	kept := client.Take(t, channel.Deliveries(queue, true), 10)
	if got, want := client.Bodies(kept), strings.Join(numbered("kept", 10), " "); got != want {
		t.Errorf("after the restart: %q", got)
	}
}

func consumeWithPrefetch(t *testing.T, url, queue string) {
	t.Helper()
	channel := client.Open(t, url)
	channel.Prefetch(5)
	deliveries := channel.Deliveries(queue, false)
	all := client.Take(t, deliveries, 5)
	client.Nothing(t, deliveries)
	for acked := range 20 {
		if acked == len(all) {
			all = append(all, client.Take(t, deliveries, 1)...)
		}
		if err := all[acked].Ack(false); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := client.Bodies(all), strings.Join(numbered("m", 20), " "); got != want {
		t.Errorf("consumed %q", got)
	}
	channel.Close()
}

func rejectTwice(t *testing.T, channel *client.Channel, queue string) {
	t.Helper()
	channel.Publish(queue, amqp.Persistent, "again")
	first := channel.Pull(queue)
	if first.Redelivered {
		t.Error("redelivered at the first delivery")
	}
	if err := first.Reject(true); err != nil {
		t.Fatal(err)
	}
	second := channel.Pull(queue)
	if !second.Redelivered || string(second.Body) != "again" {
		t.Errorf("after a requeue: %q, redelivered %v", second.Body, second.Redelivered)
	}
	if err := second.Nack(false, false); err != nil {
		t.Fatal(err)
	}
	if left := channel.Drain(queue); len(left) != 0 {
		t.Errorf("a rejected message came back: %q", client.Bodies(left))
	}
}

func returnUnroutable(t *testing.T, channel *client.Channel) {
	t.Helper()
	returns := channel.NotifyReturn(make(chan amqp.Return, 1))
	channel.Publish("go.no-such-queue", amqp.Persistent, "nowhere")
	select {
	case r := <-returns: // RabbitMQ: the return precedes the confirm
		if r.ReplyCode != amqp.NoRoute || string(r.Body) != "nowhere" {
			t.Errorf("returned %d %q", r.ReplyCode, r.Body)
		}
	default:
		t.Error("confirmed before it was returned")
	}
}

// numbered is name0 to name(count-1).
func numbered(name string, count int) []string {
	var all []string
	for n := range count {
		all = append(all, fmt.Sprintf("%s%d", name, n))
	}
	return all
}
