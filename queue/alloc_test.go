//go:build !race

package queue

import (
	"runtime"
	"testing"
)

// TestRoundTripAllocatesNothing: publish, deliver and ack in steady state.
func TestRoundTripAllocatesNothing(t *testing.T) {
	for name, log := range map[string]Log{"memory": nil, "log": &nullLog{}} {
		for _, noAck := range []bool{true, false} {
			for _, queues := range []int{1, 10} {
				r := newRoundTrip(log, noAck, queues)
				for range 50 {
					r.run(20)
				}
				if n := testing.AllocsPerRun(200, func() { r.run(20) }); n > 0 {
					t.Errorf("%s noAck=%v queues=%d: %v allocations for %d messages", name, noAck, queues, n, 20*queues)
				}
			}
		}
	}
}

// TestIdleQueueIsSmall: what a used and drained queue keeps.
func TestIdleQueueIsSmall(t *testing.T) {
	r := newRoundTrip(nil, false, 1)
	for range 20 {
		r.run(2000)
	}
	q := r.queues[0]
	if held := q.arena.held; held > chunkSmall {
		t.Errorf("arena %d octets", held)
	}
	if n := q.state.index.slots.used; n > 1 {
		t.Errorf("%d blocks", n)
	}
}

// TestBacklogIsCheap: 16 octets a message and no pointer.
func TestBacklogIsCheap(t *testing.T) {
	s := NewState(Config{TTL: -1}, new(Memory), nil)
	var fx Effects
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const n = 1 << 20
	for range n {
		s.Apply(&Command{Kind: Enqueue, Loc: 1, Size: 100, TTL: -1}, &fx)
	}
	runtime.ReadMemStats(&after)
	if got := float64(after.TotalAlloc-before.TotalAlloc) / n; got > 17 {
		t.Errorf("%.1f octets a message", got)
	}
}
