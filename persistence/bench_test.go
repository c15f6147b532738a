package persistence

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"testing"
)

// discard is an owner that keeps nothing, to measure the log alone.
type discard struct{ stored int }

func (d *discard) Stored(uint64, uint32, uint8, uint64, uint64, []byte) bool {
	d.stored++
	return true
}
func (d *discard) Settled(uint64, uint64, uint64)                   {}
func (d *discard) Fact(uint8, uint64, uint64, uint64)               {}
func (d *discard) Live(func(uint64, uint32))                        {}
func (d *discard) Relocate(uint64, []uint64, func([]uint64) uint64) {}
func (d *discard) open(b *testing.B, fs FS, size int64) *Log {
	b.Helper()
	l, err := Open(Options{FS: fs, Owner: d, SegmentSize: size})
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// sink is a file system that takes writes and forgets them.
type sink struct{ *Memory }

func (s sink) OpenFile(name string, create bool) (File, error) {
	f, err := s.Memory.OpenFile(name, create)
	return sinkFile{f}, err
}

type sinkFile struct{ File }

func (sinkFile) WriteAt(b []byte, _ int64) (int, error) { return len(b), nil }

// BenchmarkAppend is the cost of a record of 128 octets in batches, as a
// socket read with that many publishes makes them; the committer's work is in
// it, the disk's is not.
func BenchmarkAppend(b *testing.B) {
	for _, batch := range []int{1, 10, 400} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			l := (&discard{}).open(b, sink{NewMemory()}, 0)
			defer l.Close()
			route, props, body := []byte("\x00\x05queue"), make([]byte, 3), make([]byte, 128)
			refs := []uint64{300, 0}
			b.ReportAllocs()
			b.SetBytes(128)
			for n := 0; n < b.N; n += batch {
				l.Wait(batch*180, nil)
				a := l.Begin()
				for i := range batch {
					refs[1] = uint64(n + i)
					a.Store(refs, 0, nil, route, props, body)
				}
				pos := a.Commit()
				a = l.Begin()
				for range batch {
					a.Release(pos, 142)
				}
				a.Commit()
			}
		})
	}
}

// BenchmarkGroupCommit is publishers that wait for each record to be durable,
// on the real file system below TMPDIR.
func BenchmarkGroupCommit(b *testing.B) {
	for _, writers := range []int{1, 50} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			l := (&discard{}).open(b, OS(b.TempDir()), 0)
			defer l.Close()
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					done := make(signal, 1)
					refs := []uint64{300, 0}
					body := make([]byte, 128)
					for i := range b.N / writers {
						refs[1] = uint64(i)
						a := l.Begin()
						a.Store(refs, 0, nil, []byte("\x00\x05queue"), nil, body)
						if !l.Notify(a.Commit(), done) {
							<-done
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/float64(l.Stats().Syncs+1), "records/sync")
		})
	}
}

// BenchmarkFill writes a backlog to the real file system, with a confirm at the end.
func BenchmarkFill(b *testing.B) {
	for _, size := range []int{128, 1024} {
		b.Run(fmt.Sprintf("body=%d", size), func(b *testing.B) {
			l := (&discard{}).open(b, OS(b.TempDir()), 0)
			defer l.Close()
			load(b, l, b.N, size)
			b.SetBytes(int64(size))
		})
	}
}

func load(b *testing.B, l *Log, n, size int) {
	b.Helper()
	refs := []uint64{300, 0}
	body := make([]byte, size)
	var pos uint64
	for i := 0; i < n; {
		if err := l.Wait(200*size, nil); err != nil {
			b.Fatal(err)
		}
		a := l.Begin()
		for k := 0; k < 200 && i < n; k++ {
			i++
			refs[1] = uint64(i)
			binary.LittleEndian.PutUint64(body, uint64(i))
			a.Store(refs, 0, nil, []byte("\x00\x05queue"), nil, body)
		}
		pos = a.Commit()
	}
	await(b, l, pos)
}

// BenchmarkOpen is a restart with a backlog: per run of the loop, the whole log
// is recovered. LEVERET_RECORDS sets its length.
func BenchmarkOpen(b *testing.B) {
	records := 1_000_000
	if s := os.Getenv("LEVERET_RECORDS"); s != "" {
		fmt.Sscan(s, &records)
	}
	fs := OS(b.TempDir())
	l := (&discard{}).open(b, fs, 0)
	load(b, l, records, 128)
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		d := &discard{}
		l := d.open(b, fs, 0)
		if d.stored != records {
			b.Fatalf("%d records, want %d", d.stored, records)
		}
		l.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(records), "ns/record")
}
