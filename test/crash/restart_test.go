package crash

import (
	"bytes"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/test/harness"
	"github.com/leveretmq/leveret/test/harness/client"
)

// The times of a restart: rows with a time to live set theirs between them.
const (
	before   = 600 * time.Millisecond  // from the last preparation to the end of the process
	downtime = 1600 * time.Millisecond // until the next one starts
)

// row is one line of the table of stops and restarts: what a client does before
// and finds after. Names of queues and exchanges begin with the row's.
type row struct {
	name    string
	prepare func(t *testing.T, c *client.Channel) // its connection stays open until the end
	check   func(t *testing.T, c *client.Channel, killed bool)
}

// TestRestart goes through the table twice: over SIGTERM and over SIGKILL.
func TestRestart(t *testing.T) {
	for _, end := range []struct {
		name   string
		killed bool
	}{{"SIGTERM", false}, {"SIGKILL", true}} {
		t.Run(end.name, func(t *testing.T) {
			t.Parallel()
			broker := harness.Start(t)
			for _, r := range rows() {
				r.prepare(t, client.Open(t, broker.URL()))
			}
			time.Sleep(before)
			if end.killed {
				broker.Kill()
			} else {
				broker.Stop()
			}
			time.Sleep(downtime)
			broker.Start()
			for _, r := range rows() {
				t.Run(r.name, func(t *testing.T) { r.check(t, client.Open(t, broker.URL()), end.killed) })
			}
		})
	}
}

func rows() []row {
	return []row{
		{"persistent and transient", prepareModes, checkModes},
		{"transient queue", prepareTransientQueue, checkTransientQueue},
		{"exchanges and bindings", prepareExchanges, checkExchanges},
		{"redelivered", prepareRedelivered, checkRedelivered},
		{"auto-delete without consumers", prepareUnusedAutoDelete, checkUnusedAutoDelete},
		{"auto-delete with a consumer", prepareUsedAutoDelete, checkUsedAutoDelete},
		{"exclusive", prepareExclusive, checkExclusive},
		{"time to live", prepareTTL, checkTTL},
		{"lease", prepareLease, checkLease},
		{"deleted and purged", prepareDeleted, checkDeleted},
		{"acked", prepareAcked, checkAcked},
		{"fanout", prepareFanout, checkFanout},
		{"content", prepareContent, checkContent},
		{"dead-lettered", prepareDead, checkDead},
	}
}

func prepareModes(_ *testing.T, c *client.Channel) {
	c.Declare("modes.work", true, nil)
	c.Publish("modes.work", amqp.Persistent, "p1")
	c.Publish("modes.work", amqp.Transient, "t1")
	c.Publish("modes.work", amqp.Persistent, "p2")
}

func checkModes(t *testing.T, c *client.Channel, killed bool) {
	want(t, c, "modes.work", killed, "p1 p2")
}

func prepareTransientQueue(_ *testing.T, c *client.Channel) {
	c.Declare("transient.work", false, nil)
	c.Publish("transient.work", amqp.Persistent, "gone")
}

func checkTransientQueue(t *testing.T, c *client.Channel, _ bool) {
	if _, exists := c.Ready("transient.work"); exists {
		t.Error("a transient queue outlived the broker")
	}
}

