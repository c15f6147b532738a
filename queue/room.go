package queue

import "time"

// roomWait bounds the time that a publisher waits for consumers.
const roomWait = 5 * time.Millisecond

// room paces publishers: what is not in the log takes memory, and beyond a
// bound has to be written to the disk and read again. A publisher that is
// faster than the sockets of the consumers therefore waits for them a little.
// It never waits for one that does not move.
type room struct {
	made   chan struct{} // closed when there is room; nil: nobody waits
	futile bool          // the last wait was in vain, and nothing was sent since
}

// crowded says that the memory is half full, and a consumer takes what its
// socket takes.
func (q *Queue) crowded() bool {
	if q.arena.live <= q.opt.ArenaBytes/2 || q.room.futile || q.deleted {
		return false
	}
	for _, c := range q.consumers {
		if c != nil && c.full && !c.ended {
			return true
		}
	}
	return false
}

// AwaitRoom returns when a queue that Batch.Crowded named has room again, or
// after 5 ms.
func (q *Queue) AwaitRoom() {
	q.mu.Lock()
	if !q.crowded() {
		q.mu.Unlock()
		return
	}
	if q.room.made == nil {
		q.room.made = make(chan struct{})
	}
	made := q.room.made
	q.mu.Unlock()
	timer := time.NewTimer(roomWait)
	defer timer.Stop()
	select {
	case <-made:
	case <-timer.C:
		q.mu.Lock()
		q.room.futile = true
		q.mu.Unlock()
	}
}

// makeRoom wakes the publishers that wait when the pass made room.
func (q *Queue) makeRoom() {
	if q.room.made != nil && !q.crowded() {
		close(q.room.made)
		q.room.made = nil
	}
}
