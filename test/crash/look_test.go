package crash

import (
	"math/rand/v2"
	"testing"

	"github.com/leveretmq/leveret/test/harness/client"
)

// look reads a whole queue after a restart, checks each message against the
// ledger and the order of each publisher's messages, and acks about two thirds;
// the rest is left for the rounds to come. It returns how many it saw.
func look(t *testing.T, url, queue string, l *ledger, generation int, random *rand.Rand) int {
	t.Helper()
	channel := client.Open(t, url)
	count, exists := channel.Ready(queue)
	if !exists {
		t.Fatalf("the durable queue %s is gone", queue)
	}
	if err := channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	deliveries := channel.Deliveries(queue, false)
	c := consumer{channel: channel.Channel, queue: queue, ledger: l, random: random}
	last := map[string]int{}
	for range count {
		d := client.Take(t, deliveries, 1)[0]
		id, err := identify(d.Body)
		if err != nil {
			l.fault("from %s: %v", queue, err)
			continue
		}
		publisher := l.show(id, queue, d.Redelivered, generation)
		if id < last[publisher] {
			l.fault("message %d of %s came to %s after %d", id, publisher, queue, last[publisher])
		}
		last[publisher] = id
		c.held = append(c.held, d)
	}
	if _, err := channel.Channel.QueuePurge(marks, false); err != nil {
		t.Fatal(err)
	}
	if left, _ := channel.Ready(queue); left != 0 {
		l.fault("%s has %d messages more than it said", queue, left)
	}
	for n := len(c.held) - 1; n >= 0; n-- {
		if random.IntN(3) == 0 {
			continue
		}
		if err := c.ack(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.makeSure(); err != nil {
		t.Fatalf("acks after the restart: %v", err)
	}
	channel.Close()
	return count
}
