package queue

import "testing"

// TestStatsOfGets: gets and deliveries are told apart, with and without
// acknowledgement.
func TestStatsOfGets(t *testing.T) {
	f := newFixture(t, true, nil)
	g := f.q.Getter()
	f.get(g, false)
	f.publish("0", "1", "2")
	f.get(g, false)
	f.get(g, true)
	c, _ := f.consume(ConsumerOptions{NoAck: true})
	c.Cancel()
	f.settle(func(b *Batch) { b.Settle(g, 1, 1) })
	equal(t, f.q.Stats().Counters, Counters{Published: 3, Delivered: 3, NoAck: 1, Got: 1, GotNoAck: 1, GotNothing: 1, Acknowledged: 1, Settled: 3})
	var sum Counters
	one := f.q.Stats().Counters
	sum.Add(&one)
	sum.Add(&one)
	equal(t, sum, Counters{Published: 6, Delivered: 6, NoAck: 2, Got: 2, GotNoAck: 2, GotNothing: 2, Acknowledged: 2, Settled: 6})
}

// TestStatsOfSizes: octets of what is ready and of all, over a restart.
func TestStatsOfSizes(t *testing.T) {
	f := newFixture(t, true, nil)
	f.publish("0", "1", "2")
	size := f.q.Stats().Bytes / 3
	g := f.q.Getter()
	f.get(g, false)
	sizes := func(want string) {
		t.Helper()
		s := f.q.Stats()
		equal(t, []int64{s.Bytes / size, s.ReadyBytes / size, s.PersistentBytes / size, int64(s.Persistent)}, want)
	}
	sizes("[3 2 3 3]")
	f.q.Purge()
	sizes("[1 0 1 1]")
	f.publish("3")
	g.Release()
	sizes("[2 2 2 2]")
	f.again(true)
	equal(t, f.q.Stats().Persistent, 2)
}

// sums adds up the messages of a queue one by one.
func (q *Queue) sums() (l live) {
	for seq, e := q.state.index.nextLive(1); e != nil; seq, e = q.state.index.nextLive(seq + 1) {
		l.add(1, e.size, e.meta)
	}
	return l
}
