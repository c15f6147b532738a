package amqp

import (
	"runtime"
	"time"

	"github.com/leveretmq/leveret/queue"
)

// turn is what a connection puts off while it takes frames out of one read, so
// that it is done once for many.
type turn struct {
	touched []*channel   // with something to do at the end of the read
	waiting []*channel   // parked, or with answers to come
	full    *channel     // its backlog is
	crowded bool         // more waits for the socket than the client should have asked for
	batch   *queue.Batch // of settlements; nil until the first
	octets  int          // taken since the others had a turn
}

// fairShare is how much a reader takes before others get a turn: a socket that
// always has something never parks, and the runtime preempts only at 10 ms.
const fairShare = 128 << 10

// endRead does what was put off while frames came out of one read: publishes
// are committed, then acks are settled, and channels that wait for an answer
// are parked.
func (c *conn) endRead() error {
	if len(c.turn.touched) > 0 {
		c.flush()
		if err := c.awaitDisk(); err != nil {
			return err
		}
	}
	c.parkWaiting()
	if c.turn.octets >= fairShare {
		c.turn.octets = 0
		runtime.Gosched()
	}
	if c.out.pending() > hardLimit {
		return c.stall()
	}
	return nil
}

// flush commits publishes first: who forwards messages publishes before he
// acks, and a crash in between must not lose one.
func (c *conn) flush() {
	for _, ch := range c.turn.touched {
		ch.touched = false
		ch.commitPublishes()
		ch.asm.keep()
	}
	for _, ch := range c.turn.touched {
		ch.gatherSettles()
	}
	c.commitSettles()
	for _, ch := range c.turn.touched {
		ch.feedStarved()
	}
	for _, ch := range c.turn.touched {
		ch.publisher.AwaitRoom() // last: the others' acks do not wait
	}
	clear(c.turn.touched)
	c.turn.touched = c.turn.touched[:0]
}

func (c *conn) commitSettles() {
	if c.turn.batch != nil && !c.turn.batch.Empty() {
		c.turn.batch.Commit(nil) // to the queues' own log
	}
}

// awaitDisk waits, without reading, until the disk has caught up. An alarm takes
// over from there: it holds publishes only.
func (c *conn) awaitDisk() error {
	for c.state == running && c.session.Behind() && c.srv.alarm.Load() == nil {
		look := time.AfterFunc(time.Second, c.in.wake) // for our heartbeats
		c.session.AwaitDisk(c.in.woken)
		look.Stop()
		if err := c.attendStalled(); err != nil {
			return err
		}
	}
	return nil
}

// stall waits, without reading, for a client that does not read.
func (c *conn) stall() error {
	for !c.out.wait(hardLimit/2, time.Second) {
		if err := c.attendStalled(); err != nil {
			return err
		}
	}
	return nil
}

// attendStalled attends to interruptions while the reader waits for something
// else than the socket.
func (c *conn) attendStalled() error {
	c.beat.rest()
	err := c.in.interrupted()
	c.in.flush()
	return err
}

// parkWaiting parks the channels that wait, at the end of a read.
func (c *conn) parkWaiting() {
	for _, ch := range c.turn.waiting {
		if len(ch.park.answers) > 0 {
			ch.park.on = true
		}
	}
}

// waitForRoom waits, without reading, until the full backlog is taken up.
func (c *conn) waitForRoom() error {
	ch := c.turn.full
	c.turn.full = nil
	if err := c.endRead(); err != nil {
		return err
	}
	c.in.flush()
	for c.state == running && ch.state == channelOpen && ch.park.on && ch.park.full() {
		select {
		case <-c.in.woken:
		case <-time.After(time.Second): // for our heartbeats
		}
		if err := c.attendStalled(); err != nil {
			return err
		}
	}
	return nil
}
