package server

import (
	"context"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/persistence"
)

// TestFullDisk: publishing waits, with a word to the client; the consumer on
// the same connection drains the queue meanwhile; when there is room again, what
// waited comes.
func TestFullDisk(t *testing.T) {
	var full atomic.Bool
	fs := persistence.NewMemory()
	fs.SetFault(func(_ int, op, _ string) error {
		if full.Load() && op == "allocate" {
			return syscall.ENOSPC
		}
		return nil
	})
	s, err := Start(t.Context(), Options{DataDir: t.TempDir(), fs: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown(context.Background())
	conn, err := amqp.Dial(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 2))
	pub, sub := channel(t, conn), channel(t, conn)
	if _, err := pub.QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	publish := func(n int) {
		t.Helper()
		m := amqp.Publishing{DeliveryMode: amqp.Persistent, MessageId: strconv.Itoa(n), Body: make([]byte, 4<<10)}
		if err := pub.PublishWithContext(t.Context(), "", "q", false, false, m); err != nil {
			t.Fatal(err)
		}
	}
	publish(0)
	full.Store(true)
	n := 1
	for waiting := true; waiting; n++ {
		publish(n)
		select {
		case b := <-blocked:
			if !b.Active || b.Reason != "low on disk" {
				t.Fatalf("blocked %+v", b)
			}
			waiting = false
		case <-time.After(time.Millisecond):
		}
	}
	deliveries, err := sub.Consume("q", "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if i == n/2 { // room is made by others
			full.Store(false)
		}
		select {
		case d := <-deliveries:
			if d.MessageId != strconv.Itoa(i) {
				t.Fatalf("message %s came for %d", d.MessageId, i)
			}
			if err := d.Ack(false); err != nil {
				t.Fatal(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%d of %d messages came", i, n)
		}
	}
	if b := <-blocked; b.Active {
		t.Fatalf("blocked %+v", b)
	}
}

func channel(t *testing.T, c *amqp.Connection) *amqp.Channel {
	t.Helper()
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}
