//go:build !race

package persistence

import "testing"

// The race detector makes sync.Pool forget on purpose, hence the build tag.
func TestAppendDoesNotAllocate(t *testing.T) {
	l, _ := open(t, Options{FS: NewMemory(), CacheBytes: 1 << 20})
	defer l.Close()
	refs, route, body := []uint64{300, 0}, []byte("\x00\x05queue"), make([]byte, 128)
	var pos uint64
	batch := func() {
		a := l.Begin()
		for range 10 {
			refs[1]++
			a.Store(refs, 0, nil, route, nil, body)
		}
		a.Fact(KindSettle, 300, refs[1]-10, refs[1])
		for range 10 {
			a.Release(pos, 139)
		}
		pos = a.Commit()
	}
	for range 2000 {
		batch()
	}
	if n := testing.AllocsPerRun(1000, batch); n >= 1 {
		t.Errorf("%v allocations per append", n)
	}
	dst := make([]byte, 0, 1024)
	size := uint32(len(route) + 4 + len(body))
	if n := testing.AllocsPerRun(1000, func() {
		if _, ok := l.Cached(pos, size, dst[:0]); !ok {
			t.Fatal("not cached")
		}
	}); n != 0 {
		t.Errorf("%v allocations per Cached", n)
	}
}
