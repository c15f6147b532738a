package amqp

import (
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// outbound is what a connection has to write. Anybody appends to it; the writer
// goroutine runs only while there is something, takes all of it, and writes it
// at once.
type outbound struct {
	nc       net.Conn
	pool     *sync.Pool // of *segment
	frameMax uint32     // set before the first delivery
	start    func()     // o.run, made once: starting the writer allocates nothing
	writers  sync.WaitGroup

	mu      sync.Mutex
	cur     *segment // being filled; nil: nothing waits
	running bool     // there is a writer
	dead    bool     // nothing is written any more
	waiting bool     // somebody waits at drained
	sent    uint64   // octets taken by the writer
	writes  uint64   // and how often it took some
	dirty   []*channel
	refused []*consumer
	drained chan struct{} // capacity 1: the writer got something written, or ended
	left    *segment      // what flush began and the writer has to go on with
}

func newOutbound(nc net.Conn, pool *sync.Pool) *outbound {
	o := &outbound{nc: nc, pool: pool, frameMax: wire.FrameMinSize, drained: make(chan struct{}, 1)}
	o.start = o.run
	return o
}

// lock gives the segment to append to. After it comes unlock.
func (o *outbound) lock() *segment {
	o.mu.Lock()
	return o.segment()
}

func (o *outbound) segment() *segment {
	if o.cur == nil {
		o.cur = o.pool.Get().(*segment)
	}
	return o.cur
}

// unlock starts the writer if there is something to write and none runs.
func (o *outbound) unlock() {
	o.wake()
	o.mu.Unlock()
}

func (o *outbound) wake() {
	switch {
	case o.dead:
		if o.cur != nil {
			o.cur.reset()
		}
	case !o.running && (o.cur != nil && o.cur.size > 0 || len(o.dirty) > 0 || o.left != nil):
		o.running = true
		o.writers.Add(1)
		go o.start() // ends when there is nothing to write; close waits for it
	}
}

// method sends a method frame.
func (o *outbound) method(ch uint16, m wire.Method) {
	o.lock().method(ch, m)
	o.unlock()
}

// reply sends a method frame of the connection's reader: it leaves at the next
// flush.
func (o *outbound) reply(ch uint16, m wire.Method) {
	o.lock().method(ch, m)
	o.mu.Unlock()
}

// flush writes what waits, before the reader waits for its client. What goes
// out at once by try needs no writer, which saves two switches of goroutines.
func (o *outbound) flush(try func([]byte) int) {
	o.mu.Lock()
	if o.running || o.dead || len(o.dirty) == 0 && (o.cur == nil || o.cur.size == 0) {
		o.mu.Unlock()
		return
	}
	o.running = true
	o.mu.Unlock()
	s := o.take(nil)
	if s == nil {
		return
	}
	if len(s.refs) == 0 {
		s.b = s.b[:copy(s.b, s.b[try(s.b):])]
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.running = false; len(s.b) == 0 {
		o.recycle(s)
	} else {
		o.left = s
	}
	o.wake()
}

// heartbeat sends a heartbeat unless something else was written since the
// caller's last look; it returns the new mark to look from.
func (o *outbound) heartbeat(mark uint64) uint64 {
	o.mu.Lock()
	defer o.unlock()
	if o.sent == mark && !o.running {
		s := o.segment()
		s.grown(wire.AppendHeartbeat(s.b))
		return mark + uint64(s.size)
	}
	return o.sent
}

// pending is how much waits for the writer to take it.
func (o *outbound) pending() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cur == nil {
		return 0
	}
	return o.cur.size
}

// run is the writer.
func (o *outbound) run() {
	defer o.writers.Done()
	taken := o.left
	if o.left = nil; taken != nil && taken.writeTo(o.nc) != nil {
		o.kill()
	}
	for {
		// Who woke us often has more: one turn for the others makes bigger
		// writes (20-25 % less CPU for single-message publishers).
		runtime.Gosched()
		if taken = o.take(taken); taken == nil {
			return
		}
		if err := taken.writeTo(o.nc); err != nil {
			o.kill()
		}
		o.resume()
	}
}

// take swaps the filled segment for an empty one. nil: the writer has ended.
func (o *outbound) take(done *segment) *segment {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, ch := range o.dirty {
		ch.confirm(o)
	}
	clear(o.dirty)
	o.dirty = o.dirty[:0]
	if o.waiting {
		o.waiting = false
		o.signal()
	}
	full := o.cur
	if o.dead || full == nil || full.size == 0 {
		o.running, o.cur = false, nil
		o.recycle(full)
		o.recycle(done)
		return nil
	}
	o.sent += uint64(full.size)
	o.writes++
	if o.cur = done; done != nil {
		done.reset()
	}
	return full
}

// recycle gives a segment back, so that an idle connection holds none.
func (o *outbound) recycle(s *segment) {
	if s != nil && cap(s.b) <= keepSegment {
		s.reset()
		o.pool.Put(s)
	}
}

// resume offers room to the consumers that were refused some.
func (o *outbound) resume() {
	o.mu.Lock()
	if o.dead || len(o.refused) == 0 || o.cur != nil && o.cur.size >= softLimit/2 {
		o.mu.Unlock()
		return
	}
	list := o.refused
	o.refused = nil
	for _, k := range list {
		k.refused = false
	}
	o.mu.Unlock()
	for _, k := range list {
		k.resume()
	}
}

func (o *outbound) signal() {
	select {
	case o.drained <- struct{}{}:
	default:
	}
}

// kill ends the writing: what waits is dropped, and the reader learns of it.
func (o *outbound) kill() {
	o.mu.Lock()
	o.dead, o.refused = true, nil
	o.signal()
	o.mu.Unlock()
	o.nc.Close()
}

// wait returns when at most limit octets wait for the writer and, for limit 0,
// all is written; or after d.
func (o *outbound) wait(limit int, d time.Duration) bool {
	var timer *time.Timer
	for {
		o.mu.Lock()
		o.wake() // what reply left
		done := o.dead || (o.cur == nil || o.cur.size <= limit) && (limit > 0 || !o.running)
		o.waiting = !done
		o.mu.Unlock()
		if done {
			return true
		}
		if timer == nil {
			timer = time.NewTimer(d)
			defer timer.Stop()
		}
		select {
		case <-o.drained:
		case <-timer.C:
			return false
		}
	}
}

// close drops what is not written, closes the socket and waits for the writer.
func (o *outbound) close() {
	o.kill()
	o.writers.Wait()
}
