package persistence

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestReopen(t *testing.T) {
	for _, tt := range []struct {
		name string
		fs   func() FS
	}{
		{"disk", func() FS { return OS(t.TempDir()) }},
		{"memory", func() FS { return NewMemory() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fs := tt.fs()
			l, w := open(t, Options{FS: fs})
			for i := uint64(1); i <= 1000; i++ {
				w.publish([]uint64{7, i}, 0, "", 100)
			}
			await(t, l, w.settle(7, 1, 500))
			w.check(t)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				l, w = open(t, Options{FS: fs})
				if n := len(w.live); n != 500 {
					t.Fatalf("%d live messages after a restart, want 500", n)
				}
				if !l.Clean() {
					t.Error("the stop was clean")
				}
				w.check(t)
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				if err := l.Close(); !errors.Is(err, ErrClosed) {
					t.Errorf("second Close returned %v", err)
				}
			}
		})
	}
}

func TestOptions(t *testing.T) {
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"no file system", Options{Owner: newOwner()}, "must be set"},
		{"no owner", Options{FS: NewMemory()}, "must be set"},
		{"small segments", Options{FS: NewMemory(), Owner: newOwner(), SegmentSize: 100}, "SegmentSize"},
		{"huge segments", Options{FS: NewMemory(), Owner: newOwner(), SegmentSize: 4 << 30}, "SegmentSize"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Open(tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestPositions(t *testing.T) {
	l, w := open(t, Options{FS: NewMemory(), SegmentSize: 16 << 10})
	defer l.Close()
	last := uint64(0)
	for i := uint64(1); i < 300; i++ {
		pos := w.publish([]uint64{1, i}, 0, "", int(i*7))
		if pos <= last || pos>>63 != 0 {
			t.Fatalf("position %x after %x", pos, last)
		}
		last = pos
	}
	if pos := l.Begin().Commit(); pos != 0 {
		t.Errorf("an empty append has position %x", pos)
	}
	w.check(t)
}

// Nobody waits, and still everything is synced within SettleSync; then nothing
// runs any more.
func TestSettleSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := NewMemory()
		l, w := open(t, Options{FS: fs})
		defer l.Close()
		start := time.Now()
		w.publish([]uint64{1, 1}, 0, "", 100)
		synctest.Wait()
		syncs := l.Stats().Syncs
		time.Sleep(199 * time.Millisecond)
		synctest.Wait()
		if n := l.Stats().Syncs; n != syncs {
			t.Errorf("%d syncs before it was due", n-syncs)
		}
		pos := w.settle(1, 1, 1)
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if pos >= l.Durable() || l.Stats().Backlog != 0 {
			t.Errorf("not durable %v after the append", time.Since(start))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		calls := fs.Calls()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := fs.Calls(); n != calls {
			t.Errorf("an idle log made %d calls", n-calls)
		}
	})
}

// Volatile records are never synced for their own sake.
func TestVolatile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := NewMemory()
		l, w := open(t, Options{FS: fs, Incarnation: 5, CacheBytes: 1})
		synctest.Wait()
		for i := range uint64(30) {
			w.publish([]uint64{1, i}, FlagVolatile, "", 100_000)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := l.Stats(); n.Syncs > 0 && n.Written == 0 {
			t.Errorf("%d syncs, %d octets written", n.Syncs, n.Written)
		}
		w.check(t)
		await(t, l, w.publish([]uint64{2, 1}, 0, "", 10))
		l.Close()
		for _, tt := range []struct {
			incarnation uint64
			want        int
		}{{5, 31}, {6, 1}} {
			l, w = open(t, Options{FS: fs, Incarnation: tt.incarnation})
			if len(w.live) != tt.want {
				t.Errorf("%d messages in incarnation %d, want %d", len(w.live), tt.incarnation, tt.want)
			}
			l.Close()
		}
	})
}

