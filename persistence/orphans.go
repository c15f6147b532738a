package persistence

import "sync"

// orphans are the records of groups that the owner does not know and that have
// no tombstone. Nobody but an operator may decide that they are waste, so the
// log keeps them alive itself. Normally there are none.
type orphans struct {
	mu     sync.Mutex
	groups map[uint64]map[uint64]place // group, index
}

type place struct {
	pos  uint64
	size uint32
}

func (o *orphans) put(group, index uint64, p place) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.groups == nil {
		o.groups = map[uint64]map[uint64]place{}
	}
	if o.groups[group] == nil {
		o.groups[group] = map[uint64]place{}
	}
	o.groups[group][index] = p
}

// apply lets a fact act on the orphans as it would on a queue.
func (o *orphans) apply(h *head) {
	o.mu.Lock()
	defer o.mu.Unlock()
	records := o.groups[h.group]
	if records == nil {
		return
	}
	from, to := h.a, h.b
	switch h.kind {
	case KindTombstone:
		delete(o.groups, h.group)
		return
	case KindCut:
		from, to = 0, h.a
	case KindSettle:
	default:
		return
	}
	for index := range records {
		if index >= from && index <= to {
			delete(records, index)
		}
	}
}

func (o *orphans) each(visit func(p place)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, records := range o.groups {
		for _, p := range records {
			visit(p)
		}
	}
}

func (o *orphans) count() int {
	n := 0
	o.each(func(place) { n++ })
	return n
}

// among appends those of the pairs in refs that are orphans living at pos.
func (o *orphans) among(refs []uint64, pos uint64, out []uint64) []uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.groups) == 0 {
		return out
	}
	for i := 0; i < len(refs); i += 2 {
		if p, ok := o.groups[refs[i]][refs[i+1]]; ok && p.pos == pos {
			out = append(out, refs[i], refs[i+1])
		}
	}
	return out
}
