package persistence

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// still returns a copy of everything in the file system, as if all were synced.
func still(m *Memory) *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := NewMemory()
	for name, f := range m.names {
		f.mu.RLock()
		c := &memFile{saved: map[int64][]byte{}, size: f.size, synced: f.size}
		for _, b := range f.blocks {
			c.blocks = append(c.blocks, append([]byte(nil), b...))
		}
		f.mu.RUnlock()
		out.names[name], out.stable[name] = c, c
	}
	return out
}

// flip changes one bit of a file.
func flip(t testing.TB, fs FS, name string, off int64) {
	t.Helper()
	f, err := fs.OpenFile(name, false)
	if err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if _, err := f.ReadAt(b[:], off); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (off % 8)
	if _, err := f.WriteAt(b[:], off); err != nil {
		t.Fatal(err)
	}
}

// segmentsOf returns the names of the segments, oldest first.
func segmentsOf(t testing.TB, m *Memory) []string {
	t.Helper()
	names, err := m.ReadDir(logDir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, n := range names {
		if _, isSpare, ok := parseName(n); ok && !isSpare {
			out = append(out, logDir+"/"+n)
		}
	}
	return out
}

// batches writes n batches of two messages each and returns the log's files
// after a kill, the segment they are in, and where each batch ends.
func batches(t testing.TB, n int) (fs *Memory, name string, ends []uint32) {
	t.Helper()
	fs = NewMemory()
	l, w := open(t, Options{FS: fs, SegmentSize: 32 << 10})
	for i := range uint64(n) {
		w.publish([]uint64{1, 2*i + 1}, 0, "", 40)
		await(t, l, w.publish([]uint64{1, 2*i + 2}, 0, "12345678", 60))
		ends = append(ends, offsetOf(l.Durable()))
	}
	fs = still(fs)
	l.Close()
	return fs, segmentName(1), ends
}

// survivors opens the file system and returns how many whole batches are there;
// -1 when it is refused as corrupt. Anything else fails the test.
func survivors(t testing.TB, fs *Memory, o Options) int {
	t.Helper()
	w := newOwner()
	o.FS, o.Owner, o.SegmentSize = fs, w, 32<<10
	l, err := Open(o)
	if bad := (*CorruptionError)(nil); errors.As(err, &bad) {
		return -1
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w.log = l
	n := len(w.live) / 2
	for i := range uint64(n) * 2 {
		if _, ok := w.live[pair{1, i + 1}]; !ok || len(w.live) != 2*n {
			t.Fatalf("not a whole number of batches from the first on: %v", w.entries())
		}
	}
	w.check(t)
	return n
}

func TestBitFlips(t *testing.T) {
	const n = 5
	fs, name, ends := batches(t, n)
	if got := survivors(t, still(fs), Options{}); got != n {
		t.Fatalf("%d batches without damage, want %d", got, n)
	}
	for off := uint32(0); off < ends[n-1]; off++ {
		if off == 40 {
			off = headerSize
		}
		m := still(fs)
		flip(t, m, name, int64(off))
		got := survivors(t, m, Options{})
		switch {
		case off < 36, off >= headerSize && off < ends[n-2]:
			if got != -1 {
				t.Errorf("offset %d: opened with %d batches, want a refusal", off, got)
			}
		case off >= headerSize:
			if got != n-1 {
				t.Errorf("offset %d in the last batch: %d batches, want %d", off, got, n-1)
			}
		}
	}
}

func TestTornTail(t *testing.T) {
	const n = 4
	fs, name, ends := batches(t, n)
	for cut := ends[1]; cut <= ends[n-1]; cut++ {
		want := 2
		for want < n && cut >= ends[want] {
			want++
		}
		for _, how := range []string{"zeros", "short", "noise"} {
			m := still(fs)
			f := m.names[name]
			switch how {
			case "zeros":
				f.write(make([]byte, ends[n-1]-cut), int64(cut))
			case "short":
				f.resize(int64(cut))
			case "noise":
				f.write([]byte(strings.Repeat("\xa5", int(ends[n-1]-cut))), int64(cut))
			}
			if got := survivors(t, m, Options{}); got != want {
				t.Fatalf("%s from %d: %d batches, want %d", how, cut, got, want)
			}
			if got := survivors(t, m, Options{}); got != want {
				t.Fatalf("%s from %d: %d batches at the second start, want %d", how, cut, got, want)
			}
		}
	}
}

// stopWorkers ends the log's goroutines, so that a test can do the committer's
// rounds itself.
func stopWorkers(l *Log) *committer {
	close(l.work.stop)
	l.work.wg.Wait()
	return l.work.committer
}

// writeUnsynced lets the committer write, but not sync, what was appended.
func writeUnsynced(l *Log) {
	l.mu.Lock()
	l.closeBatchLocked()
	l.mu.Unlock()
	l.work.committer.round(false)
}

// Batches that were written and never synced reach the disk in any order. A
// hole among them is a torn tail; a hole below what was synced is damage.
func TestHoles(t *testing.T) {
	tests := []struct {
		name   string
		synced int // batches synced before the others are written
		hole   int // batch that did not reach the disk
		want   int
	}{
		{"unsynced batch missing", 2, 3, 3},
		{"first unsynced batch missing", 2, 2, 2},
		{"last batch missing", 2, 4, 4},
		{"synced batch missing", 2, 1, -1},
		{"first batch missing", 2, 0, -1},
		{"nothing synced, first missing", 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs := NewMemory()
			l, w := open(t, Options{FS: fs, SegmentSize: 32 << 10})
			c := stopWorkers(l)
			ends := []uint32{headerSize}
			for i := range uint64(5) {
				w.publish([]uint64{1, 2*i + 1}, 0, "", 40)
				w.publish([]uint64{1, 2*i + 2}, 0, "", 40)
				if int(i) < tt.synced {
					c.round(true)
				} else {
					writeUnsynced(l)
				}
				ends = append(ends, offsetOf(l.end))
			}
			m := still(fs)
			m.names[segmentName(1)].write(make([]byte, ends[tt.hole+1]-ends[tt.hole]), int64(ends[tt.hole]))
			if got := survivors(t, m, Options{}); got != tt.want {
				t.Errorf("%d batches, want %d", got, tt.want)
			}
		})
	}
}

// manySegments fills several segments with messages of which every tenth stays.
func manySegments(t testing.TB) (*Memory, *owner) {
	t.Helper()
	fs := NewMemory()
	l, w := open(t, Options{FS: fs, SegmentSize: 16 << 10})
	for i := uint64(1); i <= 600; i++ {
		w.publish([]uint64{1, i}, 0, "", 100)
		if i%50 == 0 {
			await(t, l, everything)
		}
	}
	await(t, l, everything)
	fs = still(fs)
	l.Close()
	return fs, w
}

func TestDamagedSegments(t *testing.T) {
	base, _ := manySegments(t)
	names := segmentsOf(t, base)
	if len(names) < 5 {
		t.Fatalf("only %d segments", len(names))
	}
	tests := []struct {
		name   string
		damage func(m *Memory)
		reason string // of the refusal; empty: opens in full
		least  int    // messages that Salvage must bring back
	}{
		{"sealed segment missing", func(m *Memory) { delete(m.names, names[2]) }, "missing", 450},
		{"header of a sealed segment", func(m *Memory) { flip(t, m, names[1], 3) }, "header", 450},
		{"version of a segment", func(m *Memory) {
			b := newHeader(2, 9)
			b[8] = 2
			sum := checksum(b[:32])
			b[32], b[33], b[34], b[35] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
			m.names[names[1]].write(b, 0)
		}, "version 2", 450},
		{"segment under another's name", func(m *Memory) { m.names[names[2]] = m.names[names[1]] }, "number", 450},
		{"trailer of a sealed segment", func(m *Memory) { flip(t, m, names[1], m.names[names[1]].size-5) }, "", 600},
		{"footer of a sealed segment", func(m *Memory) { flip(t, m, names[1], m.names[names[1]].size-trailerSize-3) }, "", 600},
		{"footer and a record", func(m *Memory) {
			flip(t, m, names[1], m.names[names[1]].size-5)
			flip(t, m, names[1], headerSize+200)
		}, "damaged", 450},
		{"footer and the last records", func(m *Memory) {
			f := m.names[names[1]]
			f.write(make([]byte, f.size-headerSize-5000), headerSize+5000)
		}, "what stood between is gone", 450},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := still(base)
			tt.damage(m)
			w := newOwner()
			l, err := Open(Options{FS: m, Owner: w, SegmentSize: 16 << 10})
			if tt.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				l.Close()
			} else if bad := (*CorruptionError)(nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.reason) {
				t.Fatalf("error is %v, want one with %q", err, tt.reason)
			}
			checkSalvage(t, m, tt.least, tt.reason != "")
		})
	}
}

