package exchange

import (
	"math/bits"
	"slices"
)

const (
	hashStep = 5 // bits of the hash that one level uses up
	hashBits = 64
)

// keys is a persistent hash trie from strings to values; nil is the empty one.
// The hash of a key is the caller's, always of the same function, and never
// shows: nothing here visits keys in order.
type keys[V any] struct {
	used  uint32 // which of 32 places have a slot
	slots []keySlot[V]
}

// keySlot is one key, or the trie of those that share the bits so far. At the
// end of the hash, slots are keys with equal hashes, in no order.
type keySlot[V any] struct {
	hash  uint64
	key   string
	value V
	sub   *keys[V]
}

func place(hash uint64, shift uint) uint32 { return 1 << (hash >> shift & (1<<hashStep - 1)) }

func (n *keys[V]) index(bit uint32) int { return bits.OnesCount32(n.used & (bit - 1)) }

// get looks a key up.
func (n *keys[V]) get(hash uint64, key []byte) (v V, ok bool) {
	for shift := uint(0); n != nil; shift += hashStep {
		if shift >= hashBits {
			if i := n.find(string(key)); i >= 0 {
				return n.slots[i].value, true
			}
			return v, false
		}
		bit := place(hash, shift)
		if n.used&bit == 0 {
			return v, false
		}
		s := &n.slots[n.index(bit)]
		if s.sub == nil {
			if s.hash == hash && s.key == string(key) {
				return s.value, true
			}
			return v, false
		}
		n = s.sub
	}
	return v, false
}

func (n *keys[V]) find(key string) int {
	return slices.IndexFunc(n.slots, func(s keySlot[V]) bool { return s.key == key })
}

// with gives the trie with value at key, in place of what was there.
func (n *keys[V]) with(hash uint64, key string, value V) *keys[V] {
	return n.put(0, keySlot[V]{hash: hash, key: key, value: value})
}

func (n *keys[V]) put(shift uint, s keySlot[V]) *keys[V] {
	if n == nil {
		n = &keys[V]{}
	}
	if shift >= hashBits {
		return n.putEqual(s)
	}
	bit := place(s.hash, shift)
	at := n.index(bit)
	if n.used&bit == 0 {
		return &keys[V]{used: n.used | bit, slots: inserted(n.slots, at, s)}
	}
	there := &n.slots[at]
	switch {
	case there.sub != nil:
		s = keySlot[V]{sub: there.sub.put(shift+hashStep, s)}
	case there.hash != s.hash || there.key != s.key:
		var sub *keys[V]
		s = keySlot[V]{sub: sub.put(shift+hashStep, *there).put(shift+hashStep, s)}
	}
	return &keys[V]{used: n.used, slots: replaced(n.slots, at, s)}
}

func (n *keys[V]) putEqual(s keySlot[V]) *keys[V] {
	if i := n.find(s.key); i >= 0 {
		return &keys[V]{slots: replaced(n.slots, i, s)}
	}
	return &keys[V]{slots: inserted(n.slots, len(n.slots), s)}
}

// without gives the trie without key: n itself when it was not there.
func (n *keys[V]) without(hash uint64, key string) *keys[V] { return n.drop(0, hash, key) }

func (n *keys[V]) drop(shift uint, hash uint64, key string) *keys[V] {
	if n == nil {
		return nil
	}
	if shift >= hashBits {
		if i := n.find(key); i >= 0 {
			return n.cut(0, i)
		}
		return n
	}
	bit := place(hash, shift)
	if n.used&bit == 0 {
		return n
	}
	at := n.index(bit)
	there := &n.slots[at]
	if there.sub == nil {
		if there.hash != hash || there.key != key {
			return n
		}
		return n.cut(bit, at)
	}
	switch sub := there.sub.drop(shift+hashStep, hash, key); {
	case sub == there.sub:
		return n
	case len(sub.slots) == 1 && sub.slots[0].sub == nil: // one key needs no level of its own
		return &keys[V]{used: n.used, slots: replaced(n.slots, at, sub.slots[0])}
	default:
		return &keys[V]{used: n.used, slots: replaced(n.slots, at, keySlot[V]{sub: sub})}
	}
}

// cut removes one slot; a trie without slots is nil. A level below the first
// has two keys or more, so it never becomes nil.
func (n *keys[V]) cut(bit uint32, at int) *keys[V] {
	if len(n.slots) == 1 {
		return nil
	}
	return &keys[V]{used: n.used &^ bit, slots: removed(n.slots, at)}
}

func replaced[T any](s []T, at int, v T) []T {
	n := slices.Clone(s)
	n[at] = v
	return n
}
