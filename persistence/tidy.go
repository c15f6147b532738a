package persistence

import "fmt"

// tidy leaves only sealed segments behind: prepared ones that were never used
// become spares, what was scanned gets its footer. All of it is durable before
// the run confirms anything; a crash in between leads here again.
func (r *recovery) tidy() error {
	l := r.log
	for len(l.segs.all) > 0 {
		s := l.segs.active()
		if s.sealed || s.end > headerSize {
			break
		}
		l.segs.all = l.segs.all[:len(l.segs.all)-1]
		l.files.release(s)
		if err := l.files.recycle(s, l.files.drop(s), 0); err != nil {
			return err
		}
	}
	for _, s := range r.scanned {
		if l.segs.at(s.number) != s.segment {
			continue
		}
		if err := l.sealScanned(s); err != nil {
			return fmt.Errorf("seal segment %016x: %w", s.number, err)
		}
	}
	return nil
}

// sealScanned writes the footer that scanning has built and cuts the file
// behind it; the torn tail goes with that. The records are synced first: they
// may have been read from a cache that a killed process has left behind.
func (l *Log) sealScanned(s *found) error {
	t := trailer{
		number: s.number, salt: s.salt, prev: s.first, end: s.end, flags: s.flags,
		length: uint32(len(s.foot)), sum: checksum(s.foot), count: s.count,
	}
	b := t.append(append([]byte(nil), s.foot...))
	size := int64(s.end) + int64(len(b))
	if err := s.file.Datasync(); err != nil {
		return err
	}
	if _, err := s.file.WriteAt(b, int64(s.end)); err != nil {
		return err
	}
	if err := s.file.Truncate(size); err != nil {
		return err
	}
	if err := s.file.Datasync(); err != nil {
		return err
	}
	s.size = size
	s.sealed, s.footer = true, uint32(len(b))
	l.files.unpin(s.segment)
	return nil
}

// setAside keeps the file of an unreadable segment under another name and puts
// an empty one in its place.
func (r *recovery) setAside(n uint64) error {
	fs := r.log.files.fs
	if err := fs.Rename(segmentName(n), fmt.Sprintf("%s/%016x.bad", logDir, n)); err != nil {
		return err
	}
	return r.placeholder(n)
}

// placeholder makes an empty, sealed segment where one was lost, so that the
// next start finds no gap.
func (r *recovery) placeholder(n uint64) error {
	fs := r.log.files.fs
	file, err := fs.OpenFile(segmentName(n), true)
	if err != nil {
		return err
	}
	t := trailer{number: n, salt: n, end: headerSize, flags: trailerSalvaged, sum: checksum(nil)}
	b := t.append(newHeader(n, n))
	if _, err = file.WriteAt(b, 0); err == nil {
		err = file.Datasync()
	}
	if err == nil {
		err = fs.SyncDir(logDir)
	}
	if err != nil {
		file.Close()
		return err
	}
	s := &found{segment: &segment{number: n, salt: n, size: int64(len(b)), end: headerSize, sealed: true, footer: trailerSize}, file: file}
	s.flags = trailerSalvaged
	return r.take(s)
}
