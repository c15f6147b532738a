package persistence

import "fmt"

// eachLive visits every ref that is alive, each once.
func (l *Log) eachLive(visit func(pos uint64, size uint32)) {
	l.o.Owner.Live(visit)
	l.orphans.each(func(p place) { visit(p.pos, p.size) })
}

// Audit compares the live counters of the segments with what the owner holds.
// The error names the first segment that differs: one that counts less will be
// recycled with messages in it, one that counts more stays for ever. Nothing may
// enter, leave or move meanwhile, so it is for tests and for a look at a log at
// rest.
func (l *Log) Audit() error {
	want := map[uint64]int64{}
	l.eachLive(func(pos uint64, size uint32) { want[segmentOf(pos)] += share(size) })
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.segs.all {
		if s.live != want[s.number] {
			return fmt.Errorf("segment %016x counts %d live octets, and %d are", s.number, s.live, want[s.number])
		}
		delete(want, s.number)
	}
	for number, live := range want {
		return fmt.Errorf("%d live octets lie in segment %016x, which is gone", live, number)
	}
	return nil
}
