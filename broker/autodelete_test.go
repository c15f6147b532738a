package broker

import (
	"context"
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/queue"
)

type noMeta struct{}

func (noMeta) Load(func(key, value []byte) error) error { return nil }
func (noMeta) Commit([]meta.Change) error               { return nil }

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }
func (systemClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

type deafSink struct{}

func (deafSink) Deliver([]queue.Delivery) int { return 0 }
func (deafSink) Cancelled()                   {}
func (deafSink) Admit() bool                  { return true }

func guestSession(t *testing.T) *Session {
	t.Helper()
	b, err := Open(Options{Meta: noMeta{}, Clock: systemClock{}, Rand: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	u, err := b.Authenticate("guest", "guest", true)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.OpenSession(SessionOptions{User: u, VHost: "/"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// An auto-delete queue is gone when its last consumer's end returns, and not
// only once a background goroutine comes to it: the worklist is shut here.
func TestAutoDeleteDoesNotWait(t *testing.T) {
	for name, end := range map[string]func(*Session, *queue.Consumer){
		"cancel": (*Session).Cancel, "release": (*Session).Release,
	} {
		t.Run(name, func(t *testing.T) {
			s := guestSession(t)
			done := make(chan error, 1)
			s.DeclareQueue(&wire.QueueDeclare{Queue: "q", AutoDelete: true}, func(_ QueueInfo, err error) { done <- err })
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			var cs [2]*queue.Consumer
			for i := range cs {
				c, err := s.Consume("q", queue.ConsumerOptions{Tag: "c", Sink: deafSink{}})
				if err != nil {
					t.Fatal(err)
				}
				cs[i] = c
			}
			s.b.host.outside.close()
			end(s, cs[0])
			if _, err := s.Queue("q", Read); err != nil {
				t.Fatalf("deleted under its other consumer: %v", err)
			}
			end(s, cs[1])
			if _, err := s.Queue("q", Read); err == nil {
				t.Fatal("the queue is still there")
			}
		})
	}
}
