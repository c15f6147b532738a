package wire

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

var errShort = errors.New("octets missing")

// decoder takes values off the front of b. err is the first failure of the
// lengths and ends the decoding; bad is the first value that is wrong in
// itself. RabbitMQ matches all lengths before it looks at any value, so err
// outranks bad wherever in the arguments the two are.
type decoder struct {
	b        []byte
	err, bad error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

// take gives n octets, or nil and a sticking error.
func (d *decoder) take(n int) []byte {
	if n < 0 || len(d.b) < n {
		d.fail(errShort)
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) octet() uint8 {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *decoder) short() uint16 {
	if v := d.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (d *decoder) long() uint32 {
	if v := d.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (d *decoder) longlong() uint64 {
	if v := d.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

func (d *decoder) timestamp() Timestamp { return Timestamp(d.longlong()) }

// shortstrView is a view into the input.
func (d *decoder) shortstrView() []byte { return d.take(int(d.octet())) }

// shortstr is a method's short string, which has to be UTF-8. (Properties and
// the publish that ParsePublish reads need not be: RabbitMQ takes any octets.)
func (d *decoder) shortstr() string {
	v := d.shortstrView()
	if d.bad == nil && !utf8.Valid(v) {
		d.bad = Errorf(FrameError, "Malformed UTF-8 in shortstr")
	}
	return string(v)
}

func (d *decoder) longstrView() []byte {
	n := d.long()
	if uint64(n) > uint64(len(d.b)) {
		d.fail(errShort)
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) longstr() string { return string(d.longstrView()) }

func (d *decoder) table() Table {
	t, err := parseFields(d.longstrView(), 0)
	if err != nil && d.bad == nil {
		d.bad = err
	}
	return t
}

func appendOctet(dst []byte, v uint8) []byte         { return append(dst, v) }
func appendShort(dst []byte, v uint16) []byte        { return binary.BigEndian.AppendUint16(dst, v) }
func appendLong(dst []byte, v uint32) []byte         { return binary.BigEndian.AppendUint32(dst, v) }
func appendLonglong(dst []byte, v uint64) []byte     { return binary.BigEndian.AppendUint64(dst, v) }
func appendTimestamp(dst []byte, v Timestamp) []byte { return appendLonglong(dst, uint64(v)) }
func appendTable(dst []byte, t Table) []byte         { return AppendTable(dst, t) }

// appendShortstr cuts what a short string cannot hold; texts sent to clients
// may quote long names.
func appendShortstr(dst []byte, s string) []byte {
	if len(s) > 255 {
		s = s[:255]
	}
	return append(append(dst, byte(len(s))), s...)
}

func appendLongstr(dst []byte, s string) []byte {
	return append(appendLong(dst, uint32(len(s))), s...)
}

// appendBits packs bits from the lowest up (spec: 4.2.5.2).
func appendBits(dst []byte, bits ...bool) []byte {
	var v byte
	for i, b := range bits {
		if b {
			v |= 1 << i
		}
	}
	return append(dst, v)
}
