package queue

import (
	"testing"
	"time"
)

// nullLog costs nothing, so that benchmarks show the queue.
type nullLog struct{ end uint64 }

func (l *nullLog) Begin() Append                                                 { return l }
func (l *nullLog) Cached(uint64, uint32, []byte) ([]byte, bool)                  { return nil, false }
func (l *nullLog) Read(uint64, uint32, []byte) ([]byte, error)                   { return nil, errMoved }
func (l *nullLog) ReadBatch([]uint64, []uint32, []byte, func(int, []byte)) error { return errMoved }
func (l *nullLog) Store(refs []uint64, flags uint8, attr, route, props, body []byte) uint64 {
	l.end += uint64(len(body))
	return 0
}
func (l *nullLog) Fact(uint8, uint64, uint64, uint64) {}
func (l *nullLog) Release(uint64, uint32)             {}
func (l *nullLog) Commit() uint64                     { l.end++; return 1<<32 + l.end }

type benchHost struct{}

func (benchHost) Outside(*Queue)                              {}
func (benchHost) Arm(*Queue, time.Time)                       {}
func (benchHost) Fetch(*Queue)                                {}
func (benchHost) Now() time.Time                              { return time.Time{} }
func (benchHost) AfterFunc(time.Duration, func()) func() bool { return nil }

// benchSink takes everything and copies it, as a channel does.
type benchSink struct {
	buf  []byte
	last uint64
}

func (s *benchSink) Deliver(ds []Delivery) int {
	for i := range ds {
		s.buf = append(append(s.buf[:0], ds[i].Route...), ds[i].Body...)
		s.last = ds[i].ID
	}
	return len(ds)
}
func (s *benchSink) Cancelled()  {}
func (s *benchSink) Admit() bool { return true }

func benchQueue(id uint64, log Log, mem *Memory) *Queue {
	return New(Options{ID: id, VHost: "/", Name: "q", Durable: log != nil, Log: log, Clock: benchHost{}, Host: benchHost{}, Memory: mem,
		ConsumerTimeout: 30 * time.Minute})
}

// BenchmarkState is publish, deliver and ack of one message by the pure state.
func BenchmarkState(b *testing.B) {
	s := NewState(Config{TTL: -1}, new(Memory), nil)
	var fx Effects
	s.Apply(&Command{Kind: Attach, Consumer: &ConsumerSpec{Prefetch: 100}}, &fx)
	s.Apply(&Command{Kind: Open}, &fx)
	for n := uint64(1); b.Loop(); n++ {
		s.Apply(&Command{Kind: Enqueue, Loc: 1, Size: 128, TTL: -1}, &fx)
		s.Apply(&Command{Kind: Sent, To: 1}, &fx)
		s.Apply(&Command{Kind: Settle, From: n, To: n}, &fx)
	}
}

func BenchmarkBatch(b *testing.B) {
	for _, c := range []struct {
		name         string
		log          Log
		noAck        bool
		size, queues int
	}{
		{"memory/no-ack", nil, true, 100, 1},
		{"memory/ack", nil, false, 100, 1},
		{"memory/ack/one-by-one", nil, false, 1, 1},
		{"log/no-ack", &nullLog{}, true, 100, 1},
		{"log/ack", &nullLog{}, false, 100, 1},
		{"log/ack/one-by-one", &nullLog{}, false, 1, 1},
		{"fanout10/memory/ack", nil, false, 100, 10},
		{"fanout10/log/ack", &nullLog{}, false, 100, 10},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := newRoundTrip(c.log, c.noAck, c.queues)
			b.ReportAllocs()
			for n := 0; n < b.N; n += c.size * c.queues {
				r.run(c.size)
			}
		})
	}
}

// roundTrip is a load of batches: publish, deliver, ack.
type roundTrip struct {
	log     Log
	batch   *Batch
	msg     Message
	queues  []*Queue
	cs      []*Consumer
	sinks   []*benchSink
	settled uint64
	noAck   bool
}

func newRoundTrip(log Log, noAck bool, queues int) *roundTrip {
	r := &roundTrip{log: log, batch: NewBatch(), noAck: noAck}
	r.msg = message(string(make([]byte, 128)), log != nil)
	mem := new(Memory)
	for i := range queues {
		q := benchQueue(uint64(i+1), log, mem)
		s := &benchSink{}
		c, err := q.Attach(ConsumerOptions{NoAck: noAck, Sink: s})
		if err != nil {
			panic(err)
		}
		c.Start()
		r.queues, r.cs, r.sinks = append(r.queues, q), append(r.cs, c), append(r.sinks, s)
	}
	return r
}

func (r *roundTrip) run(n int) {
	for range n {
		r.batch.Publish(r.msg, r.queues)
	}
	r.batch.Commit(r.log)
	if r.noAck {
		return
	}
	for i, c := range r.cs {
		for id := r.settled + 1; id <= r.sinks[i].last; id++ {
			r.batch.Settle(c, id, id)
		}
	}
	r.batch.Commit(r.log)
	r.settled = r.sinks[0].last
}

// BenchmarkRestore is the recovery of one message of a backlog, and of one that
// is settled again.
func BenchmarkRestore(b *testing.B) {
	const n = 1 << 20
	for name, settle := range map[string]bool{"live": false, "settled": true} {
		b.Run(name, func(b *testing.B) {
			mem := new(Memory)
			for i := 0; i < b.N; i += n {
				q := benchQueue(1, &nullLog{}, mem)
				for seq := uint64(1); seq <= n; seq++ {
					q.Restore(seq<<8, 128, 0, seq, nil)
					if settle && seq%100 == 0 {
						q.RestoreSettled(seq-99, seq)
					}
				}
				q.Restored(false)
			}
		})
	}
}

// BenchmarkPurge is one message of a purge with unacked ones in between.
func BenchmarkPurge(b *testing.B) {
	const n = 1 << 20
	for i := 0; i < b.N; i += n {
		b.StopTimer()
		q := benchQueue(1, &nullLog{}, nil)
		g := q.Getter()
		for seq := uint64(1); seq <= n; seq++ {
			q.Restore(seq<<8, 128, 0, seq, nil)
		}
		q.Restored(true)
		q.locked(func(w *work) {
			for range 10000 {
				q.apply(w, &Command{Kind: Checkout, Holder: g.slot})
			}
		})
		b.StartTimer()
		if got, _ := q.Purge(); got != n-10000 {
			b.Fatal(got)
		}
	}
}

// BenchmarkBehindOneUnacked is a round trip while the oldest message stays
// with a consumer for ever.
func BenchmarkBehindOneUnacked(b *testing.B) {
	r := newRoundTrip(nil, false, 1)
	r.batch.Publish(r.msg, r.queues)
	r.batch.Commit(nil)
	r.settled = 1
	for n := 0; n < b.N; n += 100 {
		r.run(100)
	}
	q := r.queues[0]
	b.ReportMetric(float64(len(q.state.index.slots.ring)+len(q.state.holders[0].held.ring)), "places")
}
