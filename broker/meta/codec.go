package meta

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
)

// The first octet of a key says what is there, see docs/format.md. Kinds are in
// the order in which they have to be loaded: bindings come after what they bind.
const (
	kindID byte = iota + 1
	kindVHost
	kindUser
	kindPermission
	kindExchange
	kindQueue
	kindBinding
	kindTopicPermission
	kindPolicy
	kindOperatorPolicy
	kindParameter
	kindGlobalParameter
)

// format is the first octet of every value that is written. Values of format 1
// have less of virtual hosts and users.
const format = 2

var (
	errFormat = errors.New("value has an unknown format")
	errValue  = errors.New("value is damaged")
	errKey    = errors.New("value belongs to another key")
	errVHost  = errors.New("its virtual host is not there")
	errEnds   = errors.New("an end of the binding is not there")
)

// key is a kind and its parts, each after its u16 length, so that no character
// of a name separates.
func key(kind byte, parts ...string) []byte {
	k := []byte{kind}
	for _, p := range parts {
		k = binary.BigEndian.AppendUint16(k, uint16(len(p)))
		k = append(k, p...)
	}
	return k
}

// stored is a definition that the metadata store keeps.
type stored interface {
	// key is where; it follows from what is kept.
	key() []byte
	// code writes or reads the fields, in an order that never changes.
	code(c *coder)
}

func (e *Exchange) key() []byte { return key(kindExchange, e.VHost, e.Name) }
func (q *Queue) key() []byte    { return key(kindQueue, q.VHost, q.Name) }

// key has a hash of the arguments: they may be longer than a key of the store.
func (b *Binding) key() []byte {
	kind, args := "q", ""
	if b.ToExchange {
		kind = "x"
	}
	if len(b.Arguments) > 0 {
		sum := sha256.Sum256(wire.AppendTable(nil, canonical(b.Arguments)))
		args = string(sum[:])
	}
	return key(kindBinding, b.VHost, b.Source, kind, b.Dest, b.Key, args)
}

// canonical has the fields in the order of their names: RabbitMQ sorts the
// arguments of a binding before it compares.
func canonical(t wire.Table) wire.Table {
	t = slices.Clone(t)
	slices.SortStableFunc(t, func(a, b wire.Field) int { return strings.Compare(a.Name, b.Name) })
	return t
}

func (e *Exchange) code(c *coder) {
	c.number(&e.ID)
	c.texts(&e.VHost, &e.Name, &e.Kind)
	c.flags(&e.Durable, &e.AutoDelete, &e.Internal)
	c.table(&e.Arguments)
}

func (q *Queue) code(c *coder) {
	c.number(&q.ID)
	c.texts(&q.VHost, &q.Name)
	c.flags(&q.Durable, &q.Exclusive, &q.AutoDelete)
	c.table(&q.Arguments)
}

func (b *Binding) code(c *coder) {
	c.texts(&b.VHost, &b.Source, &b.Dest, &b.Key)
	c.flags(&b.ToExchange)
	c.table(&b.Arguments)
}

// idLimit is the first id not yet reserved.
type idLimit uint64

func (l *idLimit) key() []byte   { return []byte{kindID} }
func (l *idLimit) code(c *coder) { c.number((*uint64)(l)) }

// coder writes values to b, or takes them off the front of b. Numbers and
// lengths are varints; a text is any octets after their length; up to eight
// flags are one octet from the lowest bit up; a table is as on the wire.
type coder struct {
	b       []byte
	format  byte
	reading bool
	bad     bool
}

func (c *coder) number(n *uint64) {
	if !c.reading {
		c.b = binary.AppendUvarint(c.b, *n)
		return
	}
	v, size := binary.Uvarint(c.b)
	if size <= 0 {
		c.bad, c.b = true, nil
		return
	}
	*n, c.b = v, c.b[size:]
}

func (c *coder) texts(texts ...*string) {
	for _, t := range texts {
		n := uint64(len(*t))
		c.number(&n)
		switch {
		case !c.reading:
			c.b = append(c.b, *t...)
		case n > uint64(len(c.b)):
			c.bad, c.b = true, nil
		default:
			*t, c.b = string(c.b[:n]), c.b[n:]
		}
	}
}

