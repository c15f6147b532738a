package persistence

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
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

func TestCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, w := open(t, Options{FS: NewMemory(), CacheBytes: 1 << 20})
		defer l.Close()
		count := func() (n int) {
			for _, e := range w.live {
				if got, ok := l.Cached(e.pos, e.size, []byte("x")); ok {
					n++
					if len(got) != int(e.size)+1 || got[0] != 'x' {
						t.Fatalf("%d octets, want %d", len(got), e.size+1)
					}
				}
			}
			return n
		}
		for i := range uint64(400) {
			w.publish([]uint64{1, i}, 0, "", 10_000)
		}
		synctest.Wait()
		await(t, l, everything)
		synctest.Wait()
		if n := count(); n < 50 || n > 110 {
			t.Errorf("%d of 400 records of 10 kB are cached with 1 MiB", n)
		}
		w.check(t)
		e := w.live[pair{1, 399}]
		if _, ok := l.Cached(e.pos, e.size-1, nil); ok {
			t.Error("wrong size accepted")
		}
		if _, ok := l.Cached(e.pos+1<<32, e.size, nil); ok {
			t.Error("position beyond the end accepted")
		}
		w.publish([]uint64{2, 1}, 0, "", 5<<20) // larger than the cache
		w.publish([]uint64{2, 2}, 0, "", 10)
		await(t, l, everything)
		w.check(t)
	})
}

func TestLargeRecords(t *testing.T) {
	fs := NewMemory()
	l, w := open(t, Options{FS: fs, SegmentSize: 64 << 10})
	sizes := []int{10, 100_000, 10, 10, 3 << 20, 10, 65_000, 60_000, 200_000}
	for i, size := range sizes {
		w.publish([]uint64{1, uint64(i)}, 0, "", size)
		if i%2 == 0 {
			await(t, l, everything)
		}
	}
	await(t, l, everything)
	w.check(t)
	l.Close()
	l, w = open(t, Options{FS: fs, SegmentSize: 64 << 10})
	defer l.Close()
	if len(w.live) != len(sizes) {
		t.Fatalf("%d messages, want %d", len(w.live), len(sizes))
	}
	w.check(t)
}

func TestReadBatch(t *testing.T) {
	fs := NewMemory()
	l, w := open(t, Options{FS: fs, CacheBytes: 1, SegmentSize: 1 << 20})
	defer l.Close()
	refs := make([]uint64, 400)
	for i := range refs {
		refs[i] = uint64(i) * 1_000_000_007
	}
	for i := uint64(1); i <= 2000; i++ {
		switch i % 100 {
		case 7:
			w.publish([]uint64{1, i}, 0, "", 300_000)
		case 8:
			w.publish(append([]uint64{1, i}, refs...), 0, "", 10) // a head that no guess covers
		default:
			w.publish([]uint64{1, i}, 0, strings.Repeat("a", int(i%3)*60), int(i%50)*20)
		}
	}
	await(t, l, everything)
	var pos []uint64
	var size []uint32
	var want []pair
	for i := uint64(1); i <= 2000; i++ {
		if i%11 == 0 { // gaps
			continue
		}
		e := w.live[pair{1, i}]
		pos, size, want = append(pos, e.pos), append(size, e.size), append(want, pair{1, i})
	}
	next := 0
	err := l.ReadBatch(pos, size, nil, func(i int, payload []byte) {
		if i != next {
			t.Fatalf("visited %d, want %d", i, next)
		}
		next++
		if got := string(payload[10:]); got != string(body(want[i], len(got))) {
			t.Fatalf("payload of %v is %.30q", want[i], got)
		}
	})
	if err != nil || next != len(pos) {
		t.Fatalf("%d visited of %d, %v", next, len(pos), err)
	}
	backwards := []uint64{pos[5], pos[3], pos[3]}
	n := 0
	err = l.ReadBatch(backwards, []uint32{size[5], size[3], size[3]}, nil, func(int, []byte) { n++ })
	if err != nil || n != 3 {
		t.Errorf("in another order: %d visited, %v", n, err)
	}
}