// checkSalvage opens a damaged log with Salvage, uses it, and opens it again
// without.
func checkSalvage(t *testing.T, m *Memory, least int, damaged bool) {
	t.Helper()
	l, w := open(t, Options{FS: m, SegmentSize: 16 << 10, Salvage: true})
	if n := len(w.live); n < least {
		t.Errorf("%d messages salvaged, want %d at least", n, least)
	}
	if got := l.Stats().Salvaged > 0; got != damaged {
		t.Errorf("Stats.Salvaged says %v", got)
	}
	w.mu.Lock()
	w.check(t)
	n := len(w.live)
	w.mu.Unlock()
	for i := range uint64(300) {
		w.publish([]uint64{2, i}, 0, "", 100)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, w = open(t, Options{FS: m, SegmentSize: 16 << 10})
	defer l.Close()
	if len(w.live) != n+300 {
		t.Errorf("%d messages at the next start, want %d", len(w.live), n+300)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.check(t)
}

// A segment's earlier life must never show through.
func TestRecycledSegment(t *testing.T) {
	fs := NewMemory()
	l, w := open(t, Options{FS: fs, SegmentSize: 16 << 10})
	for i := uint64(1); oldest(l) < 3; i++ {
		w.publish([]uint64{1, i}, 0, "", 100)
		w.settle(1, i, i)
		await(t, l, w.publish([]uint64{1, 1 << 40}, 0, "", 10))
		w.settle(1, 1<<40, 1<<40)
		await(t, l, everything)
	}
	await(t, l, w.publish([]uint64{2, 1}, 0, "", 100))
	m := still(fs)
	l.Close()
	names := segmentsOf(t, m)
	stale := 0
	for _, name := range names {
		f := m.names[name]
		b := make([]byte, f.size)
		f.read(b, 0)
		stale += strings.Count(string(b), "1/")
	}
	if stale == 0 {
		t.Fatal("no segment was recycled")
	}
	l, w = open(t, Options{FS: m, SegmentSize: 16 << 10})
	defer l.Close()
	if fmt.Sprint(w.entries()) != "[{2 1}]" {
		t.Errorf("live are %v, want 2/1 only", w.entries())
	}
}

// Random damage anywhere must never panic, hang or invent messages.
func TestRandomDamage(t *testing.T) {
	base, published := manySegments(t)
	rng := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		m := still(base)
		names := segmentsOf(t, m)
		for range 1 + rng.IntN(3) {
			f := m.names[names[rng.IntN(len(names))]]
			b := make([]byte, 1+rng.IntN(64))
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			f.write(b, rng.Int64N(f.size-64))
		}
		w := newOwner()
		l, err := Open(Options{FS: m, Owner: w, SegmentSize: 16 << 10, Salvage: rng.IntN(2) == 0})
		if err != nil {
			if bad := (*CorruptionError)(nil); !errors.As(err, &bad) {
				t.Fatal(err)
			}
			continue
		}
		for p := range w.live {
			if _, ok := published.live[p]; !ok {
				t.Fatalf("%v was never published", p)
			}
		}
		l.Close()
	}
}
