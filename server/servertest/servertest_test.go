package servertest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/server"
	"github.com/leveretmq/leveret/server/servertest"
)

func open(t *testing.T, s *server.Server) *amqp.Channel {
	t.Helper()
	c, err := amqp.Dial(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // the broker may have closed it
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// publish publishes n persistent messages and waits for their confirms.
func publish(t *testing.T, ch *amqp.Channel, queue string, n int) {
	t.Helper()
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for i := range n {
		d, err := ch.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: fmt.Append(nil, i)})
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := d.WaitContext(ctx); err != nil || !ok {
			t.Fatalf("publish %d: confirmed %t, %v", i, ok, err)
		}
	}
}

func receive(t *testing.T, ds <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	select {
	case d, ok := <-ds:
		if !ok {
			t.Fatal("consumer ended")
		}
		return d
	case <-time.After(10 * time.Second):
		t.Fatal("no delivery within 10 s")
	}
	return amqp.Delivery{}
}

func TestRoundTrip(t *testing.T) {
	ch := open(t, servertest.Start(t))
	q, err := ch.QueueDeclare("jobs", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	publish(t, ch, q.Name, 20)
	if err := ch.Qos(5, 0, false); err != nil {
		t.Fatal(err)
	}
	ds, err := ch.Consume(q.Name, "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		d := receive(t, ds)
		if string(d.Body) != fmt.Sprint(i) {
			t.Fatalf("delivery %d is %q", i, d.Body)
		}
		if err := d.Ack(false); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRestartKeepsDurable(t *testing.T) {
	dir := t.TempDir()
	s := servertest.Start(t, servertest.Options{Dir: dir})
	ch := open(t, s)
	if _, err := ch.QueueDeclare("kept", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	publish(t, ch, "kept", 10)
	d, ok, err := ch.Get("kept", false)
	if err != nil || !ok {
		t.Fatalf("get: %t, %v", ok, err)
	}
	if err := d.Ack(false); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclarePassive("kept", true, false, false, false, nil); err != nil { // the ack has been handled
		t.Fatal(err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	ch = open(t, servertest.Start(t, servertest.Options{Dir: dir}))
	for i := 1; i < 10; i++ {
		d, ok, err := ch.Get("kept", true)
		if err != nil || !ok || string(d.Body) != fmt.Sprint(i) || d.Redelivered {
			t.Fatalf("message %d: %q, found %t, redelivered %t, %v", i, d.Body, ok, d.Redelivered, err)
		}
	}
	if _, ok, err := ch.Get("kept", true); ok || err != nil {
		t.Fatalf("a settled message came back (%v)", err)
	}
}

func TestRoutingAndDeadLetter(t *testing.T) {
	ch := open(t, servertest.Start(t))
	dead := amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
	for name, args := range map[string]amqp.Table{"dead": nil, "work": dead} {
		if _, err := ch.QueueDeclare(name, true, false, false, false, args); err != nil {
			t.Fatal(err)
		}
	}
	if err := ch.QueueBind("work", "job.*", "amq.topic", false, nil); err != nil {
		t.Fatal(err)
	}
	ds, err := ch.Consume("dead", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.PublishWithContext(t.Context(), "amq.topic", "job.a", false, false, amqp.Publishing{Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	work, err := ch.Consume("work", "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := receive(t, work).Reject(false); err != nil {
		t.Fatal(err)
	}
	d := receive(t, ds)
	deaths, _ := d.Headers["x-death"].([]any)
	if len(deaths) != 1 || deaths[0].(amqp.Table)["reason"] != "rejected" || deaths[0].(amqp.Table)["count"] != int64(1) {
		t.Fatalf("x-death is %v", d.Headers["x-death"])
	}
}
