package broker

import "sync"

// Confirms is the window of publisher confirms of one channel: runs of publish
// numbers that become durable together, oldest first.
type Confirms struct {
	b     *Broker
	vhost *vhost
	ready func()

	mu      sync.Mutex // guards what follows; only Take's emit is called under it
	runs    []confirmRun
	last    uint64 // number of the last publish
	pushed  uint64 // number up to which there are runs
	acked   uint64 // number up to which Take has answered
	waiting bool   // the log will call Durable
	closed  bool

	confirmed uint64
}

// confirmRun is the publishes up to last, answered when the log is durable past
// pos and metadata up to ticket is stored: acknowledged, or refused by a queue.
// A refused one waits its turn like the others, so that "multiple" is always
// right.
type confirmRun struct {
	last, pos, ticket uint64
	refused           bool
}

// SelectConfirms is confirm.select; numbers begin with 1 at the first call.
// ready is called from any goroutine when Confirms().Take has something.
func (p *Publisher) SelectConfirms(ready func()) {
	if p.confirms == nil {
		p.confirms = &Confirms{b: p.s.b, vhost: p.s.vhost, ready: ready}
	}
}

// Confirms is nil before SelectConfirms.
func (p *Publisher) Confirms() *Confirms { return p.confirms }

// add notes n publishes that were committed up to pos; 0 is nothing to wait for.
// refused names those of them, from 1, that a queue did not take. It returns
// true when Take has something now, and does not call ready then.
func (c *Confirms) add(n, pos uint64, refused []uint32) bool {
	if n == 0 {
		return false
	}
	run := confirmRun{pos: pos}
	// A queue that is not yet stored could vanish with its messages.
	if t := c.b.commits.ticket(); t > c.b.commits.done.Load() {
		run.ticket = t
	}
	c.mu.Lock()
	if waiting := len(c.runs); waiting > 0 {
		// Behind what waits, nothing is acknowledged earlier. The newest run
		// then always has the position that answers all.
		run.pos = max(run.pos, c.runs[waiting-1].pos)
	}
	for _, tag := range refused {
		c.push(run, c.last+uint64(tag)-1, false)
		c.push(run, c.last+uint64(tag), true)
	}
	c.last += n
	c.push(run, c.last, false)
	c.mu.Unlock()
	if run.ticket > 0 {
		c.b.commits.save(0, nil, func(error) { c.Durable(0) })
	}
	return c.wait()
}

// push adds a run that ends with the publish last, unless that is in one
// already. Called with mu.
func (c *Confirms) push(run confirmRun, last uint64, refused bool) {
	if last == c.pushed {
		return
	}
	c.pushed = last
	run.last, run.refused = last, refused
	c.runs = append(c.runs, run)
}

// wait asks the log for the newest run, so that one sync answers all. It
// returns true when there is nothing to wait for.
func (c *Confirms) wait() bool {
	c.mu.Lock()
	if c.closed || c.waiting || len(c.runs) == 0 {
		c.mu.Unlock()
		return false
	}
	pos := c.runs[len(c.runs)-1].pos
	single := c.last == c.acked+1 // who waits for each confirm waits for us now
	c.waiting = pos > 0
	c.mu.Unlock()
	if pos > 0 && !(single && c.b.opt.Log.Hasten(pos)) && !c.b.opt.Log.Notify(pos, c) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
	return !c.closed
}

// Durable is the log's call.
func (c *Confirms) Durable(uint64) {
	c.mu.Lock()
	c.waiting = false
	closed := c.closed
	c.mu.Unlock()
	if !closed {
		c.ready()
	}
}

// Take emits what can be answered now, in order. The writer calls it; emit
// must not call back.
func (c *Confirms) Take(emit func(tag uint64, multiple, ack bool)) {
	durable := ^uint64(0)
	if c.b.opt.Log != nil {
		durable = c.b.opt.Log.Durable()
	}
	stored := c.b.commits.done.Load()
	c.mu.Lock()
	n := 0
	for ; n < len(c.runs) && (c.runs[n].pos == 0 || c.runs[n].pos < durable) && c.runs[n].ticket <= stored; n++ {
		if n > 0 && c.runs[n].refused != c.runs[n-1].refused {
			c.emit(&c.runs[n-1], emit)
		}
	}
	if n > 0 {
		c.emit(&c.runs[n-1], emit)
	}
	c.runs = c.runs[:copy(c.runs, c.runs[n:])]
	more := len(c.runs) > 0 && !c.waiting
	c.mu.Unlock()
	if more {
		c.rewait()
	}
}

// emit answers all that is open up to the end of r. Called with mu.
func (c *Confirms) emit(r *confirmRun, emit func(tag uint64, multiple, ack bool)) {
	emit(r.last, r.last > c.acked+1, !r.refused)
	if !r.refused {
		c.confirmed += r.last - c.acked
		c.vhost.counts.confirmed.Add(r.last - c.acked)
	}
	c.acked = r.last
}

// rewait asks the log for what is left. It must not call ready, for
// it runs under the writer's locks.
func (c *Confirms) rewait() {
	c.mu.Lock()
	var pos uint64
	if len(c.runs) > 0 && !c.waiting {
		pos = c.runs[len(c.runs)-1].pos
	}
	c.waiting = c.waiting || pos > 0
	c.mu.Unlock()
	if pos > 0 && c.b.opt.Log.Notify(pos, c) {
		c.b.commits.save(pos, nil, func(error) { c.Durable(0) })
	}
}

func (c *Confirms) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
}