// Everything that arrives while a sync runs shares the next one.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := NewMemory()
		l, w := open(t, Options{FS: fs})
		defer l.Close()
		await(t, l, w.publish([]uint64{1, 1}, 0, "", 100))
		synctest.Wait()
		slow := make(chan struct{})
		fs.SetFault(func(_ int, op, _ string) error {
			if op == "sync" {
				<-slow
			}
			return nil
		})
		done := make(signal, 100)
		l.Notify(w.publish([]uint64{1, 2}, 0, "", 100), done)
		synctest.Wait()
		before := l.Stats().Syncs
		for i := range uint64(50) {
			if l.Notify(w.publish([]uint64{1, 3 + i}, 0, "", 100), done) {
				t.Fatal("durable before its sync")
			}
		}
		close(slow)
		synctest.Wait()
		if n := l.Stats().Syncs - before; n != 2 {
			t.Errorf("%d syncs, want 2", n)
		}
		if len(done) != 51 {
			t.Errorf("%d notices, want 51", len(done))
		}
		for range 51 {
			if pos := <-done; pos > l.Durable() {
				t.Errorf("told %x, durable is %x", pos, l.Durable())
			}
		}
	})
}

func TestNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, w := open(t, Options{FS: NewMemory()})
		defer l.Close()
		done := make(signal, 10)
		if !l.Notify(0, done) || !l.Notify(l.Durable(), done) {
			t.Error("nothing was appended, and yet it is not durable")
		}
		base := w.publish([]uint64{1, 1}, 0, "", 100)
		l.mu.Lock()
		end := l.end
		l.mu.Unlock()
		for name, pos := range map[string]uint64{"base": base, "end": end, "beyond": end + 1000} {
			if l.Notify(pos, done) {
				t.Errorf("%s is durable at once", name)
			}
		}
		synctest.Wait()
		if len(done) != 3 {
			t.Fatalf("%d notices, want 3", len(done))
		}
		for name, pos := range map[string]uint64{"base": base, "end": end} {
			if !l.Notify(pos, done) {
				t.Errorf("%s is not durable", name)
			}
		}
	})
}

func TestWaitForBacklog(t *testing.T) {
	fs := NewMemory()
	l, w := open(t, Options{FS: fs})
	defer l.Close()
	gate := make(chan struct{})
	fs.SetFault(func(_ int, op, _ string) error {
		if op == "sync" {
			<-gate
		}
		return nil
	})
	n := 0
	for ; l.roomFor(1 << 20); n++ {
		if err := l.Wait(1<<20, nil); err != nil {
			t.Fatal(err)
		}
		w.publish([]uint64{1, uint64(n)}, 0, "", 1<<20)
	}
	if n != 7 { // the eighth would be a few octets too many
		t.Errorf("room for %d MiB, want 7", n)
	}
	stop := make(chan struct{})
	close(stop)
	if err := l.Wait(1<<20, stop); !errors.Is(err, ErrStopped) {
		t.Errorf("a stopped Wait returned %v", err)
	}
	w.settle(1, 0, 0) // does not ask
	returned := make(chan error, 1)
	go func() { returned <- l.Wait(1<<20, nil) }()
	close(gate)
	if err := <-returned; err != nil {
		t.Error(err)
	}
	await(t, l, everything)
	if err := l.Wait(100<<20, nil); err != nil { // larger than the bound, but alone
		t.Error(err)
	}
}

func TestFirstSegmentsAreSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := NewMemory()
		l, w := open(t, Options{FS: fs})
		defer l.Close()
		synctest.Wait()
		if s := l.Stats(); s.Bytes != 1<<20 {
			t.Errorf("an idle log has %d octets", s.Bytes)
		}
		var sizes []int64
		for i := range uint64(40) {
			w.publish([]uint64{1, i}, 0, "", 1<<20-8000)
			await(t, l, everything)
			synctest.Wait()
		}
		for _, s := range l.segs.all {
			sizes = append(sizes, s.size>>20)
		}
		if got := fmt.Sprint(sizes); got != "[1 2 4 8 16 32]" {
			t.Errorf("segments have %s MiB", got)
		}
	})
}

func TestAppendLargerThanAnySegment(t *testing.T) {
	l, w := open(t, Options{FS: NewMemory(), SegmentSize: 16 << 10})
	pos := w.publish([]uint64{1, 1}, 0, "", 10)
	l.mu.Lock()
	s := l.rollLocked(maxSegment, 10)
	l.mu.Unlock()
	if s != nil || l.Err() == nil {
		t.Fatalf("a segment of %d octets", s.size)
	}
	if next := w.publish([]uint64{1, 2}, 0, "", 10); next <= pos {
		t.Errorf("position %x after %x", next, pos)
	}
	if err := l.Close(); err == nil || !strings.Contains(err.Error(), "larger than a segment") {
		t.Errorf("Close returned %v", err)
	}
}
