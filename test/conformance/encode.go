package conformance

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// encoder writes values given in the scenario's notation. The first error
// sticks; later writes are harmless.
type encoder struct {
	dst  []byte
	bits int // bits already used in the last octet
	err  error
}

func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

// method encodes class id, method id and arguments. What args does not name is
// zero; a name the method does not have is an error of the scenario.
func (c *codec) method(m *method, args map[string]any) ([]byte, error) {
	e := &encoder{}
	e.dst = binary.BigEndian.AppendUint16(e.dst, m.id.class)
	e.dst = binary.BigEndian.AppendUint16(e.dst, m.id.method)
	e.unknown(m.name, m.args, args)
	for _, a := range m.args {
		e.argument(a, args[a.name])
	}
	return e.dst, e.err
}

func (e *encoder) unknown(owner string, known []argument, args map[string]any) {
	for name := range args {
		if !slices.ContainsFunc(known, func(a argument) bool { return a.name == name }) {
			e.fail("%s has no field %q", owner, name)
		}
	}
}

// header encodes the payload of a content header frame.
func (c *codec) header(class, weight uint16, size uint64, props map[string]any) ([]byte, error) {
	e := &encoder{}
	e.dst = binary.BigEndian.AppendUint16(e.dst, class)
	e.dst = binary.BigEndian.AppendUint16(e.dst, weight)
	e.dst = binary.BigEndian.AppendUint64(e.dst, size)
	e.unknown("content header", c.properties, props)
	var flags uint16
	for i, p := range c.properties {
		if _, ok := props[p.name]; ok {
			flags |= 1 << (15 - i)
		}
	}
	e.dst = binary.BigEndian.AppendUint16(e.dst, flags)
	for _, p := range c.properties {
		if v, ok := props[p.name]; ok {
			e.argument(p, v)
		}
	}
	return e.dst, e.err
}

func (e *encoder) argument(a argument, v any) {
	if a.kind == 't' {
		e.bit(v)
		return
	}
	e.bits = 0
	switch a.kind {
	case 'o':
		e.uint(v, 1)
	case 'w':
		e.uint(v, 2)
	case 'l':
		e.uint(v, 4)
	case 'q', 'T':
		e.uint(v, 8)
	case 's':
		e.shortString(v)
	case 'S':
		e.longString(v)
	case 'F':
		e.table(v)
	default:
		e.fail("field %s has unknown kind %q", a.name, a.kind)
	}
}

// bit packs consecutive bits into one octet, the first in the lowest place.
func (e *encoder) bit(v any) {
	on, ok := v.(bool)
	if v != nil && !ok {
		e.fail("%v is no bit", v)
	}
	if e.bits%8 == 0 {
		e.dst = append(e.dst, 0)
	}
	if on {
		e.dst[len(e.dst)-1] |= 1 << (e.bits % 8)
	}
	e.bits++
}

func (e *encoder) uint(v any, size int) {
	n, err := strconv.ParseUint(digits(v), 10, size*8)
	if err != nil {
		e.fail("%v is no unsigned integer of %d octets", v, size)
	}
	e.bigEndian(n, size)
}

func (e *encoder) int(v any, size int) {
	n, err := strconv.ParseInt(digits(v), 10, size*8)
	if err != nil {
		e.fail("%v is no signed integer of %d octets", v, size)
	}
	e.bigEndian(uint64(n), size)
}

// digits is the number as text; nil is zero. A string comes from a placeholder.
func digits(v any) string {
	switch v := v.(type) {
	case nil:
		return "0"
	case json.Number:
		return v.String()
	}
	return fmt.Sprint(v)
}

func (e *encoder) bigEndian(n uint64, size int) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	e.dst = append(e.dst, b[8-size:]...)
}

func (e *encoder) text(v any) string {
	if v == nil {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		e.fail("%v is no string", v)
	}
	s, err := octets(s)
	if err != nil {
		e.fail("%w", err)
	}
	return s
}

func (e *encoder) shortString(v any) {
	s := e.text(v)
	if len(s) > math.MaxUint8 {
		e.fail("short string of %d octets", len(s))
		return
	}
	e.dst = append(e.dst, byte(len(s)))
	e.dst = append(e.dst, s...)
}

func (e *encoder) longString(v any) {
	s := e.text(v)
	e.dst = binary.BigEndian.AppendUint32(e.dst, uint32(len(s)))
	e.dst = append(e.dst, s...)
}

// sized writes what fill writes with a 32-bit length before it.
func (e *encoder) sized(fill func()) {
	at := len(e.dst)
	e.dst = append(e.dst, 0, 0, 0, 0)
	fill()
	binary.BigEndian.PutUint32(e.dst[at:], uint32(len(e.dst)-at-4))
}

func (e *encoder) table(v any) {
	t, ok := v.(map[string]any)
	if v != nil && !ok {
		e.fail("%v is no table", v)
	}
	names := make([]string, 0, len(t))
	for name := range t {
		names = append(names, name)
	}
	slices.Sort(names)
	e.sized(func() {
		for _, name := range names {
			e.shortString(name)
			e.field(t[name])
		}
	})
}

// typed splits a [type, value] pair.
func typed(v any) (kind byte, value any, err error) {
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		return 0, nil, fmt.Errorf("%v is no [type, value] pair", v)
	}
	letter, ok := pair[0].(string)
	if !ok || len(letter) != 1 {
		return 0, nil, fmt.Errorf("%v is no type of one octet", pair[0])
	}
	return letter[0], pair[1], nil
}

func (e *encoder) field(v any) {
	kind, value, err := typed(v)
	if err != nil {
		e.fail("%w", err)
		return
	}
	e.dst = append(e.dst, kind)
	switch kind {
	case 't':
		e.bits = 0
		e.bit(value)
	case 'b', 's', 'I', 'l':
		e.int(value, intSize(kind))
	case 'B', 'u', 'i', 'T':
		e.uint(value, intSize(kind))
	case 'f', 'd':
		e.float(value, kind)
	case 'D':
		e.decimal(value)
	case 'S', 'x':
		e.longString(value)
	case 'F':
		e.table(value)
	case 'A':
		e.array(value)
	case 'V':
	default: // a type RabbitMQ does not know: its octets are given raw
		e.dst = append(e.dst, e.text(value)...)
	}
}

// intSize is the width of an integer field type in octets.
func intSize(kind byte) int {
	switch kind {
	case 'b', 'B':
		return 1
	case 's', 'u':
		return 2
	case 'I', 'i':
		return 4
	}
	return 8
}

func (e *encoder) float(v any, kind byte) {
	f, err := strconv.ParseFloat(digits(v), 64)
	if err != nil {
		e.fail("%v is no number", v)
	}
	if kind == 'f' {
		e.bigEndian(uint64(math.Float32bits(float32(f))), 4)
		return
	}
	e.bigEndian(math.Float64bits(f), 8)
}

func (e *encoder) decimal(v any) {
	pair, ok := v.([]any)
	if !ok || len(pair) != 2 {
		e.fail("%v is no [scale, unscaled] pair", v)
		return
	}
	e.uint(pair[0], 1)
	e.int(pair[1], 4)
}

func (e *encoder) array(v any) {
	items, ok := v.([]any)
	if v != nil && !ok {
		e.fail("%v is no array", v)
	}
	e.sized(func() {
		for _, item := range items {
			e.field(item)
		}
	})
}
