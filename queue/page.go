package queue

import (
	"slices"
	"sort"
)

const (
	pageBytes    = 256 << 10 // payload that one PageIn reads
	pageMessages = 1024
)

// pages are the bodies read back from the log ahead of their delivery: the page
// being consumed and the next. They are only a cache; what falls out is read
// again when it is needed.
type pages struct {
	asked bool    // a PageIn is under way
	held  [2]page // the newest last
	gets  []get   // waiting for their body
}

// page is a set of payloads by ascending sequence number.
type page struct {
	seqs []uint64
	at   [][2]int // payload i is buf[at[i][0]:at[i][1]]
	buf  []byte
	used int // lookups, to read ahead in time
	hint int // where the last lookup ended
}

// find returns the payload of seq or nil.
func (p *page) find(seq uint64) []byte {
	n := len(p.seqs)
	if n == 0 || seq < p.seqs[0] || seq > p.seqs[n-1] {
		return nil
	}
	i := p.hint + 1
	if i >= n || p.seqs[i] != seq {
		i = sort.Search(n, func(i int) bool { return p.seqs[i] >= seq })
		if p.seqs[i] != seq {
			return nil
		}
	}
	p.hint = i
	p.used++
	return p.buf[p.at[i][0]:p.at[i][1]]
}

// lookup finds a payload that was read ahead, and asks for more when the newest
// page is half used.
func (q *Queue) lookup(seq uint64) []byte {
	newest := &q.pages.held[1]
	if payload := newest.find(seq); payload != nil {
		if newest.used*2 == len(newest.seqs) {
			q.fetch()
		}
		return payload
	}
	return q.pages.held[0].find(seq)
}

// idle drops the pages of a queue that has nothing left to deliver from them.
func (p *pages) idle(ready int) {
	if ready == 0 && !p.asked && len(p.held[1].seqs) > 0 {
		p.held = [2]page{}
	}
}

// fetch asks for one PageIn.
func (q *Queue) fetch() {
	if !q.pages.asked {
		q.pages.asked = true
		q.opt.Host.Fetch(q)
	}
}

// PageIn reads the bodies that consumers and gets wait for, and those that come
// next, without holding the mutex, and goes on delivering. The host calls it
// once for each Fetch, on a goroutine that may wait for the disk.
func (q *Queue) PageIn() {
	r := q.opt.Memory.reading()
	q.mu.Lock()
	q.want(r)
	q.mu.Unlock()
	r.read(q.opt.Log)
	q.locked(func(w *work) { q.paged(w, r) })
	q.opt.Memory.giveReading(r)
}

// reading is what one PageIn reads.
type reading struct {
	page   page
	seqs   []uint64
	locs   []uint64
	sizes  []uint32
	bytes  int
	failed []unread
	raw    []byte // scratch of ReadBatch
}

// reset empties r and keeps its memory.
func (r *reading) reset() {
	r.page = page{r.page.seqs[:0], r.page.at[:0], r.page.buf[:0], 0, -1}
	r.seqs, r.locs, r.sizes = r.seqs[:0], r.locs[:0], r.sizes[:0]
	r.bytes, r.failed = 0, nil
}

// headRoom is what ReadBatch reads beside each payload, at most.
const headRoom = 128

// unread is a message whose body could not be read at loc.
type unread struct {
	seq, loc uint64
	err      error
}

func (r *reading) full() bool { return len(r.seqs) >= pageMessages || r.bytes >= pageBytes }

// add wants seq unless it is in memory.
func (q *Queue) add(r *reading, seq uint64) {
	e := q.state.index.entry(seq)
	if e == nil || !inLog(e.loc) || q.pages.held[0].has(seq) || q.pages.held[1].has(seq) {
		return
	}
	r.seqs = append(r.seqs, seq)
	r.locs = append(r.locs, e.loc)
	r.sizes = append(r.sizes, e.size)
	r.bytes += int(e.size)
}

