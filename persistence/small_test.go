package persistence

import (
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// smallDisk is a file system with an end.
type smallDisk struct {
	FS
	mu    sync.Mutex // guards what follows
	left  int64
	sizes map[string]int64
}

func (d *smallDisk) OpenFile(name string, create bool) (File, error) {
	f, err := d.FS.OpenFile(name, create)
	return &smallFile{f, d, name}, err
}

func (d *smallDisk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sizes[to] = d.sizes[from]
	delete(d.sizes, from)
	return d.FS.Rename(from, to)
}

func (d *smallDisk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left += d.sizes[name]
	delete(d.sizes, name)
	return d.FS.Remove(name)
}

// smallFile belongs to a name for as long as it is a spare: only then does it
// change its size.
type smallFile struct {
	File
	d    *smallDisk
	name string
}

func (f *smallFile) Allocate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	more := size - f.d.sizes[f.name]
	if more > f.d.left {
		return syscall.ENOSPC
	}
	f.d.left -= more
	f.d.sizes[f.name] = size
	return f.File.Allocate(size)
}

// TestSmallDisk: segments that no longer fit are made smaller, and a log that
// was full has room again once its messages are gone, with nobody's help.
func TestSmallDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const capacity = 10 << 20
		d := &smallDisk{FS: NewMemory(), left: capacity, sizes: map[string]int64{}}
		l, w := open(t, Options{FS: d})
		defer l.Close()
		n := uint64(0)
		for ; !l.Full(); n++ {
			w.publish([]uint64{1, n + 1}, 0, "", 50_000)
			synctest.Wait()
			if n > capacity/50_000 {
				t.Fatal("the disk has no end")
			}
		}
		if got := int64(n) * 50_000; got < capacity/3 {
			t.Errorf("full after %d octets of %d", got, int64(capacity))
		}
		for i := uint64(1); i <= n; i++ {
			w.settle(1, i, i)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if l.Full() {
			t.Errorf("still full: %+v", l.Stats())
		}
	})
}
