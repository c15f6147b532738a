package persistence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"
)

// spare is a file of the log folder that is no segment at present.
type spare struct {
	name  string
	size  int64
	file  File  // nil when it is not open
	ahead int64 // written at least once up to here
}

// spares keeps recycled files and the reserve. Guarded by files.prep.
type spares struct {
	list   []spare
	serial uint64 // of the next name
}

// keepSpares is how many files are kept for later. One of them is the reserve:
// when the disk is full, settles and copies forward go on with it.
const keepSpares = 2

// fullRetry is how often a full disk is asked again.
const fullRetry = time.Second

// planLocked decides on the segment after the active one. Its file comes later.
func (l *Log) planLocked() *segment {
	a := l.segs.active()
	return &segment{number: a.number + 1, salt: rand.Uint64(), size: l.sizeAfter(a.size)}
}

// sizeAfter lets segments grow from 1 MiB, so that a broker in a test stays small.
func (l *Log) sizeAfter(size int64) int64 {
	next := min(int64(minSegment), l.o.SegmentSize)
	for next <= size && next < l.o.SegmentSize {
		next *= 2
	}
	return min(next, l.o.SegmentSize)
}

// provide sees to the file of a segment that the committer is about to write.
// When the disk is full it waits: publishers are held back meanwhile, and the
// cleaner may free a segment.
func (l *Log) provide(s *segment) error {
	for {
		err := l.makeReady(s)
		if err == nil {
			err = l.fit(s)
		}
		if err == nil || !noSpace(err) {
			return err
		}
		l.setFull(true, err)
		retry := time.NewTimer(fullRetry)
		select {
		case <-retry.C:
		case <-l.files.freed:
		case <-l.work.stop:
			retry.Stop()
			return err
		}
		retry.Stop()
	}
}

// makeReady gives the segment a file of its planned size, with its header,
// under its name; all of that is durable when it returns.
func (l *Log) makeReady(s *segment) error {
	f := &l.files
	f.prep.Lock()
	defer f.prep.Unlock()
	l.mu.Lock()
	size := s.size
	l.mu.Unlock()
	if f.isReady(s) {
		return nil
	}
	sp, err := f.takeSpare(size)
	if err != nil {
		return err
	}
	if _, err = sp.file.WriteAt(newHeader(s.number, s.salt), 0); err == nil {
		err = sp.file.Datasync()
	}
	if err == nil {
		err = f.fs.Rename(sp.name, segmentName(s.number))
	}
	if err == nil {
		err = f.fs.SyncDir(logDir)
	}
	if err != nil {
		sp.file.Close()
		return fmt.Errorf("make segment %016x: %w", s.number, err)
	}
	f.attach(s, sp.file, sp.ahead)
	return nil
}

// fit brings the file of the committer's segment to a size planned later: a
// record larger than a usual segment has come.
func (l *Log) fit(s *segment) error {
	l.mu.Lock()
	size := s.size
	l.mu.Unlock()
	have, err := s.file.file.Size()
	if err != nil || have == size {
		return err
	}
	if err := s.file.file.Allocate(size); err != nil {
		return err
	}
	return s.file.file.Datasync()
}

// takeSpare returns an open file of that size which is no segment: a spare of
// the same size, else a new one, else any spare, cut or grown.
func (f *files) takeSpare(size int64) (spare, error) {
	for i := range f.pool.list {
		if f.pool.list[i].size == size {
			return f.openSpare(i, size)
		}
	}
	sp, err := f.newSpare(size)
	if err != nil && noSpace(err) {
		for i := range f.pool.list {
			if f.pool.list[i].size >= size {
				return f.openSpare(i, size)
			}
		}
		if len(f.pool.list) > 0 {
			return f.openSpare(0, size)
		}
	}
	return sp, err
}

func (f *files) newSpare(size int64) (spare, error) {
	f.pool.serial++
	sp := spare{name: spareName(f.pool.serial), size: size}
	file, err := f.fs.OpenFile(sp.name, true)
	if err != nil {
		return spare{}, err
	}
	sp.file = file
	if err = file.Allocate(size); err == nil {
		return sp, nil
	}
	file.Close()
	return spare{}, errors.Join(err, f.fs.Remove(sp.name))
}

// openSpare takes a spare out of the list. When it fails the spare stays there.
func (f *files) openSpare(i int, size int64) (spare, error) {
	sp := &f.pool.list[i]
	var err error
	if sp.file == nil {
		if sp.file, err = f.fs.OpenFile(sp.name, false); err != nil {
			return spare{}, err
		}
	}
	if sp.size != size {
		if err := sp.file.Allocate(size); err != nil {
			return spare{}, err
		}
		sp.size = size
	}
	taken := *sp
	f.pool.list = append(f.pool.list[:i], f.pool.list[i+1:]...)
	return taken, nil
}

