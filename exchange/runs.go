package exchange

// runs unites ascending runs of destinations by merging neighbours, so that
// ten thousand matches are not compared each with each.
type runs struct {
	dests []Dest // the runs, one after the other
	ends  []int  // where each ends
	spare []Dest
}

func (r *runs) reset() { r.dests, r.ends = r.dests[:0], r.ends[:0] }

// add makes a run of the destinations in s.
func (r *runs) add(s *set) {
	if s == nil {
		return
	}
	r.dests = s.dests(r.dests)
	r.ends = append(r.ends, len(r.dests))
}

// united gives all destinations, each once, ascending: a view.
func (r *runs) united() []Dest {
	for len(r.ends) > 1 {
		r.pairUp()
	}
	return r.dests
}

// pairUp halves the number of runs.
func (r *runs) pairUp() {
	out, n, start := r.spare[:0], 0, 0
	for i := 0; i < len(r.ends); i += 2 {
		end := r.ends[i]
		a, b := r.dests[start:end], []Dest(nil)
		if i+1 < len(r.ends) {
			start, end = end, r.ends[i+1]
			b = r.dests[start:end]
		}
		out = appendUnion(out, a, b)
		r.ends[n] = len(out)
		n, start = n+1, end
	}
	r.dests, r.spare, r.ends = out, r.dests, r.ends[:n]
}

func appendUnion(out, a, b []Dest) []Dest {
	for len(a) > 0 && len(b) > 0 {
		c := a[0].order(b[0])
		if c <= 0 {
			out = append(out, a[0])
			a = a[1:]
		} else {
			out = append(out, b[0])
		}
		if c >= 0 {
			b = b[1:]
		}
	}
	return append(append(out, a...), b...)
}
