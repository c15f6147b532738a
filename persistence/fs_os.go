package persistence

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// OS returns the file system of the operating system, rooted at dir. The
// folder is made when the first file in it is.
func OS(dir string) FS { return osFS(dir) }

type osFS string

func (f osFS) path(name string) string { return filepath.Join(string(f), filepath.FromSlash(name)) }

func (f osFS) OpenFile(name string, create bool) (File, error) {
	p := f.path(name)
	flag := os.O_RDWR
	if create {
		flag |= os.O_CREATE
	}
	file, err := os.OpenFile(p, flag, 0o600) // os adds O_CLOEXEC
	if create && errors.Is(err, os.ErrNotExist) {
		if err := makeDir(filepath.Dir(p)); err != nil {
			return nil, err
		}
		file, err = os.OpenFile(p, flag, 0o600)
	}
	if err != nil {
		return nil, err
	}
	return osFile{file}, nil
}

// makeDir makes a folder, and makes that durable.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return osFS(filepath.Dir(dir)).SyncDir(".")
}

func (f osFS) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(f.path(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

func (f osFS) Rename(from, to string) error { return os.Rename(f.path(from), f.path(to)) }

func (f osFS) Remove(name string) error { return os.Remove(f.path(name)) }

func (f osFS) SyncDir(dir string) error {
	d, err := os.Open(f.path(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Lock uses flock: the kernel gives the lock back when the process dies, so a
// stale file never keeps anybody out. The process id inside is for the error
// message only.
func (f osFS) Lock(name string) (io.Closer, error) {
	file, err := f.OpenFile(name, true)
	if err != nil {
		return nil, err
	}
	o := file.(osFile).File
	if err := syscall.Flock(int(o.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(o, 32))
		o.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", f.path(name), err)
		}
		who := "another process"
		if pid, err := strconv.Atoi(strings.TrimSpace(string(holder))); err == nil {
			who = fmt.Sprintf("process %d", pid)
		}
		return nil, fmt.Errorf("data directory %s is in use by %s: %w", string(f), who, ErrLocked)
	}
	if err := o.Truncate(0); err == nil {
		_, err = o.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		_ = err // the number only makes a later error message better
	}
	return o, nil
}

type osFile struct{ *os.File }

func (f osFile) Datasync() error { return datasync(f.File) }

func (f osFile) Allocate(size int64) error { return allocate(f.File, size) }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
