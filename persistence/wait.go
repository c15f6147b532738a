package persistence

import (
	"sync"
	"sync/atomic"
)

// gate holds publishers back while the disk cannot follow.
type gate struct {
	full  atomic.Bool // no further segment can be had
	ended atomic.Bool // err is set
	news  sync.Mutex  // held while OnFull runs
	mu    sync.Mutex
	open  chan struct{} // closed when things may have changed; nil when nobody waits
	err   error         // the log has ended
}

func (g *gate) isFull() bool { return g.full.Load() }

// setFull calls tell if that is news. Calls of tell come one after another.
func (g *gate) setFull(full bool, tell func()) {
	g.news.Lock()
	defer g.news.Unlock()
	if g.full.Swap(full) != full {
		g.wake()
		tell()
	}
}

func (g *gate) end(err error) {
	g.mu.Lock()
	if g.err == nil {
		g.err = err
		g.ended.Store(true)
	}
	g.mu.Unlock()
	g.wake()
}

func (g *gate) wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != nil {
		close(g.open)
		g.open = nil
	}
}

// changed returns a channel that is closed at the next wake.
func (g *gate) changed() (<-chan struct{}, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = make(chan struct{})
	}
	return g.open, g.err
}

// Wait holds a publisher back that is about to append n octets: while more than
// 8 MiB are not synced, and while no further segment can be had. It returns nil
// when there is room, ErrStopped when stop was closed, else the error the log
// died of. It must not be called with a queue locked: what makes room needs those.
// Settles are appended without it.
func (l *Log) Wait(n int, stop <-chan struct{}) error {
	for {
		if l.roomFor(n) {
			return l.ended()
		}
		changed, err := l.space.changed()
		if err != nil {
			return err
		}
		if l.roomFor(n) { // it may have changed before we listened
			continue
		}
		l.mu.Lock()
		l.wantLocked(l.end)
		l.mu.Unlock()
		select {
		case <-changed:
		case <-stop:
			return ErrStopped
		}
	}
}

// Behind says that Wait would wait.
func (l *Log) Behind() bool { return !l.roomFor(0) && !l.space.ended.Load() }

func (l *Log) roomFor(n int) bool {
	backlog := l.backlog.Load()
	return !l.space.isFull() && (backlog == 0 || backlog+int64(n) <= backlogMax)
}

func (l *Log) ended() error {
	if l.space.ended.Load() {
		_, err := l.space.changed()
		return err
	}
	return nil
}
