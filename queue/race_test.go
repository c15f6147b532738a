package queue

import (
	"strconv"
	"sync"
	"testing"
	"time"
)

// ackSink is a channel that hands the ids it was sent to an acking goroutine.
type ackSink struct {
	mu   sync.Mutex
	last uint64
	wake chan struct{}
	seen map[string]int
}

func (s *ackSink) Deliver(ds []Delivery) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(ds), 7) // full now and then
	for _, d := range ds[:n] {
		s.last = d.ID
		s.seen[string(d.Body)]++
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return n
}
func (s *ackSink) Cancelled()  {}
func (s *ackSink) Admit() bool { return true }

// busyHost runs page-ins at once on their own goroutines.
type busyHost struct{ wg sync.WaitGroup }

func (h *busyHost) Outside(*Queue)        {}
func (h *busyHost) Arm(*Queue, time.Time) {}
func (h *busyHost) Fetch(q *Queue)        { h.wg.Go(q.PageIn) }
func (h *busyHost) Now() time.Time        { return time.Now() }
func (h *busyHost) AfterFunc(d time.Duration, f func()) func() bool {
	return time.AfterFunc(d, f).Stop
}

// TestConcurrentBatches publishes from several goroutines into overlapping sets
// of queues in any order, while their consumers ack from others and records
// move. Every message arrives at every queue once.
func TestConcurrentBatches(t *testing.T) {
	const publishers, batches, size = 4, 60, 10
	host, log := &busyHost{}, newMemoryLog()
	var queues []*Queue
	for i := range uint64(4) {
		queues = append(queues, New(Options{ID: i + 1, Durable: i%2 == 0, Log: log, Clock: host, Host: host}))
	}
	var publish, ack sync.WaitGroup
	sinks := make([]*ackSink, len(queues))
	for i, q := range queues {
		sinks[i] = &ackSink{wake: make(chan struct{}, 1), seen: map[string]int{}}
		c, _ := q.Attach(ConsumerOptions{Sink: sinks[i], Prefetch: 50})
		c.Start()
		ack.Go(func() { ackAll(c, sinks[i], log, publishers*batches*size) })
	}
	for p := range publishers {
		publish.Go(func() {
			b := NewBatch()
			targets := []*Queue{queues[p%4], queues[(p+3)%4], queues[(p+2)%4], queues[(p+1)%4]}
			for n := range batches {
				for i := range size {
					b.Publish(message(strconv.Itoa(p*1e6+n*1000+i), i%3 > 0), targets)
				}
				b.Commit(log)
				queues[p].Stats()
				log.mu.Lock()
				log.cached = log.end
				log.mu.Unlock()
			}
		})
	}
	publish.Wait()
	ack.Wait()
	host.wg.Wait()
	for i, q := range queues {
		if r, u, _ := q.Counts(); r+u > 0 || len(sinks[i].seen) != publishers*batches*size {
			t.Fatalf("queue %d: ready %d unacked %d, %d seen", i, r, u, len(sinks[i].seen))
		}
	}
	equal(t, log.liveRefs(), 0)
}

// ackAll acks everything until total messages are settled.
func ackAll(c *Consumer, s *ackSink, log Log, total int) {
	b := NewBatch()
	for done := uint64(0); done < uint64(total); {
		<-s.wake
		s.mu.Lock()
		last := s.last
		s.mu.Unlock()
		b.Settle(c, done+1, last)
		b.Commit(log)
		done = last
		c.Resume()
	}
}
