package exchange

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"github.com/leveretmq/leveret/amqp/wire"
)

// headers routes by the headers of a message; the arguments of a binding say
// which it wants (spec: 3.1.3.4). The key of a binding only tells bindings
// apart.
//
// A binding that wants all of several pairs of name and value needs each of
// them, so it is kept under one alone: the one that the fewest others are kept
// under when it comes. A message looks only under the pairs that it has.
type headers struct {
	seed  maphash.Seed
	pairs *keys[bucket] // by what headerMatch.pairs gives
	rest  *set          // bindings that need no pair: all are tried
	rooms *sync.Pool    // of *headerRoom: room to route without allocating
}

// bucket is the bindings under one pair, and how many they are.
type bucket struct {
	all *set
	n   int
}

// headerRoom is what one Route works in.
type headerRoom struct {
	headers []header
	key     []byte
	runs    runs
}

func newHeaders() headers {
	return headers{seed: maphash.MakeSeed(), rooms: &sync.Pool{New: func() any { return new(headerRoom) }}}
}

// headerMatch is what one binding wants. RabbitMQ compares two lists sorted by
// name, one step in both at equal names, which shows when a name comes twice.
type headerMatch struct {
	any    bool // one of fields is enough; else all have to be there
	fields []headerField
}

// headerField is a header by name, of a binding.
type headerField struct {
	name string
	headerValue
}

// header is a header of a message.
type header struct {
	name []byte
	headerValue
}

// Bind is as Router says.
func (h headers) Bind(b Binding) Router {
	n := newBound(b)
	n.match = newHeaderMatch(b.Args)
	best, fewest := "", -1
	for _, key := range n.match.pairs() {
		there := h.bucket(key)
		if there.all.has(&n) {
			return h
		}
		if fewest < 0 || there.n < fewest {
			best, fewest = key, there.n
		}
	}
	if fewest < 0 {
		h.rest = h.rest.with(n)
		return h
	}
	h.pairs = h.pairs.with(maphash.String(h.seed, best), best, bucket{h.bucket(best).all.with(n), fewest + 1})
	return h
}

// Unbind is as Router says.
func (h headers) Unbind(b Binding) Router {
	gone := newBound(b)
	for _, key := range newHeaderMatch(b.Args).pairs() {
		there := h.bucket(key)
		left := bucket{there.all.without(&gone), there.n - 1}
		hash := maphash.String(h.seed, key)
		switch {
		case left.all == there.all:
			continue
		case left.all == nil:
			h.pairs = h.pairs.without(hash, key)
		default:
			h.pairs = h.pairs.with(hash, key, left)
		}
		return h
	}
	h.rest = h.rest.without(&gone)
	return h
}

func (h headers) bucket(key string) bucket {
	found, _ := h.pairs.get(maphash.String(h.seed, key), []byte(key))
	return found
}

// KeyOnly is as Router says.
func (h headers) KeyOnly() bool { return false }

// PerKey is as Router says.
func (h headers) PerKey() bool { return false }

// Route is as Router says. It tries the bindings under the pairs of the
// message and those under none.
func (h headers) Route(m Message, out []Dest) []Dest {
	if h.pairs == nil && h.rest == nil {
		return out
	}
	room := h.rooms.Get().(*headerRoom)
	room.headers = scanHeaders(m.Headers, room.headers[:0])
	room.runs.reset()
	room.runs.match(h.rest, room.headers)
	if h.pairs != nil {
		for i := range room.headers {
			has := &room.headers[i]
			room.key = appendPair(room.key[:0], has.name, &has.headerValue)
			found, _ := h.pairs.get(maphash.Bytes(h.seed, room.key), room.key)
			room.runs.match(found.all, room.headers)
		}
	}
	out = append(out, room.runs.united()...)
	clear(room.headers)
	h.rooms.Put(room)
	return out
}

// match makes a run of the destinations in s that have a binding which matches.
func (r *runs) match(s *set, hs []header) {
	from := len(r.dests)
	r.dests = s.matching(hs, r.dests, from)
	if len(r.dests) > from {
		r.ends = append(r.ends, len(r.dests))
	}
}

func (s *set) matching(hs []header, out []Dest, start int) []Dest {
	if s == nil {
		return out
	}
	for _, k := range s.kids {
		out = k.matching(hs, out, start)
	}
	if s.kids != nil {
		return out
	}
	for i := range s.items {
		b := &s.items[i]
		if n := len(out); n > start && out[n-1] == b.dest {
			continue
		}
		if b.match.matches(hs) {
			out = append(out, b.dest)
		}
	}
	return out
}

// scanHeaders appends the headers of an encoded table, sorted by name.
func scanHeaders(table []byte, hs []header) []header {
	// The headers before an octet that does not decode count; there is nobody
	// to tell here.
	_ = wire.ScanTable(table, func(name []byte, typ byte, value []byte) bool {
		hs = append(hs, header{name, newHeaderValue(typ, value)})
		return true
	})
	slices.SortStableFunc(hs, func(a, b header) int { return bytes.Compare(a.name, b.name) })
	return hs
}

// newHeaderMatch reads the arguments of a binding. Names with "x-" are left
// out unless x-match says with-x; x-match itself always is.
func newHeaderMatch(args wire.Table) *headerMatch {
	mode, _ := args.Get(matchArgument)
	m := &headerMatch{any: mode == "any" || mode == "any-with-x"}
	withX := mode == "all-with-x" || mode == "any-with-x"
	for _, f := range sorted(args) {
		if f.Name == matchArgument || !withX && strings.HasPrefix(f.Name, "x-") {
			continue
		}
		m.fields = append(m.fields, headerField{f.Name, encodedValue(f)})
	}
	return m
}

// pairs gives the pairs of name and value that a message must have, as keys;
// none when a message can do without each of them, or the value does not count.
func (m *headerMatch) pairs() (keys []string) {
	if m.any {
		return nil
	}
	for i := range m.fields {
		if f := &m.fields[i]; f.kind != kindVoid {
			keys = append(keys, string(appendPair(nil, f.name, &f.headerValue)))
		}
	}
	return keys
}

// appendPair appends a key that is equal for equal pairs only: the name comes
// with its length.
func appendPair[S ~string | ~[]byte](dst []byte, name S, v *headerValue) []byte {
	dst = append(append(dst, byte(len(name)), v.kind), name...)
	return append(binary.LittleEndian.AppendUint64(dst, v.number), v.text...)
}

// matches compares with headers sorted by name. Without fields, "all" matches
// every message and "any" none.
func (m *headerMatch) matches(hs []header) bool {
	for i := range m.fields {
		f := &m.fields[i]
		for len(hs) > 0 && string(hs[0].name) < f.name {
			hs = hs[1:]
		}
		ok := len(hs) > 0 && string(hs[0].name) == f.name
		if ok {
			ok = f.equal(&hs[0].headerValue)
			hs = hs[1:]
		}
		if ok == m.any {
			return m.any
		}
	}
	return !m.any
}
