package queue

import "slices"

// OutsideKind says what the broker has to do.
type OutsideKind uint8

// Kinds of work outside the queue.
const (
	// Dead: route the message to the dead-letter exchange and settle it with
	// Batch.Dead, in one batch.
	Dead OutsideKind = iota + 1
	// Unused: the last consumer of an auto-delete queue left. Delete it with
	// ifUnused: a consumer may have come meanwhile.
	Unused
	// Expired: the lease of an x-expires queue ran out. Delete it, in the same way.
	Expired
	// Corrupt: the message cannot be read and is withheld; tell somebody.
	Corrupt
)

// Outside is one piece of work for the broker.
type Outside struct {
	Kind    OutsideKind
	Seq     uint64  // Dead, Corrupt
	Reason  string  // Dead: "rejected", "expired", "maxlen" or "delivery_limit", as in x-death
	Content Content // Dead: the caller's own, with a reference to what is Shared
	Err     error   // Corrupt
}

// outside is the worklist of a queue.
type outside struct {
	dead     []deadLetter
	corrupt  []unread
	unused   bool
	lapsed   bool
	signaled bool // the host knows
}

// signal says, once, that there is work the host does not know of.
func (o *outside) signal() bool {
	if o.signaled || len(o.dead) == 0 && len(o.corrupt) == 0 && !o.unused && !o.lapsed {
		return false
	}
	o.signaled = true
	return true
}

// TakeOutside hands at most max pieces of work to the broker, dead letters in
// the order they died. It may wait for the disk and is called without any lock
// of the queue's, until it returns none: only then is the host signaled again.
func (q *Queue) TakeOutside(max int) []Outside {
	for {
		q.mu.Lock()
		work, reads := q.takeOutside(max)
		q.mu.Unlock()
		if len(reads) == 0 {
			return work
		}
		for _, i := range reads {
			q.readOutside(&work[i])
		}
		// Those without a kind are gone with their queue.
		if work = slices.DeleteFunc(work, func(o Outside) bool { return o.Kind == 0 }); len(work) > 0 {
			return work
		}
	}
}

// takeOutside returns the work and which of it has to be read from the disk.
func (q *Queue) takeOutside(max int) (work []Outside, reads []int) {
	o := &q.outside
	if q.deleted {
		*o = outside{}
	}
	if o.unused {
		work = append(work, Outside{Kind: Unused})
	}
	if o.lapsed {
		work = append(work, Outside{Kind: Expired})
	}
	for _, u := range o.corrupt {
		work = append(work, Outside{Kind: Corrupt, Seq: u.seq, Err: u.err})
	}
	o.unused, o.lapsed, o.corrupt = false, false, nil
	n := 0
	for ; n < len(o.dead) && len(work) < max; n++ {
		d := Outside{Kind: Dead, Seq: o.dead[n].Seq, Reason: o.dead[n].Reason.String()}
		if e := q.state.index.entry(d.Seq); e == nil {
			continue
		} else if !q.copyOut(e, &d) {
			reads = append(reads, len(work))
		}
		work = append(work, d)
	}
	o.dead = o.dead[n:]
	if len(o.dead) == 0 {
		o.dead = nil
	}
	o.signaled = len(work) > 0
	return work, reads
}

// copyOut gives d the contents of e if they are in memory.
func (q *Queue) copyOut(e *entry, d *Outside) bool {
	if inArena(e.loc) {
		c := q.arena.at(e.loc, e.size)
		buf := c.appendHead(make([]byte, 0, e.size))
		if c.Shared != nil {
			d.Content = ParseContent(buf)
			d.Content.Body, d.Content.Shared = c.Body, c.Shared.Retain()
			return true
		}
		d.Content = ParseContent(append(buf, c.Body...))
		return true
	}
	payload, ok := q.opt.Log.Cached(e.loc, e.size, make([]byte, 0, e.size))
	d.Content = ParseContent(payload)
	return ok
}

// readOutside reads a dead letter's contents from the log. While it fails the
// record may be moving; when it fails and has not moved, it is corrupt. When its
// queue was deleted meanwhile, d is left without a kind.
func (q *Queue) readOutside(d *Outside) {
	loc, size := q.locate(d.Seq)
	for loc != 0 {
		payload, err := q.opt.Log.Read(loc, size, make([]byte, 0, size))
		if err == nil {
			d.Content = ParseContent(payload)
			return
		}
		now, _ := q.locate(d.Seq)
		if now == loc {
			q.mu.Lock()
			q.counters.Corrupt++
			q.mu.Unlock()
			*d = Outside{Kind: Corrupt, Seq: d.Seq, Err: err}
			return
		}
		loc = now
	}
	*d = Outside{}
}

// locate returns where the contents of seq are in the log, 0 when it is gone.
func (q *Queue) locate(seq uint64) (loc uint64, size uint32) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e := q.state.index.entry(seq); e != nil {
		return e.loc, e.size
	}
	return 0, 0
}
