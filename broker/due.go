package broker

// due is one delayed message: when it comes, in milliseconds since 1970, and
// its delivery from the shelf, which grows in the order of publishing.
type due struct {
	at int64
	id uint64
}

func (d due) before(other due) bool { return d.at < other.at || d.at == other.at && d.id < other.id }

// dueHeap has the earliest first: a binary heap without the boxing of
// container/heap, for there may be millions.
type dueHeap []due

func (h *dueHeap) push(d due) {
	*h = append(*h, d)
	h.up(len(*h) - 1)
}

// pop takes the first out; there must be one.
func (h *dueHeap) pop() due { return h.remove(0) }

func (h *dueHeap) remove(i int) due {
	s := *h
	d, last := s[i], len(s)-1
	s[i] = s[last]
	*h = s[:last]
	if i < last {
		h.down(i)
		h.up(i)
	}
	return d
}

func (h dueHeap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h[i].before(h[parent]) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (h dueHeap) down(i int) {
	for {
		kid := 2*i + 1
		if kid >= len(h) {
			return
		}
		if kid+1 < len(h) && h[kid+1].before(h[kid]) {
			kid++
		}
		if !h[kid].before(h[i]) {
			return
		}
		h[i], h[kid] = h[kid], h[i]
		i = kid
	}
}
