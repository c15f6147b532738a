package bench

// expect is the number of deliveries that all published messages must make;
// false when the routes are not known. Only for when the producers are idle.
func (f *flow) expect() (uint64, bool) {
	if len(f.producers) == 0 {
		return f.backlog, f.o.Length.Drain
	}
	if f.plan.reach == nil {
		return 0, false
	}
	var n uint64
	for i, p := range f.producers {
		for stream, key := range f.plan.producerKeys(i, f.o.Load.Producers) {
			n += p.tmpl.seqs[stream] * uint64(len(f.plan.reach[key]))
		}
	}
	return n, true
}

// verify merges what the consumers saw. Only for when all have ended.
func (f *flow) verify() *Verification {
	v := &Verification{}
	for _, c := range f.consumers {
		v.add(&c.verifier.Verification)
	}
	switch {
	case f.o.Load.Size < StampSize:
		f.byCount(v)
	case f.plan.reach == nil || len(f.producers) == 0:
		f.byGaps(v)
	default:
		f.byStream(v)
	}
	return v
}

// byCount is for bodies without room for a stamp.
func (f *flow) byCount(v *Verification) {
	var got uint64
	for _, c := range f.consumers {
		got += c.delivered.Load()
	}
	if want, known := f.expected(); known {
		v.Missing = want - min(got, want)
	}
}

// byStream compares what every stream published with what each queue that its
// key reaches gave out.
func (f *flow) byStream(v *Verification) {
	owners := f.owners()
	for i, p := range f.producers {
		for stream, key := range f.plan.producerKeys(i, f.o.Load.Producers) {
			for _, q := range f.plan.reach[key] {
				seen, twice, _ := union(owners[q].tracks(i, stream))
				v.Missing += p.tmpl.seqs[stream] - min(seen, p.tmpl.seqs[stream])
				v.Duplicates += twice
			}
		}
	}
}

// byGaps is for messages whose publisher is unknown: what came proves that
// everything before it in its stream was published.
func (f *flow) byGaps(v *Verification) {
	for _, o := range f.owners() {
		producers, streams := o.extent()
		for producer := range producers {
			for stream := range streams {
				seen, twice, next := union(o.tracks(producer, stream))
				v.Missing += next - seen
				v.Duplicates += twice
			}
		}
	}
}

// An ownership is one queue's place in each consumer that shares it.
type ownership []place

type place struct {
	v     *verifier
	queue int
}

// owners lists per queue the consumers that took from it.
func (f *flow) owners() []ownership {
	owners := make([]ownership, len(f.plan.queues))
	for _, c := range f.consumers {
		for local, q := range c.queues {
			owners[q] = append(owners[q], place{c.verifier, local})
		}
	}
	return owners
}

func (o ownership) tracks(producer, stream int) (tracks []*track) {
	for _, p := range o {
		if t := p.v.at(p.queue, producer, stream); t != nil {
			tracks = append(tracks, t)
		}
	}
	return tracks
}

// extent is one above the highest producer and stream seen.
func (o ownership) extent() (producers, streams int) {
	for _, p := range o {
		producers = max(producers, len(p.v.queues[p.queue]))
		for _, s := range p.v.queues[p.queue] {
			streams = max(streams, len(s))
		}
	}
	return producers, streams
}
