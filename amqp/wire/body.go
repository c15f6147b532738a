package wire

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Body is the memory of one large message body, shared by all who keep it. The
// last Release gives it back for another body. A forgotten Release leaves it to
// the garbage collector; one too many is a defect.
type Body struct {
	octets []byte
	refs   atomic.Int32
	home   *sync.Pool // nil: not used again
}

// NewBody makes a Body of octets that nobody writes any more, with one reference.
func NewBody(octets []byte) *Body {
	b := &Body{octets: octets}
	b.refs.Store(1)
	return b
}

// Octets is the memory; only who took it from Bodies and has not shared it
// writes there.
func (b *Body) Octets() []byte { return b.octets }

// Retain adds a reference and returns b.
func (b *Body) Retain() *Body {
	b.refs.Add(1)
	return b
}

// Release gives one reference up; nil has none.
func (b *Body) Release() {
	if b == nil {
		return
	}
	switch n := b.refs.Add(-1); {
	case n < 0:
		panic("wire: a body was released once too often")
	case n == 0 && b.home != nil:
		b.home.Put(b)
	}
}

const (
	leastBody = 14 // as a power of two: octets of the smallest class
	classSets = 9  // doublings from there; larger bodies are not used again
	inDouble  = 4  // classes per doubling: at most a fifth is waste
	mostBody  = 1<<(leastBody+classSets) - 1
)

// Bodies hands out memory for bodies. A fresh megabyte for each would be zeroed,
// faulted in page by page and collected again, at more cost than its way through
// the broker. The zero value is ready.
type Bodies struct {
	classes [classSets * inDouble]sync.Pool
}

// Take returns a Body of n octets with undefined contents and one reference.
func (p *Bodies) Take(n int) *Body {
	class, size := classOf(n)
	if class < 0 {
		return NewBody(make([]byte, n))
	}
	home := &p.classes[class]
	b, ok := home.Get().(*Body)
	if !ok {
		b = &Body{octets: make([]byte, size), home: home}
	}
	b.octets = b.octets[:n]
	b.refs.Store(1)
	return b
}

// classOf gives the class for n octets and what it holds; -1: none.
func classOf(n int) (class, size int) {
	if n > mostBody {
		return -1, n
	}
	n = max(n, 1<<leastBody+1) - 1
	doubling := bits.Len(uint(n)) - 1
	step := 1 << doubling / inDouble
	within := (n - 1<<doubling) / step
	return (doubling-leastBody)*inDouble + within, 1<<doubling + (within+1)*step
}
