package persistence

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
)

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
