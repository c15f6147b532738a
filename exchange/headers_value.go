package exchange

import (
	"encoding/binary"
	"math"

	"github.com/leveretmq/leveret/amqp/wire"
)

// The kinds of values that RabbitMQ tells apart when it compares headers. All
// numeric types are one kind, timestamps too; so are strings and byte arrays.
const (
	kindVoid     byte = iota
	kindInteger       // also a float without a fraction
	kindHuge          // an integer from 1<<63 on, as a timestamp may be
	kindFraction      // a float that is no integer
	kindDecimal       // equal to decimals of the same scale only
	kindBool
	kindText
	kindList // a table or an array; an empty table equals an empty array
)

// headerValue is a value in a form in which equal values are equal in parts.
type headerValue struct {
	kind   byte
	number uint64 // the two's complement, the float's octets, the decimal's parts, or the truth
	text   []byte // text, or the octets of a table or an array with their type
}

// encodedValue is the value of a binding's argument.
func encodedValue(f wire.Field) (v headerValue) {
	octets := wire.AppendTable(nil, wire.Table{f})
	// What AppendTable wrote, ScanTable reads.
	_ = wire.ScanTable(octets[4:], func(_ []byte, typ byte, value []byte) bool {
		v = newHeaderValue(typ, value)
		return true
	})
	return v
}

// newHeaderValue reads an encoded value as ScanTable gives it; v.text is a view.
func newHeaderValue(typ byte, value []byte) (v headerValue) {
	switch typ {
	case 'S', 'x':
		return headerValue{kind: kindText, text: value[4:]}
	case 'F', 'A':
		if len(value) == 4 {
			return headerValue{kind: kindList}
		}
		return headerValue{kind: kindList, number: uint64(typ), text: value[4:]}
	case 't':
		if value[0] != 0 {
			v.number = 1
		}
		return headerValue{kind: kindBool, number: v.number}
	case 'D':
		return headerValue{kind: kindDecimal, number: uint64(value[0])<<32 | uint64(binary.BigEndian.Uint32(value[1:]))}
	case 'f':
		return floatValue(float64(math.Float32frombits(binary.BigEndian.Uint32(value))))
	case 'd':
		return floatValue(math.Float64frombits(binary.BigEndian.Uint64(value)))
	}
	return integerValue(typ, value)
}

func integerValue(typ byte, value []byte) headerValue {
	var n int64
	switch typ {
	case 'b':
		n = int64(int8(value[0]))
	case 'B':
		n = int64(value[0])
	case 's':
		n = int64(int16(binary.BigEndian.Uint16(value)))
	case 'u':
		n = int64(binary.BigEndian.Uint16(value))
	case 'I':
		n = int64(int32(binary.BigEndian.Uint32(value)))
	case 'i':
		n = int64(binary.BigEndian.Uint32(value))
	case 'l', 'L':
		n = int64(binary.BigEndian.Uint64(value))
	case 'T':
		if n = int64(binary.BigEndian.Uint64(value)); n < 0 {
			return headerValue{kind: kindHuge, number: uint64(n)}
		}
	default:
		return headerValue{kind: kindVoid}
	}
	return headerValue{kind: kindInteger, number: uint64(n)}
}

func floatValue(f float64) headerValue {
	switch whole := f == math.Trunc(f); {
	case whole && f >= -1<<63 && f < 1<<63:
		return headerValue{kind: kindInteger, number: uint64(int64(f))}
	case whole && f >= 1<<63 && f < 1<<64:
		return headerValue{kind: kindHuge, number: uint64(f)}
	}
	return headerValue{kind: kindFraction, number: math.Float64bits(f)}
}

// equal compares the value that a binding wants with one that a message has.
// A void wants the header to be there, whatever its value.
func (v *headerValue) equal(has *headerValue) bool {
	if v.kind == kindVoid {
		return true
	}
	return v.kind == has.kind && v.number == has.number && string(v.text) == string(has.text)
}
