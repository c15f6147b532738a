package broker

import (
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// TestPolicyOfOurOwn: keys that are not RabbitMQ's reach living queues; what an
// argument says counts before them.
func TestPolicyOfOurOwn(t *testing.T) {
	n := newNode(t)
	c := n.client("guest", "/")
	n.must(c.declare(wire.QueueDeclare{Queue: "q", Durable: true}))
	n.must(c.declare(wire.QueueDeclare{Queue: "qa", Durable: true, Arguments: wire.Table{
		{Name: "x-delayed-retry-min", Value: int32(7)}, {Name: "x-delayed-retry-type", Value: "failed"}, {Name: "x-expire-anywhere", Value: true}}}))
	n.policy("p", "^q", "queues", 0, `{"delayed-retry-type":"returned","delayed-retry-min":5,"delayed-retry-max":50,"delayed-retry-multiplier":2,
		"delayed-retry-jitter":10,"expire-anywhere":true,"message-deduplication":true,"consumer-timeout":9}`)
	want := queue.DelayedRetry{Type: "returned", Min: 5 * time.Millisecond, Max: 50 * time.Millisecond, Multiplier: 2, Jitter: 10}
	for name, min := range map[string]time.Duration{"q": 5, "qa": 7} {
		q, err := c.Queue(name, Read)
		n.must(err)
		s := q.Settings()
		if want.Min = min * time.Millisecond; name == "qa" {
			want.Type = "failed"
		} else {
			want.Type = "returned"
		}
		if s.Retry != want || !s.ExpireAnywhere || !s.Dedup.On || s.ConsumerTimeout == nil || *s.ConsumerTimeout != 9*time.Millisecond {
			t.Errorf("%s has %+v", name, s)
		}
	}
}

func TestPolicyOfOurOwnChecks(t *testing.T) {
	for key, values := range map[string][]any{
		"delayed-retry-jitter":  {int64(101), int64(-1), "1", true},
		"delayed-retry-min":     {int64(0)},
		"delayed-retry-type":    {"some", int64(1)},
		"expire-anywhere":       {int64(1), "true", nil},
		"message-deduplication": {int64(0)},
	} {
		for _, v := range values {
			if k := knownPolicyKey(key); k.valid(v) {
				t.Errorf("%s takes %v", key, v)
			}
		}
	}
}
