package persistence

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// One message that nobody acknowledges must not keep the rest of the disk.
func TestStuckMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const segment = 256 << 10
		fs := NewMemory()
		l, w := open(t, Options{FS: fs, SegmentSize: segment})
		w.publish([]uint64{1, 0}, 0, "", 200)
		most := int64(0)
		for i := uint64(1); i <= 60_000; i++ {
			w.publish([]uint64{1, i}, 0, "", 100)
			w.settle(1, i, i)
			if i%500 == 0 {
				await(t, l, everything)
				synctest.Wait()
				s := l.Stats()
				most = max(most, s.Bytes-2*s.Live)
			}
		}
		if most > 4*segment {
			t.Errorf("disk beyond twice the live octets: %.2f segments, want 4", float64(most)/segment)
		}
		if l.Stats().Relocated == 0 {
			t.Error("nothing was copied forward")
		}
		w.check(t)
		l.Close()
		l, w = open(t, Options{FS: fs, SegmentSize: segment})
		defer l.Close()
		if fmt.Sprint(w.entries()) != "[{1 0}]" {
			t.Errorf("live are %v", w.entries())
		}
	})
}

// A backlog of which every other message goes: the disk follows, and what is
// written stays within a small multiple.
func TestHalfDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const segment = 64 << 10
		l, w := open(t, Options{FS: NewMemory(), SegmentSize: segment})
		defer l.Close()
		published := int64(0)
		for i := uint64(1); i <= 20_000; i++ {
			w.publish([]uint64{1, i}, 0, "", 100)
			published += 150
			if i > 2000 { // about 1000 live, half of them old
				w.settle(1, i-2000+i%2*1500, i-2000+i%2*1500)
			}
			if i%100 == 0 {
				await(t, l, everything)
				synctest.Wait()
				if s := l.Stats(); s.Bytes > 2*s.Live+4*segment {
					t.Fatalf("%d octets of disk for %d live", s.Bytes, s.Live)
				}
			}
		}
		if s := l.Stats(); s.Written > 4*published {
			t.Errorf("%d octets written for %d published", s.Written, published)
		}
		w.check(t)
	})
}

func TestFanOutRelocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := NewMemory()
		l, w := open(t, Options{FS: fs, SegmentSize: 32 << 10})
		for i := uint64(1); i <= 300; i++ {
			w.publish([]uint64{1, i, 2, i, 3, i}, 0, "attr", 300)
			w.settle(2, i, i)
			if i%10 != 0 {
				w.settle(1, i, i)
				w.settle(3, i, i)
			} else if i%20 == 0 {
				w.settle(1, i, i)
			}
		}
		await(t, l, everything)
		synctest.Wait()
		if l.Stats().Relocated == 0 {
			t.Error("nothing was copied forward")
		}
		check := func() {
			w.check(t)
			if n := len(w.live); n != 45 {
				t.Errorf("%d live refs, want 45", n)
			}
			for p, e := range w.live {
				if e.attr != "attr" || e.flags != flagShared {
					t.Errorf("%v has flags %d, attr %q", p, e.flags, e.attr)
				}
			}
		}
		check()
		l.Close()
		l, w = open(t, Options{FS: fs, SegmentSize: 32 << 10})
		defer l.Close()
		check()
	})
}

// Records of groups that the owner does not know stay, through relocation and
// restarts, until a tombstone says that they may go.
func TestOrphans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := NewMemory()
		o := Options{FS: fs, SegmentSize: 32 << 10}
		l, w := open(t, o)
		for i := uint64(1); i <= 10; i++ {
			w.publish([]uint64{9, i, 8, i}, 0, "", 500)
			w.publish([]uint64{1, i, 9, 100 + i}, 0, "", 500)
		}
		w.settle(9, 3, 4)
		w.cut(KindCut, 9, 2)
		l.Close()
		var last uint64
		for round := range uint64(3) {
			w = newOwner()
			w.unknown[9], w.unknown[8] = true, round < 2
			o.Owner = w
			l, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			w.log = l
			if want := 16 + 10; round < 2 && l.Stats().Orphans != want {
				t.Errorf("round %d: %d orphans, want %d", round, l.Stats().Orphans, want)
			}
			for i := uint64(1000); i < 1400; i++ {
				w.publish([]uint64{2, i}, 0, "", 300)
				w.settle(2, i, i)
			}
			await(t, l, everything)
			synctest.Wait()
			if oldest(l) <= last {
				t.Errorf("round %d: the oldest segment is %d still", round, last)
			}
			last = oldest(l)
			if round == 2 && len(w.live) != 20 {
				t.Errorf("%d live, want the 10 of group 1 and the 10 of group 8", len(w.live))
			}
			if round == 2 {
				w.cut(KindTombstone, 9, 1<<62)
			}
			l.Close()
		}
		l, w = open(t, o)
		defer l.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.tombs[9] || l.Stats().Orphans != 0 {
			t.Errorf("tombstone seen: %v, %d orphans", w.tombs[9], l.Stats().Orphans)
		}
		for p := range w.live {
			if p.group == 9 {
				t.Errorf("%v outlived its tombstone", p)
			}
		}
		w.check(t)
	})
}

