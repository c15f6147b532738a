package persistence

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// disk lets a Memory run full: allocate fails while it is set.
type disk struct{ full atomic.Bool }

func (d *disk) fault(_ int, op, _ string) error {
	if d.full.Load() && op == "allocate" {
		return fmt.Errorf("allocate: %w", syscall.ENOSPC)
	}
	return nil
}

func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disk
		fs := NewMemory()
		fs.SetFault(d.fault)
		var full []bool
		l, w := open(t, Options{FS: fs, SegmentSize: 16 << 10, OnFull: func(b bool) { full = append(full, b) }})
		defer l.Close()
		n := uint64(0)
		publish := func() {
			n++
			w.publish([]uint64{1, n}, 0, "", 1000)
			synctest.Wait()
		}
		publish()
		d.full.Store(true)
		for !l.Full() {
			publish()
		}
		if fmt.Sprint(full) != "[true]" || !l.Stats().Full {
			t.Fatalf("OnFull was told %v", full)
		}

		stop := make(chan struct{})
		waited := make(chan error, 2)
		go func() { waited <- l.Wait(100, stop) }()
		go func() { waited <- l.Wait(100, nil) }()
		synctest.Wait()
		close(stop)
		if err := <-waited; !errors.Is(err, ErrStopped) {
			t.Fatalf("a stopped Wait returned %v", err)
		}
		// Settles need no room and make some.
		first := oldest(l)
		for i := uint64(1); i <= n; i++ {
			w.settle(1, i, i)
		}
		await(t, l, everything)
		synctest.Wait()
		if err := <-waited; err != nil || l.Full() {
			t.Fatalf("Wait returned %v, full is %v", err, l.Full())
		}
		if oldest(l) == first || fmt.Sprint(full) != "[true false]" {
			t.Errorf("oldest segment is %d, OnFull was told %v", oldest(l), full)
		}
	})
}

// When even the reserve is used up, appends stay in memory until there is room.
func TestDiskQuiteFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disk
		fs := NewMemory()
		fs.SetFault(d.fault)
		l, w := open(t, Options{FS: fs, SegmentSize: 16 << 10})
		d.full.Store(true)
		for i := uint64(1); i <= 200; i++ { // publishers that do not ask
			w.publish([]uint64{1, i}, 0, "", 1000)
		}
		done := make(signal, 1)
		if l.Notify(everything, done) {
			t.Fatal("durable without a disk")
		}
		time.Sleep(10 * time.Second)
		if len(done) > 0 || l.Err() != nil {
			t.Fatalf("err %v, notified %d", l.Err(), len(done))
		}
		w.check(t)
		d.full.Store(false)
		<-done
		synctest.Wait()
		if l.Full() {
			t.Error("still full")
		}
		w.check(t)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l, w = open(t, Options{FS: fs, SegmentSize: 16 << 10})
		defer l.Close()
		if len(w.live) != 200 {
			t.Errorf("%d messages, want 200", len(w.live))
		}
	})
}

// A message larger than a segment needs more room than the prepared file has.
func TestDiskFullForLargeRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d disk
		fs := NewMemory()
		fs.SetFault(d.fault)
		l, w := open(t, Options{FS: fs, SegmentSize: 16 << 10})
		defer l.Close()
		await(t, l, w.publish([]uint64{1, 1}, 0, "", 100))
		synctest.Wait()
		d.full.Store(true)
		pos := w.publish([]uint64{1, 2}, 0, "", 100_000)
		done := make(signal, 1)
		l.Notify(pos, done)
		time.Sleep(5 * time.Second)
		if len(done) > 0 {
			t.Fatal("durable on a full disk")
		}
		d.full.Store(false)
		<-done
		w.check(t)
	})
}

// once lets the first call of one kind fail.
func once(fs *Memory, op string) (failed *atomic.Bool) {
	failed = new(atomic.Bool)
	fs.SetFault(func(_ int, o, name string) error {
		if o != op || failed.Swap(true) {
			return nil
		}
		return fmt.Errorf("%s %s: %w", o, name, syscall.EIO)
	})
	return failed
}

// The first error of a write or sync ends the log: nothing is trusted after it.
func TestWriteErrors(t *testing.T) {
	for _, op := range []string{"write", "sync"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs := NewMemory()
				var told []error
				l, w := open(t, Options{FS: fs, OnError: func(err error) { told = append(told, err) }})
				await(t, l, w.publish([]uint64{1, 1}, 0, "", 100))
				synctest.Wait()
				once(fs, op)
				durable := l.Durable()
				done := make(signal, 100)
				for i := uint64(2); i < 10; i++ {
					if l.Notify(w.publish([]uint64{1, i}, 0, "", 900), done) {
						t.Error("durable at once")
					}
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if !errors.Is(l.Err(), syscall.EIO) || len(told) != 1 || told[0] != l.Err() {
					t.Fatalf("Err is %v, OnError was told %v", l.Err(), told)
				}
				if len(done) > 0 || l.Durable() != durable {
					t.Errorf("%d confirmed after the error", len(done))
				}
				checkDead(t, l, w)
				if err := l.Close(); !errors.Is(err, syscall.EIO) {
					t.Errorf("Close returned %v", err)
				}
				l, w = open(t, Options{FS: fs})
				defer l.Close()
				if _, ok := w.live[pair{1, 1}]; !ok || l.Clean() {
					t.Errorf("clean after an error: %v, or the first message is lost", l.Clean())
				}
			})
		})
	}
}