// stock prepares what will be needed: the files of segments that have none yet,
// in order, so that a crash leaves no gap; the next segment; the reserve. The
// cleaner calls it. An error other than a full disk is left to the committer:
// it tries again when it needs the segment, and ends the log if it must.
func (l *Log) stock() {
	err := l.stockFiles()
	if err != nil && !noSpace(err) {
		l.o.Logger.LogAttrs(context.Background(), slog.LevelWarn, "cannot prepare a log segment", slog.Any("err", err))
	}
	l.setFull(noSpace(err), err)
}

func (l *Log) stockFiles() error {
	missing, reserve := l.missing()
	for _, s := range missing {
		err := l.makeReady(s)
		for noSpace(err) && l.shrink(s) {
			err = l.makeReady(s)
		}
		if err != nil {
			return err
		}
	}
	if reserve == 0 {
		return nil
	}
	err := l.files.reserve(reserve)
	for noSpace(err) && reserve/2 >= l.leastSize() {
		reserve /= 2
		err = l.files.reserve(reserve)
	}
	return err
}

// shrink plans half the size for a segment that nothing is in yet, so that the
// last of the disk is used too.
func (l *Log) shrink(s *segment) bool {
	least := l.leastSize()
	l.mu.Lock()
	defer l.mu.Unlock()
	if s != l.next || s.size/2 < least {
		return false
	}
	s.size /= 2
	return true
}

// leastSize is half of the oldest segment's: when the disk is full, what lives
// in it has to go somewhere, the next segment and the reserve.
func (l *Log) leastSize() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.segs.all[0].size/2, l.sizeAfter(0))
}

// missing returns the segments without a file, ascending. The last of them is
// the next one, planned here once the log is in use; then there is to be a
// reserve of that size as well.
func (l *Log) missing() (out []*segment, reserve int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return nil, 0
	}
	active := l.segs.active()
	if l.next == nil && (l.end > position(active.number, headerSize) || l.segs.first < active.number) {
		l.next = l.planLocked()
	}
	for i := len(l.segs.all) - 1; i >= 0 && !l.files.isReady(l.segs.all[i]); i-- {
		out = append(out, l.segs.all[i])
	}
	slices.Reverse(out)
	if l.next != nil {
		out = append(out, l.next)
		reserve = l.sizeAfter(active.size)
	}
	return out, reserve
}

// reserve sees to one spare file of that size.
func (f *files) reserve(size int64) error {
	f.prep.Lock()
	defer f.prep.Unlock()
	for _, s := range f.pool.list {
		if s.size >= size {
			return nil
		}
	}
	sp, err := f.newSpare(size)
	if err != nil {
		return err
	}
	f.pool.list = append(f.pool.list, sp)
	return f.trim(1, size)
}

// recycle turns the file of a reclaimed segment into a spare. The new name is
// durable before the next life of the file begins; else a crash could bring
// back a segment whose contents are another's.
func (f *files) recycle(s *segment, file File, want int64) error {
	f.prep.Lock()
	defer f.prep.Unlock()
	f.pool.serial++
	sp := spare{name: spareName(f.pool.serial), size: s.size, file: file, ahead: s.size}
	if err := f.fs.Rename(segmentName(s.number), sp.name); err != nil {
		return fmt.Errorf("recycle segment %016x: %w", s.number, err)
	}
	if err := f.fs.SyncDir(logDir); err != nil {
		return fmt.Errorf("recycle segment %016x: %w", s.number, err)
	}
	f.pool.list = append(f.pool.list, sp)
	err := f.trim(keepSpares, want)
	select {
	case f.freed <- struct{}{}:
	default:
	}
	return err
}

// trim removes spares beyond keep, those first that do not have the wanted size.
func (f *files) trim(keep int, want int64) error {
	for len(f.pool.list) > keep {
		i := 0
		for j := range f.pool.list {
			if f.pool.list[j].size != want {
				i = j
				break
			}
		}
		sp := f.pool.list[i]
		f.pool.list = append(f.pool.list[:i], f.pool.list[i+1:]...)
		if sp.file != nil {
			sp.file.Close() // its contents are of no interest
		}
		if err := f.fs.Remove(sp.name); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) setFull(full bool, cause error) {
	l.space.setFull(full, func() {
		if full {
			l.o.Logger.LogAttrs(context.Background(), slog.LevelWarn, "no further log segment can be had; publishers wait", slog.Any("err", cause))
		} else {
			l.o.Logger.LogAttrs(context.Background(), slog.LevelInfo, "log segments can be had again")
		}
		l.o.OnFull(full)
	})
}

func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