// A reader that comes too late is told; it never gets another record's octets.
func TestReadersAgainstCleaner(t *testing.T) {
	l, w := open(t, Options{FS: NewMemory(), SegmentSize: 16 << 10, CacheBytes: 1})
	defer l.Close()
	const keep = 50
	for i := range uint64(keep) {
		w.publish([]uint64{1, i}, 0, "", 200)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var moved, read int
	wg.Go(func() {
		for i := uint64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			p := pair{1, i % keep}
			w.mu.Lock()
			e := w.live[p]
			w.mu.Unlock()
			got, err := l.Read(e.pos, e.size, nil)
			switch {
			case errors.Is(err, ErrMoved):
				moved++
			case err != nil:
				t.Errorf("read %v: %v", p, err)
				return
			case string(got[10:]) != string(body(p, 200)):
				t.Errorf("%v is %.30q", p, got)
				return
			default:
				read++
			}
		}
	})
	for i := uint64(1000); i < 5000 || l.Stats().Relocated < keep; i++ {
		w.publish([]uint64{1, i}, 0, "", 200)
		w.settle(1, i, i)
		if i%100 == 0 {
			await(t, l, w.settle(1, i, i))
		}
	}
	close(stop)
	wg.Wait()
	if read == 0 {
		t.Errorf("%d read, %d moved under the reader, %d relocated", read, moved, l.Stats().Relocated)
	}
}

// A damaged record is copied as it is: it stays damaged, and says so.
func TestRelocateDamaged(t *testing.T) {
	for _, part := range []int64{2, 100} { // head, payload
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fs := NewMemory()
				l, w := open(t, Options{FS: fs, SegmentSize: 16 << 10, CacheBytes: 1})
				defer l.Close()
				w.publish([]uint64{1, 1}, 0, "", 200)
				pos := w.publish([]uint64{1, 2}, 0, "", 200)
				w.publish([]uint64{1, 3}, 0, "", 200)
				await(t, l, everything)
				flip(t, fs, segmentName(segmentOf(pos)), int64(offsetOf(pos))+part)
				for i := uint64(10); oldest(l) == segmentOf(pos); i++ {
					w.publish([]uint64{2, i}, 0, "", 1000)
					await(t, l, w.settle(2, i, i))
					synctest.Wait()
				}
				for i := uint64(10_000); i < 10_200; i++ { // out of the cache
					w.publish([]uint64{3, i}, 0, "", 2000)
				}
				await(t, l, everything)
				synctest.Wait()
				e := w.live[pair{1, 2}]
				if e.pos == pos {
					t.Fatal("not moved")
				}
				if _, err := l.Read(e.pos, e.size, nil); err == nil {
					t.Error("a damaged record reads as if it were sound")
				}
				delete(w.live, pair{1, 2})
				w.check(t)
			})
		})
	}
}

// Many sealed segments: only so many files stay open.
func TestOpenFilesAreBounded(t *testing.T) {
	fs := NewMemory()
	l, w := open(t, Options{FS: fs, SegmentSize: 16 << 10, CacheBytes: 1})
	defer l.Close()
	for i := range uint64(1500) {
		w.publish([]uint64{1, i}, 0, "", 1000)
		if i%10 == 0 {
			await(t, l, everything)
		}
	}
	await(t, l, everything)
	if n := l.Stats().Segments; n < 100 {
		t.Fatalf("only %d segments", n)
	}
	w.mu.Lock()
	w.check(t)
	w.mu.Unlock()
	l.files.mu.Lock()
	defer l.files.mu.Unlock()
	if n := len(l.files.open); n > maxOpen {
		t.Errorf("%d files of sealed segments are open", n)
	}
	for _, s := range l.files.open {
		if s.file.file == nil || s.file.users != 0 {
			t.Errorf("segment %d in the list with file %v, %d users", s.number, s.file.file, s.file.users)
		}
	}
}

// The footer of a sealed segment can be made again from the records. Without
// either, the segment stays, and nothing of it is lost that can be read.
func TestReclaimDamagedFooter(t *testing.T) {
	for _, tt := range []struct {
		name    string
		records bool // damaged as well
	}{{"footer", false}, {"footer and records", true}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log strings.Builder
				fs := NewMemory()
				l, w := open(t, Options{FS: fs, SegmentSize: 16 << 10, CacheBytes: 1,
					Logger: slog.New(slog.NewTextHandler(&log, nil))})
				defer l.Close()
				for i := range uint64(30) { // the first segments are all alive
					w.publish([]uint64{1, i}, 0, "", 900)
				}
				await(t, l, everything)
				synctest.Wait()
				if oldest(l) != 1 {
					t.Fatal("reclaimed too early")
				}
				flip(t, fs, segmentName(1), 16<<10-trailerSize-1)
				if tt.records {
					flip(t, fs, segmentName(1), headerSize+1)
				}
				for i := uint64(100); i < 400; i++ {
					w.publish([]uint64{2, i}, 0, "", 900)
					await(t, l, w.settle(2, i, i))
				}
				synctest.Wait()
				if stays := oldest(l) == 1; stays != tt.records {
					t.Errorf("the oldest segment is %d", oldest(l))
				}
				if n := strings.Count(log.String(), "cannot copy"); (n == 1) != tt.records {
					t.Errorf("log says %q", log.String())
				}
				for p, e := range w.live {
					if offsetOf(e.pos) == headerSize && segmentOf(e.pos) == 1 {
						delete(w.live, p) // the damaged one
					}
				}
				w.check(t)
			})
		})
	}
}
