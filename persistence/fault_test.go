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
		first := l.segs.first
		for i := uint64(1); i <= n; i++ {
			w.settle(1, i, i)
		}
		await(t, l, l.end)
		synctest.Wait()
		if err := <-waited; err != nil || l.Full() {
			t.Fatalf("Wait returned %v, full is %v", err, l.Full())
		}
		if l.segs.first == first || fmt.Sprint(full) != "[true false]" {
			t.Errorf("oldest segment is %d, OnFull was told %v", l.segs.first, full)
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
		if l.Notify(l.end, done) {
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

func TestWriteErrors(t *testing.T) {
	for _, op := range []string{"write", "sync", "rename", "syncdir", "create"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { failOnce(t, op) })
		})
	}
}

// failOnce lets one call fail, and checks that the log trusts nothing after it.
func failOnce(t *testing.T, op string) {
	fs := NewMemory()
	var told []error
	l, w := open(t, Options{FS: fs, SegmentSize: 16 << 10, OnError: func(err error) { told = append(told, err) }})
	await(t, l, w.publish([]uint64{1, 1}, 0, "", 100))
	synctest.Wait()
	failed := false
	fs.SetFault(func(_ int, o, name string) error {
		if o != op || failed {
			return nil
		}
		failed = true
		return fmt.Errorf("%s %s: %w", o, name, syscall.EIO)
	})
	durable := l.Durable()
	done := make(signal, 100)
	var confirmed int
	for i := uint64(2); i < 60 && l.Err() == nil; i++ {
		pos := w.publish([]uint64{1, i}, 0, "", 900)
		if l.Notify(pos, done) {
			confirmed++
		}
		if op == "write" || op == "sync" {
			synctest.Wait()
		}
	}
	time.Sleep(time.Second)
	if op == "create" || op == "rename" || op == "syncdir" {
		// Preparing ahead may fail without harm; the committer tries again.
		if !failed {
			t.Fatalf("no %s was made", op)
		}
		if l.Err() == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	if !errors.Is(l.Err(), syscall.EIO) || len(told) != 1 || told[0] != l.Err() {
		t.Fatalf("Err is %v, OnError was told %v", l.Err(), told)
	}
	if op == "write" || op == "sync" {
		if len(done) > 0 || confirmed > 0 || l.Durable() != durable {
			t.Errorf("%d confirmed after the error", len(done)+confirmed)
		}
	}
	if err := l.Wait(1, nil); !errors.Is(err, syscall.EIO) {
		t.Errorf("Wait returned %v", err)
	}
	a := w.publish([]uint64{1, 1000}, 0, "", 100)
	if b := w.publish([]uint64{1, 1001}, 0, "", 20_000); b <= a {
		t.Errorf("positions %x, %x do not rise", a, b)
	}
	if l.Notify(a, done) {
		t.Error("durable after the end")
	}
	if err := l.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Close returned %v", err)
	}
	l, _ = open(t, Options{FS: fs, SegmentSize: 16 << 10})
	defer l.Close()
	if l.Clean() {
		t.Error("clean after an error")
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
			await(t, l, l.end)
		}
	}
	e := w.live[pair{1, 5}]
	f := fs.names[segmentName(segmentOf(e.pos))]
	tests := []struct {
		name string
		off  int64
	}{
		{"head", 12}, {"payload", 500}, {"length", 5}, {"kind", 8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at := int64(offsetOf(e.pos)) + tt.off
			var b [1]byte
			f.read(b[:], at)
			f.write([]byte{b[0] ^ 1}, at)
			defer f.write(b[:], at)
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
