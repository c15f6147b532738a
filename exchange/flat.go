package exchange

import "sync"

// flat is the bindings of a type that picks one of them: a set and, from the
// first pick on, its destinations in order, one for each binding.
type flat struct {
	all   *set
	once  sync.Once
	dests []Dest // once made
}

func newFlat(all *set) *flat { return &flat{all: all} }

func (f *flat) with(b Binding) *flat {
	if all := f.all.with(newBound(b)); all != f.all {
		return newFlat(all)
	}
	return f
}

func (f *flat) without(b Binding) *flat {
	gone := newBound(b)
	if all := f.all.without(&gone); all != f.all {
		return newFlat(all)
	}
	return f
}

// pick appends the destination that n falls on, if there is one. A destination
// with many bindings has many chances (RabbitMQ).
func (f *flat) pick(n uint64, out []Dest) []Dest {
	f.once.Do(func() {
		f.all.visit(func(b *bound) { f.dests = append(f.dests, b.dest) })
	})
	if len(f.dests) == 0 {
		return out
	}
	return append(out, f.dests[n%uint64(len(f.dests))])
}