func (c *coder) list(texts *[]string) {
	n := uint64(len(*texts))
	c.number(&n)
	if c.reading {
		if n > uint64(len(c.b)) { // each takes an octet at least
			c.bad, c.b = true, nil
			return
		}
		*texts = append([]string(nil), make([]string, n)...) // nil when there are none
	}
	for i := range *texts {
		c.texts(&(*texts)[i])
	}
}

func (c *coder) flags(flags ...*bool) {
	var octet byte
	for i, f := range flags {
		if *f {
			octet |= 1 << i
		}
	}
	if !c.reading {
		c.b = append(c.b, octet)
		return
	}
	if len(c.b) == 0 || c.b[0]>>len(flags) != 0 {
		c.bad, c.b = true, nil
		return
	}
	octet, c.b = c.b[0], c.b[1:]
	for i, f := range flags {
		*f = octet>>i&1 != 0
	}
}

func (c *coder) table(t *wire.Table) {
	if !c.reading {
		c.b = wire.AppendTable(c.b, *t)
		return
	}
	parsed, rest, err := wire.ParseTable(c.b)
	if err != nil {
		c.bad, c.b = true, nil
		return
	}
	*t, c.b = parsed, rest
}

// put is the change that stores v.
func put(v stored) []Change {
	c := coder{b: []byte{format}, format: format}
	v.code(&c)
	return []Change{{v.key(), c.b}}
}

// load reads the value at k.
func load(k, value []byte, v stored) error {
	if len(value) == 0 || value[0] == 0 || value[0] > format {
		return errFormat
	}
	c := coder{b: value[1:], format: value[0], reading: true}
	v.code(&c)
	switch {
	case c.bad || len(c.b) > 0:
		return errValue
	case !bytes.Equal(v.key(), k):
		return errKey
	}
	return nil
}

// Load takes one stored key-value back in, at start.
func (s *State) Load(k, value []byte) error {
	if len(k) == 0 {
		return fmt.Errorf("metadata: empty key")
	}
	if err := s.load(k, value); err != nil {
		return fmt.Errorf("metadata: key %q: %w", k, err)
	}
	return nil
}

func (s *State) load(k, value []byte) error {
	switch k[0] {
	case kindID:
		return take(k, value, func(l *idLimit) error { return s.seen(uint64(*l) - 1) })
	case kindVHost:
		return take(k, value, func(v *VHost) error { s.PutVHost(v); return nil })
	case kindUser:
		return take(k, value, func(u *User) error { s.PutUser(u); return nil })
	case kindPermission:
		return take(k, value, func(p *Permission) error { s.PutPermission(p); return s.needs(p.VHost) })
	case kindTopicPermission:
		return take(k, value, func(p *TopicPermission) error { s.PutTopicPermission(p); return s.needs(p.VHost) })
	case kindPolicy, kindOperatorPolicy:
		return take(k, value, func(p *Policy) error { s.PutPolicy(p); return s.needs(p.VHost) })
	case kindParameter:
		return take(k, value, func(p *Parameter) error { s.PutParameter(p); return s.needs(p.VHost) })
	case kindGlobalParameter:
		return take(k, value, func(p *GlobalParameter) error { s.PutGlobalParameter(p); return nil })
	case kindExchange:
		return take(k, value, func(e *Exchange) error {
			s.PutExchange(e)
			return errors.Join(s.seen(e.ID), s.needs(e.VHost))
		})
	case kindQueue:
		return take(k, value, func(q *Queue) error {
			s.PutQueue(q)
			return errors.Join(s.seen(q.ID), s.needs(q.VHost))
		})
	case kindBinding:
		return take(k, value, func(b *Binding) error {
			if !s.durable(b) {
				return errEnds
			}
			s.PutBinding(b)
			return nil
		})
	}
	return fmt.Errorf("unknown kind %d", k[0])
}

// seen keeps an id that is stored from being given again.
func (s *State) seen(id uint64) error {
	if id >= 1<<63 {
		return errValue
	}
	s.Seen(id)
	s.limit = max(s.limit, s.next)
	return nil
}

func (s *State) needs(vhost string) error {
	if s.VHosts[vhost] == nil {
		return errVHost
	}
	return nil
}

// take loads a definition and hands it on, when it is whole.
func take[T any, P interface {
	*T
	stored
}](k, value []byte, use func(*T) error) error {
	v := new(T)
	if err := load(k, value, P(v)); err != nil {
		return err
	}
	return use(v)
}
