package logs

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/leveretmq/leveret/cmd/leveret/config"
)

// rotating is a file that is put aside as NAME.0 when it has grown to a size or
// a time has come; NAME.0 becomes NAME.1 and so on, and the oldest goes.
type rotating struct {
	name string
	o    config.Rotation
	now  func() time.Time

	mu   sync.Mutex // guards what follows
	f    *os.File
	size int64
	next time.Time // zero: not by time

	compressing sync.WaitGroup
}

func openRotating(name string, o config.Rotation) (*rotating, error) {
	r := &rotating{name: name, o: o, now: time.Now}
	return r, r.reopen()
}

// reopen opens the file by its name.
func (r *rotating) reopen() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, err := os.OpenFile(r.name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	if r.f != nil {
		r.f.Close() // nothing is buffered in it
	}
	r.f, r.size, r.next = f, info.Size(), r.o.At.Next(r.now())
	return nil
}

// Write writes one line, into a new file when it is time for one.
func (r *rotating) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	full := r.o.Size > 0 && r.size > 0 && r.size+int64(len(b)) > r.o.Size
	if full || !r.next.IsZero() && !r.now().Before(r.next) {
		if err := r.rotate(); err != nil {
			r.size = 0 // rather in the old file than nowhere; it is tried again later
		}
	}
	n, err := r.f.Write(b)
	r.size += int64(n)
	return n, err
}

// rotate puts the file aside.
func (r *rotating) rotate() error {
	r.compressing.Wait() // NAME.0 is about to move
	r.next = r.o.At.Next(r.now())
	for n := r.o.Keep - 1; n >= 0; n-- {
		for _, suffix := range []string{"", ".gz"} {
			if err := os.Rename(r.kept(n)+suffix, r.kept(n+1)+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	if err := os.Rename(r.name, r.kept(0)); err != nil {
		return err
	}
	f, err := os.OpenFile(r.name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	r.f.Close() // nothing is buffered in it
	r.f, r.size = f, 0
	for _, suffix := range []string{"", ".gz"} {
		_ = os.Remove(r.kept(r.o.Keep) + suffix) // most often there is none
	}
	if r.o.Compress && r.o.Keep > 0 {
		r.compressing.Go(func() { compress(r.kept(0)) }) // ends with the file; Close waits
	}
	return nil
}

func (r *rotating) kept(n int) string { return fmt.Sprintf("%s.%d", r.name, n) }

// compress replaces a file by NAME.gz; when that fails the file stays as it is.
func compress(name string) {
	if err := compressTo(name, name+".gz"); err != nil {
		_ = os.Remove(name + ".gz")
		return
	}
	_ = os.Remove(name)
}

func compressTo(name, target string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(target, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(out)
	_, err = io.Copy(z, in)
	return errors.Join(err, z.Close(), out.Close())
}

// Close closes the file and waits for what is being compressed.
func (r *rotating) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.compressing.Wait()
	return r.f.Close()
}
