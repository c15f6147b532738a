package exchange

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"github.com/leveretmq/leveret/amqp/wire"
)

// headers routes by the headers of a message; the arguments of a binding say
// which it wants (spec: 3.1.3.4). The key of a binding only tells bindings
// apart.
type headers struct {
	all   *set
	rooms *sync.Pool // of *[]header: room to scan a message without allocating
}

func newHeaders() headers {
	return headers{rooms: &sync.Pool{New: func() any { return new([]header) }}}
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
	h.all = h.all.with(n)
	return h
}

// Unbind is as Router says.
func (h headers) Unbind(b Binding) Router {
	gone := newBound(b)
	h.all = h.all.without(&gone)
	return h
}

// KeyOnly is as Router says.
func (h headers) KeyOnly() bool { return false }

// Route is as Router says. It tries every binding, except those of a
// destination that an earlier one has matched.
func (h headers) Route(m Message, out []Dest) []Dest {
	if h.all == nil {
		return out
	}
	room := h.rooms.Get().(*[]header)
	hs := scanHeaders(m.Headers, (*room)[:0])
	out = h.all.matching(hs, out, len(out))
	clear(hs)
	*room = hs
	h.rooms.Put(room)
	return out
}

func (s *set) matching(hs []header, out []Dest, start int) []Dest {
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
