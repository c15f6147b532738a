package queue

// deque is a ring that grows at both ends. The zero value is empty.
type deque[T any] struct {
	ring    []T // length a power of two
	head, n int
}

// front returns the first value; there must be one.
func (d *deque[T]) front() *T { return d.at(0) }

func (d *deque[T]) at(i int) *T { return &d.ring[(d.head+i)&(len(d.ring)-1)] }

func (d *deque[T]) push(v T) {
	d.grow()
	d.n++
	*d.at(d.n - 1) = v
}

func (d *deque[T]) pushFront(v T) {
	d.grow()
	d.n++
	d.head--
	*d.at(0) = v
}

func (d *deque[T]) grow() {
	if d.n < len(d.ring) {
		return
	}
	ring := make([]T, max(windowMin, 2*d.n))
	for i := range d.n {
		ring[i] = *d.at(i)
	}
	d.ring, d.head = ring, 0
}

// pop removes the first value. An emptied ring of many places is given back.
func (d *deque[T]) pop() {
	d.head++
	d.n--
	if d.n == 0 && len(d.ring) > windowKeep {
		d.ring = nil
	}
}

// tidy drops the values that keep does not want.
func (d *deque[T]) tidy(keep func(v T) bool) {
	for range d.n {
		v := *d.front()
		d.pop()
		if keep(v) {
			d.push(v)
		}
	}
}
