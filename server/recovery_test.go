package server

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// declare declares a durable queue.
func (n *node) declare(s *broker.Session, name string, args ...wire.Field) {
	n.t.Helper()
	s.DeclareQueue(&wire.QueueDeclare{Queue: name, Durable: true, Arguments: args}, func(_ broker.QueueInfo, err error) {
		if err != nil {
			n.t.Errorf("declare %s: %v", name, err)
		}
	})
	synctest.Wait()
}

// ready is how many messages a queue has, -1 when there is none of that name.
func (n *node) ready(s *broker.Session, name string) int {
	n.t.Helper()
	synctest.Wait()
	q, err := s.Queue(name, broker.Read)
	if err != nil {
		return -1
	}
	ready, _, _ := q.Counts()
	return ready
}

func (n *node) restart() {
	n.t.Helper()
	if err := n.stop(); err != nil {
		n.t.Fatal(err)
	}
	n.start()
}

// While the log is read nothing else happens to queues: a lease begins when
// the queue is ready, however long that took.
func TestLeaseBeginsAfterSlowRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		s := n.session()
		n.declare(s, "q", wire.Field{Name: "x-expires", Value: int32(1000)})
		n.publish(s.NewPublisher(1, returned{}), message{key: "q", persistent: true})
		if err := n.stop(); err != nil {
			t.Fatal(err)
		}
		slow := true
		n.fs.SetFault(func(int, string, string) error { // reading takes its time
			if slow {
				slow = false
				time.Sleep(time.Hour)
			}
			return nil
		})
		n.start()
		if slow {
			t.Fatal("the start was not slow")
		}
		s = n.session()
		pass := func(ms time.Duration, want int) {
			t.Helper()
			time.Sleep(ms * time.Millisecond)
			if got := n.ready(s, "q"); got != want {
				t.Fatalf("%d messages, want %d", got, want)
			}
		}
		pass(900, 0)
		pass(200, -1)
		n.audit("expiry")
		if err := n.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// Time runs on while the node is down: what has expired by the start is dead,
// and its dead letter is there once.
func TestMessagesExpireWhileTheNodeIsDown(t *testing.T) {
	for name, end := range map[string]func(n *node){
		"stop": func(n *node) {
			if err := n.stop(); err != nil {
				n.t.Fatal(err)
			}
		},
		"crash": func(n *node) {
			fs, meta := n.fs.Crash(rand.New(rand.NewPCG(1, 1))), n.meta.Clone()
			_ = n.stop()
			n.fs, n.meta = fs, meta
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t)
				s := n.session()
				n.declare(s, "q", wire.Field{Name: "x-dead-letter-exchange", Value: ""}, wire.Field{Name: "x-dead-letter-routing-key", Value: "dead"})
				n.declare(s, "dead")
				p := s.NewPublisher(1, returned{})
				for _, ms := range []string{"100", "5000", "200", ""} { // the third waits behind the second
					n.publish(p, message{key: "q", persistent: true, expiration: ms})
				}
				p.Flush()
				time.Sleep(time.Second / 4) // one is over, and all is on disk
				if q, dead := n.ready(s, "q"), n.ready(s, "dead"); q != 3 || dead != 1 {
					t.Fatalf("before: %d messages, %d dead, want 3 and 1", q, dead)
				}
				time.Sleep(time.Second / 4)
				for _, after := range []struct {
					down    time.Duration
					q, dead int
				}{{time.Second, 3, 1}, {time.Hour, 1, 3}, {time.Hour, 1, 3}} {
					end(n)
					time.Sleep(after.down)
					n.start()
					s = n.session()
					if q, dead := n.ready(s, "q"), n.ready(s, "dead"); q != after.q || dead != after.dead {
						t.Fatalf("after %v: %d messages, %d dead, want %d and %d", after.down, q, dead, after.q, after.dead)
					}
					n.audit("the start")
					time.Sleep(time.Second)
				}
			})
		})
	}
}

// A queue whose declare never reached the metadata leaves records behind. The
// next queue must not take them for its own.
func TestRecordsOfUnknownQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		s := n.session()
		before := n.meta.Clone()
		for range 4096 { // all ids that are reserved, and more than there are
			s.DeclareQueue(&wire.QueueDeclare{Exclusive: true}, func(broker.QueueInfo, error) {})
		}
		n.declare(s, "lost")
		p := s.NewPublisher(1, returned{})
		for range 5 {
			n.publish(p, message{key: "lost", persistent: true})
		}
		p.Flush()
		s.Close()
		if err := n.stop(); err != nil {
			t.Fatal(err)
		}
		n.meta = before
		n.start()
		for range 3 {
			s = n.session()
			for i := range 20 {
				name := fmt.Sprint("new", i)
				n.declare(s, name)
				if got := n.ready(s, name); got != 0 {
					t.Fatalf("queue %s has %d messages", name, got)
				}
			}
			n.audit("declaring another queue")
			if got := n.log.Stats().Orphans; got != 5 {
				t.Fatalf("%d records are kept for the queue that is unknown, want 5", got)
			}
			n.restart()
		}
	})
}
