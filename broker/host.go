package broker

import (
	"container/heap"
	"sync"
	"time"

	"github.com/leveretmq/leveret/queue"
)

// pageWorkers is how many goroutines read bodies back from the disk.
const pageWorkers = 2

// host does what queues ask for outside of their mutexes.
type host struct {
	b  *Broker
	wg sync.WaitGroup

	outside, pages worklist

	mu     sync.Mutex // guards what follows
	timers timers
	at     map[*queue.Queue]*timer
	stop   func() bool
	begun  bool // queues are restored: their time runs
	closed bool
}

func newHost(b *Broker) *host {
	h := &host{b: b, at: map[*queue.Queue]*timer{}}
	h.outside.init()
	h.pages.init()
	h.wg.Go(func() { h.outside.run(b.drain) }) // ends at close
	for range pageWorkers {
		h.wg.Go(func() { h.pages.run((*queue.Queue).PageIn) }) // ends at close
	}
	return h
}

// Outside notes that q has work.
func (h *host) Outside(q *queue.Queue) { h.outside.push(q) }

// Fetch notes that q wants bodies read.
func (h *host) Fetch(q *queue.Queue) { h.pages.push(q) }

// Arm sets q's one timer.
func (h *host) Arm(q *queue.Queue, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.at[q]; t != nil {
		heap.Remove(&h.timers, t.index)
		delete(h.at, q)
	}
	if !at.IsZero() && !h.closed {
		t := &timer{q: q, at: at}
		heap.Push(&h.timers, t)
		h.at[q] = t
	}
	h.rearmLocked()
}

// begin lets time run for the queues: until then they belong to the recovery,
// and what is due waits.
func (h *host) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun = true
	h.rearmLocked()
}

// rearmLocked keeps one timer for the earliest deadline: an idle broker does
// not wake.
func (h *host) rearmLocked() {
	if h.stop != nil {
		h.stop()
		h.stop = nil
	}
	if len(h.timers) > 0 && h.begun && !h.closed {
		h.stop = h.b.opt.Clock.AfterFunc(h.timers[0].at.Sub(h.b.opt.Clock.Now()), h.tick)
	}
}

func (h *host) tick() {
	now := h.b.opt.Clock.Now()
	var due []*queue.Queue
	h.mu.Lock()
	for len(h.timers) > 0 && !h.timers[0].at.After(now) {
		t := heap.Pop(&h.timers).(*timer)
		delete(h.at, t.q)
		due = append(due, t.q)
	}
	h.rearmLocked()
	h.mu.Unlock()
	for _, q := range due {
		q.Tick(now)
	}
}

// close ends the goroutines; begun says that queues were restored.
func (h *host) close() (begun bool) {
	h.mu.Lock()
	h.closed = true
	h.rearmLocked()
	begun = h.begun
	h.mu.Unlock()
	h.outside.close()
	h.pages.close()
	h.wg.Wait()
	return begun
}

// worklist is a queue of queues, each at most once.
type worklist struct {
	mu     sync.Mutex // guards what follows
	cond   *sync.Cond
	list   []*queue.Queue
	listed map[*queue.Queue]bool
	closed bool
}

func (w *worklist) init() {
	w.cond = sync.NewCond(&w.mu)
	w.listed = map[*queue.Queue]bool{}
}

func (w *worklist) push(q *queue.Queue) {
	w.mu.Lock()
	if !w.listed[q] && !w.closed {
		w.listed[q] = true
		w.list = append(w.list, q)
		w.cond.Signal()
	}
	w.mu.Unlock()
}

// run works until close; what is listed by then is still done.
func (w *worklist) run(work func(*queue.Queue)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		for len(w.list) == 0 {
			if w.closed {
				return
			}
			w.cond.Wait()
		}
		q := w.list[0]
		w.list = w.list[1:]
		delete(w.listed, q)
		w.mu.Unlock()
		work(q)
		w.mu.Lock()
	}
}

func (w *worklist) close() {
	w.mu.Lock()
	w.closed = true
	w.cond.Broadcast()
	w.mu.Unlock()
}

type timer struct {
	q     *queue.Queue
	at    time.Time
	index int
}

// timers is a heap by time.
type timers []*timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}

// Push and Pop are for container/heap.
func (t *timers) Push(x any) {
	x.(*timer).index = len(*t)
	*t = append(*t, x.(*timer))
}

// Pop is for container/heap.
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}
