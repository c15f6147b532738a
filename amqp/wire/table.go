package wire

import (
	"encoding/binary"
	"math"
)

// Table is a field table in the order it was sent. Its values are bool (t),
// int8 (b), uint8 (B), int16 (s), uint16 (u), int32 (I), uint32 (i), int64 (l),
// float32 (f), float64 (d), Decimal (D), string (S), []byte (x), Timestamp (T),
// Table (F), Array (A) and nil (V): the letters as RabbitMQ uses them. L is
// read as l. An int, as an untyped constant is, is written as l.
type Table []Field

// Field is one named value of a table.
type Field struct {
	Name  string
	Value any
}

// Array is a field array.
type Array []any

// Decimal is Value / 10^Scale.
type Decimal struct {
	Scale uint8
	Value int32
}

// Timestamp is in seconds since 1970.
type Timestamp uint64

// maxNesting bounds tables and arrays inside tables, so that hostile input
// cannot exhaust the stack. RabbitMQ has no such bound.
const maxNesting = 128

// Get gives the first field of that name.
func (t Table) Get(name string) (any, bool) {
	for i := range t {
		if t[i].Name == name {
			return t[i].Value, true
		}
	}
	return nil, false
}

// Int gives the value of any integer type of a table.
func Int(v any) (n int64, ok bool) {
	switch v := v.(type) {
	case int8:
		return int64(v), true
	case uint8:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int64:
		return v, true
	case int:
		return int64(v), true
	}
	return 0, false
}

// AppendTable adds t with its length.
func AppendTable(dst []byte, t Table) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for i := range t {
		dst = appendShortstr(dst, t[i].Name)
		dst = appendValue(dst, t[i].Value)
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		return appendBits(append(dst, 't'), v)
	case int8:
		return append(dst, 'b', byte(v))
	case uint8:
		return append(dst, 'B', v)
	case int16:
		return appendShort(append(dst, 's'), uint16(v))
	case uint16:
		return appendShort(append(dst, 'u'), v)
	case int32:
		return appendLong(append(dst, 'I'), uint32(v))
	case uint32:
		return appendLong(append(dst, 'i'), v)
	case int64:
		return appendLonglong(append(dst, 'l'), uint64(v))
	case int:
		return appendLonglong(append(dst, 'l'), uint64(v))
	case float32:
		return appendLong(append(dst, 'f'), math.Float32bits(v))
	case float64:
		return appendLonglong(append(dst, 'd'), math.Float64bits(v))
	}
	return appendCompound(dst, v)
}

func appendCompound(dst []byte, v any) []byte {
	switch v := v.(type) {
	case Decimal:
		return appendLong(append(dst, 'D', v.Scale), uint32(v.Value))
	case string:
		return appendLongstr(append(dst, 'S'), v)
	case []byte:
		return append(appendLong(append(dst, 'x'), uint32(len(v))), v...)
	case Timestamp:
		return appendTimestamp(append(dst, 'T'), v)
	case Table:
		return AppendTable(append(dst, 'F'), v)
	case Array:
		return appendArray(append(dst, 'A'), v)
	}
	return append(dst, 'V')
}

