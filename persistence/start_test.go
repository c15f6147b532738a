package persistence

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
)

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
