package conformance

import (
	"encoding/binary"
	"math"
)

// Decoded values: bool, uint64, int64, float32, float64, string (any octets),
// decimal, table, []field and nil.
type (
	// field is a value of a field table with its type octet.
	field struct {
		kind  byte
		value any
	}
	table   map[string]field
	decimal struct {
		scale    uint64
		unscaled int64
	}
)

// The deepest nesting of tables and arrays a dialogue may receive.
const depthLimit = 64

// decoder reads values from b. The first error sticks and later reads give zero.
type decoder struct {
	b    []byte
	bits int // bits already taken from the octet before b
	last byte
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = faultf(format, args...)
	}
}

// decodeMethod decodes a method frame. Reserved fields are left out.
func (c *codec) decodeMethod(payload []byte) (*method, map[string]any, error) {
	d := &decoder{b: payload}
	id := methodID{class: uint16(d.uint(2)), method: uint16(d.uint(2))}
	if d.err != nil {
		return nil, nil, d.err
	}
	m := c.byID[id]
	if m == nil {
		return nil, nil, faultf("unknown method %d,%d", id.class, id.method)
	}
	args := map[string]any{}
	for _, a := range m.args {
		v := d.argument(a)
		if !a.reserved() {
			args[a.name] = v
		}
	}
	if d.err == nil && len(d.b) > 0 {
		d.fail("%d octets after the arguments", len(d.b))
	}
	if d.err != nil {
		return nil, nil, faultf("%s does not decode: %v (payload %x)", m.name, d.err, payload)
	}
	return m, args, nil
}

// decodeHeader decodes a content header of class basic.
func (c *codec) decodeHeader(payload []byte) (size uint64, props map[string]any, err error) {
	d := &decoder{b: payload}
	class, weight := d.uint(2), d.uint(2)
	size = d.uint(8)
	flags := d.uint(2)
	props = map[string]any{}
	for i, p := range c.properties {
		if flags&(1<<(15-i)) != 0 {
			props[p.name] = d.argument(p)
		}
	}
	switch {
	case d.err != nil:
	case class != 60 || weight != 0:
		d.fail("class %d weight %d, want 60 and 0", class, weight)
	case flags&3 != 0:
		d.fail("property flags %04x have unknown bits", flags)
	case len(d.b) > 0:
		d.fail("%d octets after the properties", len(d.b))
	}
	if d.err != nil {
		return 0, nil, faultf("content header does not decode: %v (payload %x)", d.err, payload)
	}
	return size, props, nil
}

func (d *decoder) argument(a argument) any {
	if a.kind == 't' {
		return d.bit()
	}
	d.bits = 0
	switch a.kind {
	case 'o':
		return d.uint(1)
	case 'w':
		return d.uint(2)
	case 'l':
		return d.uint(4)
	case 'q', 'T':
		return d.uint(8)
	case 's':
		return d.text(d.uint(1))
	case 'S':
		return d.text(d.uint(4))
	}
	return d.table(0)
}

func (d *decoder) take(n uint64) []byte {
	if d.err != nil || n > uint64(len(d.b)) {
		d.fail("%d octets wanted, %d left", n, len(d.b))
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) bit() bool {
	if d.bits%8 == 0 {
		d.last = byte(d.uint(1))
	}
	on := d.last>>(d.bits%8)&1 == 1
	d.bits++
	return on
}

func (d *decoder) uint(size uint64) uint64 {
	var b [8]byte
	copy(b[8-size:], d.take(size))
	return binary.BigEndian.Uint64(b[:])
}

// int sign-extends an integer of size octets.
func (d *decoder) int(size uint64) int64 {
	shift := 64 - 8*size
	return int64(d.uint(size)<<shift) >> shift
}

func (d *decoder) text(n uint64) string { return string(d.take(n)) }

func (d *decoder) table(depth int) table {
	t := table{}
	in := d.nested(depth)
	for in.err == nil && len(in.b) > 0 {
		name := in.text(in.uint(1))
		if _, twice := t[name]; twice {
			in.fail("table names %q twice", name)
		}
		t[name] = in.field(depth + 1)
	}
	d.join(in)
	return t
}

func (d *decoder) array(depth int) []field {
	items := []field{}
	in := d.nested(depth)
	for in.err == nil && len(in.b) > 0 {
		items = append(items, in.field(depth+1))
	}
	d.join(in)
	return items
}

// nested is a decoder for what a 32-bit length announces.
func (d *decoder) nested(depth int) *decoder {
	if depth > depthLimit {
		d.fail("nested deeper than %d", depthLimit)
	}
	return &decoder{b: d.take(d.uint(4))}
}

func (d *decoder) join(in *decoder) {
	if in.err != nil {
		d.fail("%v", in.err)
	}
}

func (d *decoder) field(depth int) field {
	kind := byte(d.uint(1))
	return field{kind: kind, value: d.value(kind, depth)}
}

func (d *decoder) value(kind byte, depth int) any {
	switch kind {
	case 't':
		return d.uint(1) != 0
	case 'b', 's', 'I', 'l':
		return d.int(uint64(intSize(kind)))
	case 'B', 'u', 'i', 'T':
		return d.uint(uint64(intSize(kind)))
	case 'f':
		return math.Float32frombits(uint32(d.uint(4)))
	case 'd':
		return math.Float64frombits(d.uint(8))
	case 'D':
		return decimal{scale: d.uint(1), unscaled: d.int(4)}
	case 'S', 'x':
		return d.text(d.uint(4))
	case 'F':
		return d.table(depth)
	case 'A':
		return d.array(depth)
	case 'V':
		return nil
	}
	d.fail("unknown field type %q", kind)
	return nil
}
