package broker

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/leveretmq/leveret/broker/meta"
)

// committer stores metadata. What arrives while one transaction is written
// goes together into the next, so that pipelined declares cost one sync.
type committer struct {
	meta    Meta
	log     Log
	logger  *slog.Logger
	onError func(error)
	wake    chan struct{}
	dead    chan struct{} // closed by fail
	dying   sync.Once
	wg      sync.WaitGroup
	done    atomic.Uint64 // last ticket whose changes are stored
	err     error         // the first one: nothing is stored any more; owned by run

	mu      sync.Mutex // guards what follows
	pending batch
	last    uint64 // last ticket given out
	closed  bool
}

// batch is one transaction to be.
type batch struct {
	pos     uint64 // a position of the log that has to be durable before
	changes []meta.Change
	replies []func(error)
	ticket  uint64
}

func newCommitter(o Options) *committer {
	c := &committer{meta: o.Meta, log: o.Log, logger: o.Logger, onError: o.OnError, wake: make(chan struct{}, 1), dead: make(chan struct{})}
	c.wg.Go(c.run) // ends at close
	return c
}

// save stores changes after the log is durable up to pos, then calls reply. It
// calls it inline when neither these nor earlier changes wait.
func (c *committer) save(pos uint64, changes []meta.Change, reply func(error)) {
	c.mu.Lock()
	if len(changes) == 0 && pos == 0 && c.done.Load() == c.last {
		c.mu.Unlock()
		reply(nil)
		return
	}
	c.last++
	p := &c.pending
	p.pos, p.ticket = max(p.pos, pos), c.last
	p.changes = append(p.changes, changes...)
	p.replies = append(p.replies, reply)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// ticket is what done has to reach for everything saved so far.
func (c *committer) ticket() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

func (c *committer) run() {
	for range c.wake {
		for {
			c.mu.Lock()
			b := c.pending
			c.pending = batch{}
			closed := c.closed
			c.mu.Unlock()
			if len(b.replies) > 0 {
				c.commit(&b)
				continue
			}
			if closed {
				return
			}
			break
		}
	}
}

// commit stores b and answers. After an error nothing is stored any more, for
// what comes later may build on what was lost.
func (c *committer) commit(b *batch) {
	if c.err == nil {
		if c.err = c.store(b); c.err != nil {
			c.logger.Error("metadata cannot be stored", "err", c.err)
			if c.onError != nil {
				c.onError(c.err)
			}
		}
	}
	if c.err == nil {
		c.done.Store(b.ticket)
	}
	for _, reply := range b.replies {
		reply(c.err)
	}
}

func (c *committer) store(b *batch) error {
	if b.pos > 0 && c.log != nil {
		if err := c.await(b.pos); err != nil {
			return err
		}
	}
	if len(b.changes) == 0 {
		return nil
	}
	return c.meta.Commit(b.changes)
}

var errLogDied = errors.New("the log has failed")

// await returns when the log is durable up to pos, or never will be.
func (c *committer) await(pos uint64) error {
	done := make(chan struct{})
	if c.log.Notify(pos, whenDurable(func() { close(done) })) {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-c.dead:
		return errLogDied
	}
}

// fail ends the waiting for a log that has died.
func (c *committer) fail() { c.dying.Do(func() { close(c.dead) }) }

// whenDurable is a function called when a position is durable.
type whenDurable func()

// Durable calls it.
func (f whenDurable) Durable(uint64) { f() }

// close stores what is left.
func (c *committer) close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	close(c.wake)
	c.wg.Wait()
	return nil
}
