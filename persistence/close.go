package persistence

import (
	"errors"
	"fmt"
)

// Close syncs everything, marks the stop as clean and gives the data directory
// back. After a write error it returns that error and leaves no mark.
func (l *Log) Close() error {
	err := ErrClosed
	l.closing.Do(func() { err = l.shut() })
	return err
}

func (l *Log) shut() error {
	close(l.work.stop)
	l.work.settle.Stop()
	l.space.end(ErrClosed)
	l.work.wg.Wait()
	err := l.Err()
	if err == nil {
		err = l.finish()
	}
	l.mu.Lock()
	l.dead = true
	if l.failure == nil {
		l.failure = ErrClosed
	}
	l.mu.Unlock()
	err = errors.Join(err, l.files.close(append(l.segs.all, l.next)))
	if l.lock != nil {
		err = errors.Join(err, l.lock.Close())
	}
	return err
}

// finish ends the log cleanly, once its goroutines have ended.
func (l *Log) finish() error {
	c := l.work.committer
	c.round(true)
	if err := l.Err(); err != nil {
		c.report()
		return err
	}
	if s := c.seg; s != nil {
		if err := c.closeSegment(s); err != nil {
			return fmt.Errorf("seal segment %016x: %w", s.number, err)
		}
	}
	if err := l.putBack(); err != nil {
		return err
	}
	return writeMark(l.o.FS, l.lastEnd())
}

// closeSegment seals the active segment before its time and gives back the
// room behind its footer.
func (c *committer) closeSegment(s *segment) error {
	s.end = offsetOf(c.prev)
	s.size = int64(s.end) + int64(len(c.foot.buf)) + trailerSize
	if err := c.writeFooter(s, 0); err != nil {
		return err
	}
	if err := s.file.file.Truncate(s.size); err != nil {
		return err
	}
	if err := s.file.file.Datasync(); err != nil {
		return err
	}
	s.sealed = true
	return nil
}

// putBack turns prepared segments that nothing was written to into spares, the
// newest first, so that the next start has nothing to scan.
func (l *Log) putBack() error {
	unused := []*segment{l.next}
	if s := l.segs.active(); !s.sealed {
		unused = append(unused, s)
		l.segs.all = l.segs.all[:len(l.segs.all)-1]
	}
	for _, s := range unused {
		if s == nil || !l.files.isReady(s) {
			continue
		}
		l.files.release(s)
		if err := l.files.recycle(s, l.files.drop(s), s.size); err != nil {
			return err
		}
	}
	l.next = nil
	return nil
}

// lastEnd returns the end of the last batch in any file, 0 when there is none.
func (l *Log) lastEnd() uint64 {
	for i := len(l.segs.all) - 1; i >= 0; i-- {
		if s := l.segs.all[i]; s.sealed && s.end > headerSize {
			return position(s.number, s.end)
		}
	}
	return 0
}