func appendArray(dst []byte, a Array) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for _, v := range a {
		dst = appendValue(dst, v)
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// ParseTable reads a table with its length off the front of b. The error is
// ErrBadTable for what no table can be, and another when octets are missing.
func ParseTable(b []byte) (t Table, rest []byte, err error) {
	d := decoder{b: b}
	body := d.longstrView()
	if d.err != nil {
		return nil, nil, d.err
	}
	t, err = parseFields(body, 0)
	return t, d.b, err
}

// ParseFields reads a table that stands without its length, as
// PropertyView.Headers does.
func ParseFields(b []byte) (Table, error) { return parseFields(b, 0) }

func parseFields(b []byte, depth int) (Table, error) {
	d := decoder{b: b}
	var t Table
	for len(d.b) > 0 {
		name := string(d.shortstrView())
		v := parseValue(&d, depth)
		if d.err != nil {
			return nil, ErrBadTable
		}
		t = append(t, Field{name, v})
	}
	return t, nil
}

func parseValue(d *decoder, depth int) any {
	if depth > maxNesting {
		d.fail(ErrBadTable)
		return nil
	}
	switch kind := d.octet(); kind {
	case 't':
		return d.octet() != 0
	case 'b':
		return int8(d.octet())
	case 'B':
		return d.octet()
	case 's':
		return int16(d.short())
	case 'u':
		return d.short()
	case 'I':
		return int32(d.long())
	case 'i':
		return d.long()
	case 'l', 'L':
		return int64(d.longlong())
	case 'f':
		return math.Float32frombits(d.long())
	case 'd':
		return math.Float64frombits(d.longlong())
	default:
		return parseCompound(d, kind, depth)
	}
}

func parseCompound(d *decoder, kind byte, depth int) any {
	switch kind {
	case 'D':
		return Decimal{d.octet(), int32(d.long())}
	case 'S':
		return d.longstr()
	case 'x':
		return append([]byte{}, d.longstrView()...)
	case 'T':
		return d.timestamp()
	case 'F':
		t, err := parseFields(d.longstrView(), depth+1)
		if err != nil {
			d.fail(err)
		}
		return t
	case 'A':
		return parseArray(d, depth)
	case 'V':
		return nil
	}
	d.fail(ErrBadTable)
	return nil
}

func parseArray(d *decoder, depth int) any {
	in := decoder{b: d.longstrView()}
	a := Array{}
	for len(in.b) > 0 && in.err == nil {
		a = append(a, parseValue(&in, depth+1))
	}
	if in.err != nil {
		d.fail(in.err)
	}
	return a
}

// ScanTable visits the fields of a table given without its length, value still
// encoded, until visit says false. It allocates nothing.
func ScanTable(b []byte, visit func(name []byte, typ byte, value []byte) bool) error {
	d := decoder{b: b}
	for len(d.b) > 0 {
		name := d.shortstrView()
		typ := d.octet()
		value := d.take(valueLen(&d, typ))
		if d.err != nil {
			return ErrBadTable
		}
		if !visit(name, typ, value) {
			return nil
		}
	}
	return nil
}

// validFields says whether a table given without its length decodes, without
// decoding it.
func validFields(b []byte, depth int) bool {
	d := decoder{b: b}
	for len(d.b) > 0 {
		d.shortstrView()
		if !validValue(&d, depth) {
			return false
		}
	}
	return true
}

func validArray(b []byte, depth int) bool {
	d := decoder{b: b}
	for len(d.b) > 0 {
		if !validValue(&d, depth) {
			return false
		}
	}
	return true
}

// validValue takes one value, letter included, off the front of d.
func validValue(d *decoder, depth int) bool {
	if depth > maxNesting {
		return false
	}
	typ := d.octet()
	value := d.take(valueLen(d, typ))
	switch {
	case d.err != nil:
		return false
	case typ == 'F':
		return validFields(value[4:], depth+1)
	case typ == 'A':
		return validArray(value[4:], depth+1)
	}
	return true
}

// valueLen is the length of the value at the front of d, or -1.
func valueLen(d *decoder, typ byte) int {
	switch typ {
	case 't', 'b', 'B':
		return 1
	case 's', 'u':
		return 2
	case 'I', 'i', 'f':
		return 4
	case 'D':
		return 5
	case 'l', 'L', 'd', 'T':
		return 8
	case 'V':
		return 0
	case 'S', 'x', 'F', 'A':
		if len(d.b) < 4 {
			return -1
		}
		n := uint64(binary.BigEndian.Uint32(d.b)) + 4
		if n > uint64(len(d.b)) {
			return -1
		}
		return int(n)
	}
	return -1
}
