package exchange

import (
	"cmp"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
)

// bound is a binding as a set keeps it: args is canonical, match is there for
// headers only.
type bound struct {
	dest  Dest
	key   string
	args  string
	match *headerMatch
}

func newBound(b Binding) bound {
	return bound{dest: b.Dest, key: b.Key, args: canonical(b.Args)}
}

// canonical is t as octets, fields in the order of their names: RabbitMQ sorts
// the arguments of a binding before it compares. "" is the empty table.
func canonical(t wire.Table) string {
	if len(t) == 0 {
		return ""
	}
	return string(wire.AppendTable(nil, sorted(t)))
}

func sorted(t wire.Table) wire.Table {
	t = slices.Clone(t)
	slices.SortStableFunc(t, func(a, b wire.Field) int { return strings.Compare(a.Name, b.Name) })
	return t
}

// order keeps all bindings of one destination together.
func (b *bound) order(other *bound) int {
	if c := b.dest.order(other.dest); c != 0 {
		return c
	}
	if c := strings.Compare(b.key, other.key); c != 0 {
		return c
	}
	return strings.Compare(b.args, other.args)
}

func (d Dest) order(other Dest) int {
	if c := cmp.Compare(d.ID, other.ID); c != 0 {
		return c
	}
	switch {
	case d.Exchange == other.Exchange:
		return 0
	case other.Exchange:
		return -1
	}
	return 1
}

// setWidth is the most items of a node: wide enough to be shallow, small
// enough to be copied at every change.
const setWidth = 32

// set is a persistent B+ tree of bindings in order; nil is the empty set.
// A node without kids is a leaf. Otherwise items[i] is no later than anything
// in kids[i] and later than anything in kids[i-1]; items[0] says nothing.
// Nodes are not filled up again after a removal, only dropped when empty: the
// tree stays as shallow as it was, with far less code.
type set struct {
	items []bound
	kids  []*set
}

// with gives the set with b in it: s itself when b was there.
func (s *set) with(b bound) *set {
	if s == nil {
		return &set{items: []bound{b}}
	}
	left, right := s.insert(&b)
	if right == nil {
		return left
	}
	return &set{items: []bound{left.items[0], right.items[0]}, kids: []*set{left, right}}
}

// insert gives the node that takes the place of s, and its new right neighbour
// when it had to be split.
func (s *set) insert(b *bound) (left, right *set) {
	at, found := s.search(b)
	if s.kids == nil {
		if found {
			return s, nil
		}
		return split(&set{items: inserted(s.items, at, *b)})
	}
	at = kid(at, found)
	old := s.kids[at]
	l, r := old.insert(b)
	if l == old {
		return s, nil
	}
	n := &set{items: s.items, kids: slices.Clone(s.kids)}
	n.kids[at] = l
	if r != nil {
		n.items = inserted(n.items, at+1, r.items[0])
		n.kids = inserted(n.kids, at+1, r)
	}
	return split(n)
}

func split(n *set) (left, right *set) {
	if len(n.items) <= setWidth {
		return n, nil
	}
	mid := len(n.items) / 2
	left = &set{items: slices.Clone(n.items[:mid])}
	right = &set{items: slices.Clone(n.items[mid:])}
	if n.kids != nil {
		left.kids, right.kids = slices.Clone(n.kids[:mid]), slices.Clone(n.kids[mid:])
	}
	return left, right
}

// without gives the set with b not in it: s itself when it was not.
func (s *set) without(b *bound) *set {
	if s == nil {
		return nil
	}
	at, found := s.search(b)
	if s.kids == nil {
		switch {
		case !found:
			return s
		case len(s.items) == 1:
			return nil
		}
		return &set{items: removed(s.items, at)}
	}
	at = kid(at, found)
	old := s.kids[at]
	switch now := old.without(b); {
	case now == old:
		return s
	case now != nil:
		n := &set{items: s.items, kids: slices.Clone(s.kids)}
		n.kids[at] = now
		return n
	case len(s.kids) == 2:
		return s.kids[1-at]
	}
	return &set{items: removed(s.items, at), kids: removed(s.kids, at)}
}

// has says whether b is in the set.
func (s *set) has(b *bound) bool {
	for s != nil {
		at, found := s.search(b)
		if s.kids == nil {
			return found
		}
		s = s.kids[kid(at, found)]
	}
	return false
}

// search gives the place of b among the items.
func (s *set) search(b *bound) (at int, found bool) {
	lo, hi := 0, len(s.items)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		switch c := s.items[mid].order(b); {
		case c == 0:
			return mid, true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo, false
}

// kid turns a place among the items of a node into that of the kid below.
func kid(at int, found bool) int {
	if found {
		return at
	}
	return max(at-1, 0)
}

// inserted and removed copy: nodes are shared with older sets.
func inserted[T any](s []T, at int, v T) []T {
	n := make([]T, len(s)+1)
	copy(n, s[:at])
	n[at] = v
	copy(n[at+1:], s[at:])
	return n
}

func removed[T any](s []T, at int) []T {
	n := make([]T, len(s)-1)
	copy(n, s[:at])
	copy(n[at:], s[at+1:])
	return n
}

// visit calls f for each binding in s, in order.
func (s *set) visit(f func(*bound)) {
	if s == nil {
		return
	}
	for _, k := range s.kids {
		k.visit(f)
	}
	for i := range s.items {
		if s.kids == nil {
			f(&s.items[i])
		}
	}
}

// dests appends the destinations in s to out, each once, ascending.
func (s *set) dests(out []Dest) []Dest {
	if s == nil {
		return out
	}
	return s.appendDests(out, len(out))
}

func (s *set) appendDests(out []Dest, start int) []Dest {
	for _, k := range s.kids {
		out = k.appendDests(out, start)
	}
	if s.kids != nil {
		return out
	}
	for i := range s.items {
		if d := s.items[i].dest; len(out) == start || out[len(out)-1] != d {
			out = append(out, d)
		}
	}
	return out
}
