package persistence

import (
	"errors"
	"slices"
	"sync"
)

// maxOpen bounds the files of sealed segments that stay open for readers.
const maxOpen = 64

// handle is the file of a segment. files.mu guards all but the methods of file;
// ahead belongs to the committer.
type handle struct {
	file    File
	users   int  // readers under way, and the committer while it writes
	dropped bool // reclaimed: nobody may start to read
	ready   bool // the file exists under its name, durably
	ahead   int64
}

func (h *handle) writeAt(b []byte, off uint32) error {
	_, err := h.file.WriteAt(b, int64(off))
	return err
}

// files opens and closes the files of segments.
type files struct {
	fs    FS
	prep  sync.Mutex    // held while a file is made ready or recycled; before mu
	freed chan struct{} // a token: a file was recycled
	pool  spares        // guarded by prep

	mu   sync.Mutex
	idle sync.Cond  // a segment has lost its last user
	open []*segment // sealed and open, least recently used first
}

// acquire returns the file of a segment for reading, opened if need be. release
// must follow. ErrMoved: the segment was reclaimed.
func (f *files) acquire(s *segment) (File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := &s.file
	if h.dropped {
		return nil, ErrMoved
	}
	if h.file == nil {
		file, err := f.fs.OpenFile(segmentName(s.number), false)
		if err != nil {
			return nil, err
		}
		h.file = file
		f.open = append(f.open, s)
		f.shrinkLocked()
	} else if i := len(f.open) - 1; i > 0 && f.open[i] != s {
		f.touchLocked(s)
	}
	h.users++
	return h.file, nil
}

func (f *files) release(s *segment) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.file.users--; s.file.users == 0 {
		f.idle.Broadcast()
	}
}

// unpin hands a segment over from the committer to readers.
func (f *files) unpin(s *segment) {
	f.mu.Lock()
	if !slices.Contains(f.open, s) {
		f.open = append(f.open, s)
	}
	f.shrinkLocked()
	f.mu.Unlock()
	f.release(s)
}

func (f *files) touchLocked(s *segment) {
	for i, o := range f.open {
		if o == s {
			copy(f.open[i:], f.open[i+1:])
			f.open[len(f.open)-1] = s
			return
		}
	}
}

func (f *files) shrinkLocked() {
	for i := 0; i < len(f.open) && len(f.open) > maxOpen; i++ {
		s := f.open[i]
		if s.file.users > 0 {
			continue
		}
		s.file.file.Close() // nothing was written through it since its last sync
		s.file.file = nil
		f.open = append(f.open[:i], f.open[i+1:]...)
		i--
	}
}

// drop waits until nobody reads the segment, keeps new readers away and
// returns its file, nil when it is not open.
func (f *files) drop(s *segment) File {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.file.dropped = true
	for s.file.users > 0 {
		f.idle.Wait()
	}
	for i, o := range f.open {
		if o == s {
			f.open = append(f.open[:i], f.open[i+1:]...)
			break
		}
	}
	file := s.file.file
	s.file.file = nil
	return file
}

// attach gives a segment its file, pinned for the committer.
func (f *files) attach(s *segment, file File, ahead int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.file = handle{file: file, users: 1, ready: true, ahead: ahead}
}

func (f *files) isReady(s *segment) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.file.ready
}

func (f *files) spareBytes() int64 {
	f.prep.Lock()
	defer f.prep.Unlock()
	var n int64
	for _, s := range f.pool.list {
		n += s.size
	}
	return n
}

// close closes the files of these segments, which may be nil, and the spares.
func (f *files) close(segs []*segment) error {
	f.prep.Lock()
	defer f.prep.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, s := range segs {
		if s != nil && s.file.file != nil {
			errs = append(errs, s.file.file.Close())
			s.file.file = nil
		}
	}
	for _, s := range f.pool.list {
		if s.file != nil {
			errs = append(errs, s.file.Close())
		}
	}
	f.open, f.pool.list = nil, nil
	return errors.Join(errs...)
}