// checkDead uses a log that has died: harmless, and of no effect.
func checkDead(t *testing.T, l *Log, w *owner) {
	t.Helper()
	if err := l.Wait(1, nil); !errors.Is(err, l.Err()) {
		t.Errorf("Wait returned %v", err)
	}
	last := uint64(0)
	for i := range uint64(5) {
		pos := w.publish([]uint64{1, 1000 + i}, 0, "", 20_000)
		if pos <= last {
			t.Errorf("position %x after %x", pos, last)
		}
		last = pos
	}
	w.settle(1, 1000, 1004)
	if l.Notify(last, make(signal, 1)) {
		t.Error("durable after the end")
	}
	if e := w.live[pair{1, 1}]; e.size > 0 {
		if _, err := l.Read(e.pos, e.size, nil); err != nil {
			t.Errorf("what was synced cannot be read: %v", err)
		}
	}
}

// Preparing a segment ahead may fail without harm: it is tried again.
func TestPrepareErrors(t *testing.T) {
	for _, op := range []string{"create", "allocate", "rename", "syncdir"} {
		t.Run(op, func(t *testing.T) {
			fs := NewMemory()
			l, w := open(t, Options{FS: fs, SegmentSize: 16 << 10})
			await(t, l, w.publish([]uint64{1, 0}, 0, "", 100))
			failed := once(fs, op)
			n := 1
			for ; !failed.Load() || n%100 > 0; n++ {
				await2(l, w.publish([]uint64{1, uint64(n)}, 0, "", 900))
			}
			if err := l.Close(); err != nil && !errors.Is(err, syscall.EIO) {
				t.Fatal(err)
			} else if err != nil { // it was the committer's own try
				return
			}
			l, w = open(t, Options{FS: fs, SegmentSize: 16 << 10})
			defer l.Close()
			if len(w.live) != n {
				t.Errorf("%d messages, want %d", len(w.live), n)
			}
			w.check(t)
		})
	}
}

func TestOpenErrors(t *testing.T) {
	base, _ := manySegments(t)
	for n := 1; ; n++ {
		m := still(base)
		first := 0
		m.SetFault(func(call int, _, _ string) error {
			if first == 0 {
				first = call
			}
			if call == n {
				return syscall.EIO
			}
			return nil
		})
		l, err := Open(Options{FS: m, Owner: newOwner(), SegmentSize: 16 << 10})
		if err == nil {
			l.Close()
			if n < 3 {
				t.Errorf("call %d failed and nobody saw it", n)
			}
			return
		}
		if !errors.Is(err, syscall.EIO) {
			t.Fatalf("call %d: %v", n, err)
		}
		m.SetFault(nil) // the lock is free and another try works
		l, err = Open(Options{FS: m, Owner: newOwner(), SegmentSize: 16 << 10})
		if err != nil {
			t.Fatalf("after call %d failed: %v", n, err)
		}
		l.Close()
	}
}

func TestReadErrors(t *testing.T) {
	fs := NewMemory()
	l, w := open(t, Options{FS: fs, SegmentSize: 16 << 10, CacheBytes: 1})
	defer l.Close()
	for i := uint64(1); i <= 100; i++ {
		w.publish([]uint64{1, i}, 0, "", 1000)
		if i%10 == 0 {
			await(t, l, everything)
		}
	}
	e := w.live[pair{1, 5}]
	tests := []struct {
		name string
		off  int64
	}{
		{"head", 12}, {"payload", 500}, {"length", 5}, {"kind", 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, at := segmentName(segmentOf(e.pos)), int64(offsetOf(e.pos))+tt.off
			flip(t, fs, name, at)
			defer flip(t, fs, name, at)
			_, err := l.Read(e.pos, e.size, nil)
			if bad := (*CorruptionError)(nil); !errors.As(err, &bad) || !strings.Contains(bad.File, "seg") {
				t.Fatalf("Read returned %v", err)
			}
			err = l.ReadBatch([]uint64{e.pos}, []uint32{e.size}, nil, func(int, []byte) { t.Error("visited") })
			if bad := (*CorruptionError)(nil); !errors.As(err, &bad) {
				t.Fatalf("ReadBatch returned %v", err)
			}
		})
	}
	if _, err := l.Read(e.pos, e.size+1, nil); err == nil {
		t.Error("a wrong size was accepted")
	}
	if _, err := l.Read(1, 10, nil); !errors.Is(err, ErrMoved) {
		t.Errorf("a position before the log: %v", err)
	}
	if got, err := l.Read(e.pos, e.size, []byte("kept")); err != nil || string(got[:4]) != "kept" {
		t.Errorf("Read after repair: %v", err)
	}
}