func (p *page) has(seq uint64) bool {
	i := sort.Search(len(p.seqs), func(i int) bool { return p.seqs[i] >= seq })
	return i < len(p.seqs) && p.seqs[i] == seq
}

// want chooses what to read: what gets and stalled consumers wait for, then
// what other consumers were given, then the ready messages in their order.
func (q *Queue) want(r *reading) {
	for _, g := range q.pages.gets {
		q.add(r, g.seq)
	}
	look := 4 * pageMessages // bounds the search under the mutex
	for _, stalled := range []bool{true, false} {
		for _, c := range q.consumers {
			if c == nil || c.opt.Sink == nil || c.stalled != stalled {
				continue
			}
			h := q.state.holders[c.slot]
			for id := h.sent + 1; id <= h.last && !r.full() && look > 0; id++ {
				q.add(r, h.seq(id))
				look--
			}
		}
	}
	if q.state.ready == 0 || r.full() {
		return
	}
	q.state.ahead(func(seq uint64) bool {
		if q.state.isReady(seq) {
			q.add(r, seq)
		}
		look--
		return !r.full() && look > 0
	})
}

// read fills the page. What the batch read leaves out is read alone, to learn
// why.
func (r *reading) read(log Log) {
	if len(r.seqs) == 0 {
		return
	}
	sort.Sort((*bySeq)(r))
	p := r.page
	p.buf = slices.Grow(p.buf, r.bytes)
	r.raw = slices.Grow(r.raw, r.bytes+headRoom*len(r.seqs))
	at := make([][2]int, len(r.seqs))
	keep := func(i int, payload []byte) {
		at[i] = [2]int{len(p.buf), len(p.buf) + len(payload)}
		p.buf = append(p.buf, payload...)
	}
	// The error is the failed messages' own, met again below.
	_ = log.ReadBatch(r.locs, r.sizes, r.raw, keep)
	for i, seq := range r.seqs {
		if at[i][1] == 0 {
			payload, err := log.Read(r.locs[i], r.sizes[i], nil)
			if err != nil {
				r.failed = append(r.failed, unread{seq, r.locs[i], err})
				continue
			}
			keep(i, payload)
		}
		p.seqs, p.at = append(p.seqs, seq), append(p.at, at[i])
	}
	r.page = p
}

// bySeq sorts a reading by sequence number.
type bySeq reading

func (r *bySeq) Len() int           { return len(r.seqs) }
func (r *bySeq) Less(i, j int) bool { return r.seqs[i] < r.seqs[j] }
func (r *bySeq) Swap(i, j int) {
	r.seqs[i], r.seqs[j] = r.seqs[j], r.seqs[i]
	r.locs[i], r.locs[j] = r.locs[j], r.locs[i]
	r.sizes[i], r.sizes[j] = r.sizes[j], r.sizes[i]
}

// paged takes in what was read and lets everybody who waited go on.
func (q *Queue) paged(w *work, r *reading) {
	q.pages.asked = false
	if len(r.page.seqs) > 0 {
		old := q.pages.held[0]
		q.pages.held[0], q.pages.held[1], r.page = q.pages.held[1], r.page, old
	}
	for _, u := range r.failed {
		q.unreadable(w, u)
	}
	gets := q.pages.gets
	q.pages.gets = nil
	for i := range gets {
		q.get(w, &gets[i])
	}
	for _, c := range q.consumers {
		if c != nil && c.stalled {
			c.stalled = false
			w.touch(c)
		}
	}
}

// unreadable decides about a body that could not be read: it has moved
// meanwhile, and is found at its new place next time, or it is lost. A lost one
// is withheld, never delivered and never settled, and the broker is told.
func (q *Queue) unreadable(w *work, u unread) {
	e := q.state.index.entry(u.seq)
	if e == nil || e.loc != u.loc || e.meta&statusMask == statusLeaving {
		return
	}
	q.apply(w, &Command{Kind: Withhold, From: u.seq})
	q.counters.Corrupt++
	q.outside.corrupt = append(q.outside.corrupt, u)
}
