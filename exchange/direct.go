package exchange

import "hash/maphash"

// direct routes by the exact key (spec: 3.1.3.1); '*' and '#' are plain text.
// The seed keeps clients from choosing keys that collide; it does not show.
type direct struct {
	seed maphash.Seed
	keys *keys[*set]
}

func newDirect() direct { return direct{seed: maphash.MakeSeed()} }

// Bind is as Router says.
func (d direct) Bind(b Binding) Router {
	return d.change(b.Key, func(s *set) *set { return s.with(newBound(b)) })
}

// Unbind is as Router says.
func (d direct) Unbind(b Binding) Router {
	gone := newBound(b)
	return d.change(b.Key, func(s *set) *set { return s.without(&gone) })
}

func (d direct) change(key string, f func(*set) *set) Router {
	hash := maphash.String(d.seed, key)
	old, _ := d.keys.get(hash, []byte(key))
	switch now := f(old); {
	case now == old:
	case now == nil:
		d.keys = d.keys.without(hash, key)
	default:
		d.keys = d.keys.with(hash, key, now)
	}
	return d
}

// Route is as Router says.
func (d direct) Route(m Message, out []Dest) []Dest {
	s, _ := d.keys.get(maphash.Bytes(d.seed, m.Key), m.Key)
	return s.dests(out)
}

// KeyOnly is as Router says.
func (d direct) KeyOnly() bool { return true }

// PerKey is as Router says.
func (d direct) PerKey() bool { return true }
