package queue

// returned is a heap of sequence numbers: messages that were checked out and
// came back to their place, lowest first. A number stays after its message is
// gone; whoever takes the lowest skips those.
type returned []uint64

func (r *returned) push(seq uint64) {
	h := append(*r, seq)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if h[up] <= seq {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = seq
	*r = h
}

// pop removes the lowest number, h[0].
func (r *returned) pop() {
	h := *r
	last := h[len(h)-1]
	h = h[:len(h)-1]
	if len(h) == 0 {
		r.reset()
		return
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= len(h) {
			break
		}
		if down+1 < len(h) && h[down+1] < h[down] {
			down++
		}
		if h[down] >= last {
			break
		}
		h[i] = h[down]
		i = down
	}
	h[i] = last
	*r = h
}

// reset empties the heap and gives a large one back.
func (r *returned) reset() {
	if cap(*r) > windowKeep {
		*r = nil
		return
	}
	*r = (*r)[:0]
}

// tidy drops the numbers that keep does not want.
func (r *returned) tidy(keep func(seq uint64) bool) {
	old := *r
	*r = old[:0]
	for _, seq := range old {
		if keep(seq) {
			r.push(seq)
		}
	}
}
