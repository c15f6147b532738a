package persistence

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

// ErrPowerCut is what every call of a Memory returns once its power is off.
var ErrPowerCut = errors.New("power is off")

// Memory is an FS in memory. It knows which writes and directory changes were
// synced, so that Crash can tell what a power cut might leave behind.
type Memory struct {
	mu     sync.Mutex
	names  map[string]*memFile // as programs see it
	stable map[string]*memFile // as of the last SyncDir of each folder
	ops    []dirOp             // not synced, oldest first
	locked map[string]bool
	fault  func(call int, op, name string) error
	calls  int
	off    bool
}

// dirOp is a change of the name space: from is empty for a creation, to for a
// removal.
type dirOp struct {
	from, to string
	file     *memFile // created
}

// NewMemory returns an empty file system.
func NewMemory() *Memory {
	return &Memory{names: map[string]*memFile{}, stable: map[string]*memFile{}, locked: map[string]bool{}}
}

// SetFault has f asked before every call that changes something. Calls are
// numbered from 1; op is "create", "write", "sync", "truncate", "allocate", "rename",
// "remove" or "syncdir". An error makes the call fail without effect. ErrPowerCut
// turns the power off: the call may have had its effect, but nothing is synced
// any more. f may block, and may be called concurrently.
func (m *Memory) SetFault(f func(call int, op, name string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

// Calls returns how many calls have changed something.
func (m *Memory) Calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

// check counts a call. skip: it must not have an effect. m.mu is not held.
func (m *Memory) check(op, name string) (skip bool, err error) {
	m.mu.Lock()
	if m.off {
		m.mu.Unlock()
		return true, ErrPowerCut
	}
	m.calls++
	call, fault := m.calls, m.fault
	m.mu.Unlock()
	if fault == nil {
		return false, nil
	}
	err = fault(call, op, name)
	if errors.Is(err, ErrPowerCut) {
		m.mu.Lock()
		m.off = true
		m.mu.Unlock()
		return op == "sync" || op == "syncdir", err
	}
	return err != nil, err
}

// OpenFile implements FS.
func (m *Memory) OpenFile(name string, create bool) (File, error) {
	f, err := m.lookup(name)
	if f == nil && err == nil && create {
		f, err = m.create(name)
	} else if f == nil && err == nil {
		err = fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	return &memHandle{m, f, name}, nil
}

func (m *Memory) lookup(name string) (*memFile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.off {
		return nil, ErrPowerCut
	}
	return m.names[name], nil
}

func (m *Memory) create(name string) (*memFile, error) {
	skip, err := m.check("create", name)
	if skip {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	f := &memFile{saved: map[int64][]byte{}}
	m.names[name] = f
	m.ops = append(m.ops, dirOp{to: name, file: f})
	return f, err
}

// ReadDir implements FS.
func (m *Memory) ReadDir(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.off {
		return nil, ErrPowerCut
	}
	var names []string
	for name := range m.names {
		if path.Dir(name) == path.Clean(dir) {
			names = append(names, path.Base(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Rename implements FS.
func (m *Memory) Rename(from, to string) error { return m.change("rename", dirOp{from: from, to: to}) }

// Remove implements FS.
func (m *Memory) Remove(name string) error { return m.change("remove", dirOp{from: name}) }

func (m *Memory) change(op string, d dirOp) error {
	if f, err := m.lookup(d.from); err != nil {
		return err
	} else if f == nil {
		return fmt.Errorf("%s %s: %w", op, d.from, fs.ErrNotExist)
	}
	skip, err := m.check(op, d.from)
	if !skip {
		m.mu.Lock()
		defer m.mu.Unlock()
		d.apply(m.names)
		m.ops = append(m.ops, d)
	}
	return err
}

func (d dirOp) apply(names map[string]*memFile) {
	f := d.file
	if d.from != "" {
		f = names[d.from]
		if f == nil { // what it acts on never reached the disk
			return
		}
		delete(names, d.from)
	}
	if d.to != "" {
		names[d.to] = f
	}
}

// SyncDir implements FS.
func (m *Memory) SyncDir(dir string) error {
	if skip, err := m.check("syncdir", dir); skip || err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ops = slices.DeleteFunc(m.ops, func(d dirOp) bool {
		if path.Dir(d.from+d.to) != path.Clean(dir) && !strings.HasPrefix(d.from+d.to, path.Clean(dir)+"/") {
			return false
		}
		d.apply(m.stable)
		return true
	})
	return nil
}

// Lock implements FS.
func (m *Memory) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.off {
		return nil, ErrPowerCut
	}
	if m.locked[name] {
		return nil, fmt.Errorf("file system in memory is in use: %w", ErrLocked)
	}
	m.locked[name] = true
	return unlocker{m, name}, nil
}

type unlocker struct {
	m    *Memory
	name string
}

func (u unlocker) Close() error {
	u.m.mu.Lock()
	defer u.m.mu.Unlock()
	delete(u.m.locked, u.name)
	return nil
}
