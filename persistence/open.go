package persistence

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Open takes the lock of the data directory, checks its format, hands
// everything that is alive to the owner and returns the log, ready for appends.
// Damage to what was confirmed makes it fail with *CorruptionError.
func Open(o Options) (*Log, error) {
	if err := o.setDefaults(); err != nil {
		return nil, err
	}
	l := &Log{o: o}
	if !o.Locked {
		lock, err := o.FS.Lock(lockName)
		if err != nil {
			return nil, err
		}
		l.lock = lock
	}
	if err := l.open(); err != nil {
		l.files.close(l.segs.all)
		l.unlock()
		return nil, err
	}
	return l, nil
}

func (l *Log) unlock() {
	if l.lock != nil {
		l.lock.Close()
	}
}

func (l *Log) open() error {
	l.pool = sync.Pool{New: func() any { return &Append{log: l} }}
	l.tail.keep = l.o.CacheBytes
	l.files = files{fs: l.o.FS, freed: make(chan struct{}, 1)}
	l.files.idle.L = &l.files.mu
	l.work = workers{kick: make(chan struct{}, 1), clean: make(chan struct{}, 1), stop: make(chan struct{})}
	fresh, err := checkFormat(l.o.FS)
	if err != nil {
		return err
	}
	l.clean = fresh
	r := recovery{log: l}
	if err := r.run(); err != nil {
		return err
	}
	l.begin(r.end)
	return nil
}

// begin starts the log's goroutines behind what recovery has found. A new run
// always begins a new segment: what a crash left behind the last sound batch of
// the old one can then never be taken for a continuation.
func (l *Log) begin(end uint64) {
	s := &segment{number: l.segs.first + uint64(len(l.segs.all))}
	if len(l.segs.all) == 0 {
		s.number = 1
		s.size = l.sizeAfter(0)
	} else {
		s.size = l.sizeAfter(l.segs.active().size / 2)
	}
	s.salt = rand.Uint64()
	l.segs.push(s)
	l.end = position(s.number, headerSize)
	l.start = l.end
	l.durable.Store(l.end)
	l.work.settle = time.AfterFunc(time.Hour, l.settleDue)
	l.work.settle.Stop()
	l.work.committer = &committer{log: l, prev: end, zeros: make([]byte, aheadSize)}
	l.work.wg.Go(l.work.committer.run) // until Close closes work.stop
	l.work.wg.Go(l.cleanLoop)          // the same
	l.wakeCleaner()
}

// recovery reads the log at start.
type recovery struct {
	log *Log
	end uint64 // of the last batch seen
	// broken: the chain of batches cannot be checked at the next segment.
	broken  bool
	scanned []*found // segments that need a footer
	last    *found   // the segment before
}

func (r *recovery) run() error {
	l := r.log
	mark, marked, err := readMark(l.o.FS)
	if err != nil {
		return err
	}
	numbers, err := r.list()
	if err != nil {
		return err
	}
	r.broken = true // nothing is known of what stood before the oldest segment
	for _, n := range numbers {
		if err := r.segment(n); err != nil {
			return err
		}
	}
	if marked && mark != r.end {
		err := &CorruptionError{File: markName, Reason: fmt.Sprintf(
			"the last run stopped cleanly at %x, but the log ends at %x", mark, r.end)}
		if err := r.salvage(err); err != nil {
			return err
		}
	}
	l.clean = l.clean || marked && mark == r.end
	r.count()
	if err := r.tidy(); err != nil {
		return err
	}
	return removeMark(l.o.FS)
}

// salvage lets recovery go on after damage when the operator said so.
func (r *recovery) salvage(err *CorruptionError) error {
	if !r.log.o.Salvage {
		return err
	}
	r.log.count.salvaged.Add(1)
	r.log.o.Logger.LogAttrs(context.Background(), slog.LevelError, "skipping a damaged part of the log",
		slog.String("file", err.File), slog.Int64("offset", err.Offset), slog.String("reason", err.Reason))
	return nil
}

func readAll(f File, off, n int64) ([]byte, error) {
	b := make([]byte, n)
	if _, err := f.ReadAt(b, off); err != nil && err != io.EOF {
		return nil, err
	}
	return b, nil
}