// A kill leaves the files as they are; the next start must take all of it.
func TestKill(t *testing.T) {
	fs := NewMemory()
	l, w := open(t, Options{FS: fs})
	for i := range uint64(100) {
		w.publish([]uint64{1, i}, 0, "", 100)
	}
	await(t, l, everything)
	m := still(fs)
	l.Close()
	for range 2 {
		l, w = open(t, Options{FS: m})
		if l.Clean() {
			t.Error("clean after a kill")
		}
		if len(w.live) != 100 {
			t.Fatalf("%d messages", len(w.live))
		}
		m2 := still(m)
		l.Close()
		m = m2
	}
}

// The mark of a clean stop tells when the log has lost its end since.
func TestMark(t *testing.T) {
	base := NewMemory()
	l, w := open(t, Options{FS: base, SegmentSize: 16 << 10})
	for i := range uint64(100) {
		w.publish([]uint64{1, i}, 0, "", 1000)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	names := segmentsOf(t, base)
	tests := []struct {
		name   string
		damage func(m *Memory)
		refuse bool
		clean  bool
	}{
		{"untouched", func(*Memory) {}, false, true},
		{"last segment gone", func(m *Memory) { delete(m.names, names[len(names)-1]) }, true, false},
		{"all segments gone", func(m *Memory) {
			for _, n := range names {
				delete(m.names, n)
			}
		}, true, false},
		{"mark damaged", func(m *Memory) { m.names[markName].write([]byte{0}, 9) }, false, false},
		{"mark cut short", func(m *Memory) { m.names[markName].resize(10) }, false, false},
		{"mark gone", func(m *Memory) { delete(m.names, markName); delete(m.stable, markName) }, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := still(base)
			tt.damage(m)
			l, err := Open(Options{FS: m, Owner: newOwner(), SegmentSize: 16 << 10})
			if bad := (*CorruptionError)(nil); tt.refuse != errors.As(err, &bad) {
				t.Fatalf("error is %v", err)
			}
			if err != nil {
				l, err = Open(Options{FS: m, Owner: newOwner(), SegmentSize: 16 << 10, Salvage: true})
				if err != nil {
					t.Fatal(err)
				}
			}
			defer l.Close()
			if l.Clean() != tt.clean {
				t.Errorf("Clean is %v", l.Clean())
			}
			keepNothing := rand.New(rand.NewPCG(1, 1))
			if m.Crash(keepNothing).names[markName] != nil {
				t.Error("the mark was not consumed durably")
			}
		})
	}
}

func TestEmptyLog(t *testing.T) {
	fs := NewMemory()
	for i := range 3 {
		l, w := open(t, Options{FS: fs})
		if !l.Clean() || len(w.live) != 0 {
			t.Errorf("start %d: clean is %v, %d messages", i, l.Clean(), len(w.live))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Everything leaves the log: the next run starts at the beginning again.
func TestDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := NewMemory()
		for i := range uint64(3) {
			l, w := open(t, Options{FS: fs, SegmentSize: 16 << 10})
			if len(w.live) != 0 {
				t.Fatalf("%d messages", len(w.live))
			}
			for k := range uint64(100) {
				w.publish([]uint64{i, k}, 0, "", 1000)
			}
			w.cut(KindTombstone, i, 100)
			await(t, l, everything)
			synctest.Wait()
			if s := l.Stats(); s.Segments > 2 || s.Live != 0 {
				t.Errorf("%+v", s)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
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

func TestPayloadIsUntouched(t *testing.T) {
	l, _ := open(t, Options{FS: NewMemory()})
	defer l.Close()
	buf := []byte("body that the caller uses again")
	a := l.Begin()
	rel := a.Store([]uint64{1, 1}, 0, nil, nil, nil, buf)
	clear(buf)
	pos := a.Commit() + rel
	got, err := l.Read(pos, uint32(4+len(buf)), nil)
	if err != nil || !bytes.Equal(got[4:], []byte("body that the caller uses again")) {
		t.Errorf("%q, %v", got, err)
	}
}
