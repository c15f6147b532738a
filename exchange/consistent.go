package exchange

import (
	"math"
	"slices"
	"sync"

	"github.com/leveretmq/leveret/amqp/wire"
)

const (
	consistentHash = "x-consistent-hash"
	hashHeader     = "hash-header"
	hashProperty   = "hash-property"
)

// consistent routes to one destination by a hash of the key, of a header or of
// a property (RabbitMQ: x-consistent-hash); the key of a binding is a weight.
// One binding of a destination counts, the first by its key.
//
// Each destination draws a number from the hash and its own id, and the highest
// wins (rendezvous hashing). So the outcome follows from the bindings alone,
// whatever their order and in every run, shares are exact to chance, and a
// destination that comes or goes moves no message between the others. That
// costs about a nanosecond for each destination; routes by key are kept by
// publishers.
type consistent struct {
	by   hashBy
	all  *set
	once *sync.Once
	ring *[]weighted // made at the first Route, ascending by weight
}

// weighted is the destinations of one weight with what they draw from.
type weighted struct {
	weight float64
	seeds  []uint64
	dests  []Dest
}

// hashBy is what is hashed: a header, a property, or else the key.
type hashBy struct {
	header string
	flag   uint16 // of the property
}

func newConsistent(args wire.Table) consistent {
	var by hashBy
	v, _ := args.Get(hashHeader)
	by.header, _ = v.(string)
	v, _ = args.Get(hashProperty)
	by.flag = hashFlag(v)
	return consistent{by: by}.over(nil)
}

func (c consistent) over(all *set) consistent {
	return consistent{by: c.by, all: all, once: new(sync.Once), ring: new([]weighted)}
}

// Bind is as Router says.
func (c consistent) Bind(b Binding) Router {
	if all := c.all.with(newBound(b)); all != c.all {
		return c.over(all)
	}
	return c
}

// Unbind is as Router says.
func (c consistent) Unbind(b Binding) Router {
	gone := newBound(b)
	if all := c.all.without(&gone); all != c.all {
		return c.over(all)
	}
	return c
}

// KeyOnly is as Router says.
func (c consistent) KeyOnly() bool { return c.by == hashBy{} }

// PerKey is as Router says.
func (c consistent) PerKey() bool { return false }

// Route is as Router says.
func (c consistent) Route(m Message, out []Dest) []Dest {
	if c.all == nil {
		return out
	}
	c.once.Do(func() { *c.ring = groups(c.all) })
	hash := c.by.of(m)
	ring := *c.ring
	best, dest := ring[0].draw(hash)
	if len(ring) == 1 {
		return append(out, dest)
	}
	share := ring[0].share(best)
	for i := 1; i < len(ring); i++ {
		drawn, d := ring[i].draw(hash)
		if s := ring[i].share(drawn); s > share {
			share, dest = s, d
		}
	}
	return append(out, dest)
}

// draw gives the highest number of the group, and whose it is.
func (w *weighted) draw(hash uint64) (best uint64, dest Dest) {
	at := 0
	for i, seed := range w.seeds {
		if n := mix(hash ^ seed); n >= best {
			best, at = n, i
		}
	}
	return best, w.dests[at]
}

// share makes numbers drawn with different weights comparable: the chance to
// be the highest is then in proportion to the weight.
func (w *weighted) share(drawn uint64) float64 {
	return -w.weight / math.Log((float64(drawn>>11)+0.5)/(1<<53))
}

func groups(all *set) (ring []weighted) {
	var last Dest
	n := 0
	all.visit(func(b *bound) {
		if n++; n > 1 && b.dest == last {
			return
		}
		last = b.dest
		weight, _ := parseWeight(b.key) // CheckBinding has let it pass; else it is 0, and never wins
		at, found := slices.BinarySearchFunc(ring, weight, func(w weighted, weight float64) int {
			switch {
			case w.weight < weight:
				return -1
			case w.weight > weight:
				return 1
			}
			return 0
		})
		if !found {
			ring = slices.Insert(ring, at, weighted{weight: weight})
		}
		seed := b.dest.ID << 1
		if b.dest.Exchange {
			seed++
		}
		ring[at].seeds = append(ring[at].seeds, mix(seed))
		ring[at].dests = append(ring[at].dests, b.dest)
	})
	return ring
}