func prepareExchanges(t *testing.T, c *client.Channel) {
	c.Declare("exchanges.work", true, nil)
	for _, err := range []error{
		c.ExchangeDeclare("exchanges.durable", amqp.ExchangeTopic, true, false, false, false, nil),
		c.ExchangeDeclare("exchanges.source", amqp.ExchangeFanout, true, false, false, false, nil),
		c.ExchangeDeclare("exchanges.transient", amqp.ExchangeFanout, false, false, false, false, nil),
		c.QueueBind("exchanges.work", "a.*", "exchanges.durable", false, nil),
		c.QueueBind("exchanges.work", "gone.*", "exchanges.durable", false, nil),
		c.QueueUnbind("exchanges.work", "gone.*", "exchanges.durable", nil),
		c.ExchangeBind("exchanges.durable", "", "exchanges.source", false, nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func checkExchanges(t *testing.T, c *client.Channel, killed bool) {
	for _, key := range []string{"a.b", "gone.b", "other"} {
		c.Send("exchanges.source", key, amqp.Publishing{Body: []byte(key)})
	}
	want(t, c, "exchanges.work", killed, "a.b")
	if err := c.ExchangeDeclarePassive("exchanges.transient", amqp.ExchangeFanout, false, false, false, false, nil); err == nil {
		t.Error("a transient exchange outlived the broker")
	}
}

func prepareRedelivered(t *testing.T, c *client.Channel) {
	c.Declare("redelivered.work", true, nil)
	c.Publish("redelivered.work", amqp.Persistent, "a", "b", "c", "d", "e", "f")
	c.Prefetch(3)
	client.Take(t, c.Deliveries("redelivered.work", false), 3)
}

// checkRedelivered: exact after a clean stop; after a kill at least what was
// delivered. RabbitMQ promises neither.
func checkRedelivered(t *testing.T, c *client.Channel, killed bool) {
	got := c.Drain("redelivered.work")
	if len(got) != 6 {
		t.Fatalf("got %q", client.Bodies(got))
	}
	if harness.External() {
		return
	}
	if text := client.Bodies(got); !killed && text != "a* b* c* d e f" {
		t.Errorf("got %q", text)
	}
	if text := client.Bodies(got[:3]); text != "a* b* c*" {
		t.Errorf("got %q first", text)
	}
}

func prepareUnusedAutoDelete(t *testing.T, c *client.Channel) {
	if _, err := c.QueueDeclare("unused.work", true, true, false, false, nil); err != nil {
		t.Fatal(err)
	}
	c.Publish("unused.work", amqp.Persistent, "kept")
}

func checkUnusedAutoDelete(t *testing.T, c *client.Channel, killed bool) {
	want(t, c, "unused.work", killed, "kept")
}

func prepareUsedAutoDelete(t *testing.T, c *client.Channel) {
	if _, err := c.QueueDeclare("used.work", true, true, false, false, nil); err != nil {
		t.Fatal(err)
	}
	client.Take(t, publishTo(c, "used.work", "kept"), 1)
}

// checkUsedAutoDelete: a clean stop ends its consumers, and so the queue.
func checkUsedAutoDelete(t *testing.T, c *client.Channel, killed bool) {
	ready, exists := c.Ready("used.work")
	if exists != killed || (killed && ready != 1) {
		t.Errorf("there %v, with %d messages", exists, ready)
	}
}

func prepareExclusive(t *testing.T, c *client.Channel) {
	if _, err := c.QueueDeclare("exclusive.work", true, false, true, false, nil); err != nil {
		t.Fatal(err)
	}
	c.Publish("exclusive.work", amqp.Persistent, "gone")
}

func checkExclusive(t *testing.T, c *client.Channel, _ bool) {
	if _, exists := c.Ready("exclusive.work"); exists {
		t.Error("an exclusive queue outlived its connection")
	}
}

func prepareTTL(_ *testing.T, c *client.Channel) {
	c.Declare("ttl.dead", true, nil)
	c.Declare("ttl.queue", true, amqp.Table{"x-message-ttl": 1500, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "ttl.dead"})
	c.Publish("ttl.queue", amqp.Persistent, "expired")
	c.Declare("ttl.message", true, nil)
	c.Send("", "ttl.message", amqp.Publishing{DeliveryMode: amqp.Persistent, Expiration: "1500", Body: []byte("expired")})
	c.Send("", "ttl.message", amqp.Publishing{DeliveryMode: amqp.Persistent, Expiration: "600000", Body: []byte("alive")})
	c.Publish("ttl.message", amqp.Persistent, "forever")
}

// checkTTL: time to live runs on while the broker is down.
func checkTTL(t *testing.T, c *client.Channel, killed bool) {
	want(t, c, "ttl.queue", killed, "")
	want(t, c, "ttl.message", killed, "alive forever")
	dead := c.Drain("ttl.dead")
	if len(dead) != 1 || reason(dead[0]) != "expired" {
		t.Errorf("%d messages were dead-lettered", len(dead))
	}
}

func prepareLease(_ *testing.T, c *client.Channel) {
	c.Declare("lease.work", true, amqp.Table{"x-expires": 2000})
	c.Publish("lease.work", amqp.Persistent, "kept")
}

// checkLease: the lease of an unused queue starts anew, and then ends.
func checkLease(t *testing.T, c *client.Channel, killed bool) {
	want(t, c, "lease.work", killed, "kept")
	for late := time.Now().Add(client.Patience); time.Now().Before(late); time.Sleep(2200 * time.Millisecond) {
		if _, exists := c.Ready("lease.work"); !exists {
			return
		}
	}
	t.Error("an unused queue with x-expires does not go away")
}

func prepareDeleted(t *testing.T, c *client.Channel) {
	for _, queue := range []string{"deleted.gone", "deleted.again", "deleted.purged"} {
		c.Declare(queue, true, nil)
		c.Publish(queue, amqp.Persistent, "old1", "old2")
	}
	for _, queue := range []string{"deleted.gone", "deleted.again"} {
		if _, err := c.QueueDelete(queue, false, false, false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.QueuePurge("deleted.purged", false); err != nil {
		t.Fatal(err)
	}
	c.Declare("deleted.again", true, nil)
	c.Publish("deleted.again", amqp.Persistent, "new")
	c.Publish("deleted.purged", amqp.Persistent, "new")
}

func checkDeleted(t *testing.T, c *client.Channel, killed bool) {
	if _, exists := c.Ready("deleted.gone"); exists {
		t.Error("a deleted queue came back")
	}
	want(t, c, "deleted.again", killed, "new")
	want(t, c, "deleted.purged", killed, "new")
}

// prepareAcked leaves one of three unacknowledged; nothing else asks for a
// sync, so the acks are on disk by themselves.
func prepareAcked(t *testing.T, c *client.Channel) {
	c.Declare("acked.work", true, nil)
	got := client.Take(t, publishTo(c, "acked.work", "one", "two", "three"), 3)
	if err := got[0].Ack(false); err != nil {
		t.Fatal(err)
	}
	if err := got[2].Reject(false); err != nil {
		t.Fatal(err)
	}
}

func checkAcked(t *testing.T, c *client.Channel, killed bool) {
	got := c.Drain("acked.work")
	if len(got) != 1 || string(got[0].Body) != "two" || (!got[0].Redelivered && !harness.External()) {
		t.Errorf("got %q, want two, redelivered", client.Bodies(got))
	}
}

func prepareFanout(t *testing.T, c *client.Channel) {
	for _, queue := range []string{"fanout.1", "fanout.2", "fanout.3"} {
		c.Declare(queue, true, nil)
		if err := c.QueueBind(queue, "", "amq.fanout", false, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Confirm(false); err != nil {
		t.Fatal(err)
	}
	m := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("all")}
	confirm, err := c.PublishWithDeferredConfirm("amq.fanout", "", true, false, m)
	if err != nil || !confirm.Wait() {
		t.Fatalf("publish: %v", err)
	}
	c.Drain("fanout.2")
}

func checkFanout(t *testing.T, c *client.Channel, killed bool) {
	want(t, c, "fanout.1", killed, "all")
	want(t, c, "fanout.2", killed, "")
	want(t, c, "fanout.3", killed, "all")
}

func content() amqp.Publishing {
	return amqp.Publishing{
		ContentType: "application/octet-stream", ContentEncoding: "none", DeliveryMode: amqp.Persistent, Priority: 3,
		CorrelationId: "c-1", ReplyTo: "answers", MessageId: "m-1", Timestamp: time.Unix(1700000000, 0), Type: "kind", AppId: "app",
		Headers: amqp.Table{"n": int64(7), "list": []any{"a", true}, "table": amqp.Table{"deep": "er"}},
		Body:    bytes.Repeat([]byte("content"), 300_000),
	}
}

func prepareContent(t *testing.T, c *client.Channel) {
	c.Declare("content.work", true, nil)
	if err := c.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirm, err := c.PublishWithDeferredConfirm("", "content.work", true, false, content())
	if err != nil || !confirm.Wait() {
		t.Fatalf("publish: %v", err)
	}
}

func checkContent(t *testing.T, c *client.Channel, _ bool) {
	got, sent := c.Pull("content.work"), content()
	if !bytes.Equal(got.Body, sent.Body) {
		t.Errorf("a body of %d octets came back with %d, or changed", len(sent.Body), len(got.Body))
	}
	list, _ := got.Headers["list"].([]any)
	table, _ := got.Headers["table"].(amqp.Table)
	switch {
	case got.ContentType != sent.ContentType, got.ContentEncoding != sent.ContentEncoding, got.Priority != sent.Priority,
		got.CorrelationId != sent.CorrelationId, got.ReplyTo != sent.ReplyTo, got.MessageId != sent.MessageId,
		!got.Timestamp.Equal(sent.Timestamp), got.Type != sent.Type, got.AppId != sent.AppId,
		got.Headers["n"] != int64(7), len(list) != 2, table["deep"] != "er", got.RoutingKey != "content.work":
		t.Errorf("properties came back as %+v", got.Headers)
	}
}

func prepareDead(t *testing.T, c *client.Channel) {
	c.Declare("dead.letters", true, nil)
	c.Declare("dead.work", true, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead.letters"})
	c.Publish("dead.work", amqp.Persistent, "rejected")
	if err := c.Pull("dead.work").Reject(false); err != nil {
		t.Fatal(err)
	}
}

func checkDead(t *testing.T, c *client.Channel, killed bool) {
	want(t, c, "dead.work", killed, "")
	got := c.Drain("dead.letters")
	if len(got) != 1 || string(got[0].Body) != "rejected" || reason(got[0]) != "rejected" {
		t.Errorf("dead letters: %q", client.Bodies(got))
	}
}

// want drains a queue whose messages were never delivered. After a kill the
// broker may flag them: it cannot know.
func want(t *testing.T, c *client.Channel, queue string, killed bool, bodies string) {
	t.Helper()
	got := c.Drain(queue)
	for n := range got {
		got[n].Redelivered = got[n].Redelivered && !killed
	}
	if text := client.Bodies(got); text != bodies {
		t.Errorf("%s holds %q, want %q", queue, text, bodies)
	}
}

// publishTo publishes messages and starts a consumer that acks by hand.
func publishTo(c *client.Channel, queue string, bodies ...string) <-chan amqp.Delivery {
	c.Publish(queue, amqp.Persistent, bodies...)
	return c.Deliveries(queue, false)
}

// reason is the newest entry's of x-death.
func reason(d amqp.Delivery) string {
	deaths, _ := d.Headers["x-death"].([]any)
	if len(deaths) == 0 {
		return ""
	}
	newest, _ := deaths[0].(amqp.Table)
	text, _ := newest["reason"].(string)
	return text
}
