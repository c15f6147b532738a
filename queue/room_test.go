package queue

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// crowd publishes to a consumer whose socket takes nothing until the queue
// names itself crowded.
func crowd(t *testing.T) (*fixture, *Consumer, *testSink) {
	f := newFixture(t, false, nil)
	c, s := f.consume(ConsumerOptions{NoAck: true})
	s.room = 0
	b := NewBatch()
	for n := 0; b.Crowded() == nil; n++ {
		if n > 1000 {
			t.Fatal("16 MB wait for the socket, and the queue is not crowded")
		}
		b.Publish(message(strings.Repeat("x", 16<<10), false), []*Queue{f.q})
		b.Commit(nil)
	}
	return f, c, s
}

func TestPublishersWaitForTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c, s := crowd(t)
		done := make(chan struct{})
		go func() { f.q.AwaitRoom(); close(done) }()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("the publisher did not wait")
		default:
		}
		began := time.Now()
		s.room = -1
		c.Resume()
		<-done
		equal(t, time.Since(began), time.Duration(0))
	})
}

// TestPublishersDoNotWaitForTheStuck: once in vain is enough, until something
// moves.
func TestPublishersDoNotWaitForTheStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c, s := crowd(t)
		began := time.Now()
		f.q.AwaitRoom()
		f.q.AwaitRoom()
		equal(t, time.Since(began), roomWait)
		f.publish(strings.Repeat("x", 64<<10))
		equal(t, f.q.crowded(), false)
		s.room = 1
		c.Resume()
		equal(t, f.q.crowded(), true)
	})
}

// TestNobodyToWaitFor: a queue that nobody consumes fills as fast as it can.
func TestNobodyToWaitFor(t *testing.T) {
	f := newFixture(t, false, nil)
	b := NewBatch()
	for range 400 {
		b.Publish(message(strings.Repeat("x", 16<<10), false), []*Queue{f.q})
		b.Commit(nil)
	}
	if b.Crowded() != nil {
		t.Error("crowded without a consumer")
	}
}
