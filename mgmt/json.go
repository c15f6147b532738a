package mgmt

import (
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/leveretmq/leveret/amqp/wire"
)

// object is a JSON object that keeps the order of its fields.
type object []field

type field struct {
	name  string
	value any
}

// get gives the field of that name.
func (o object) get(name string) (any, bool) {
	for i := range o {
		if o[i].name == name {
			return o[i].value, true
		}
	}
	return nil, false
}

// list is a JSON array.
type list []any

// appendJSON encodes what handlers answer with: nil, bool, numbers, strings,
// object, list, field tables and JSON itself. A float always shows as one
// (RabbitMQ: 0.0), for clients with types.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case uint64:
		return strconv.AppendUint(b, v, 10)
	case float64:
		return appendFloat(b, v)
	case string:
		return appendString(b, v)
	case object:
		return appendObject(b, v)
	case json.RawMessage:
		return append(b, v...)
	}
	return appendOther(b, v)
}

// appendOther encodes lists, tables and their rarer values.
func appendOther(b []byte, v any) []byte {
	switch v := v.(type) {
	case list:
		return appendList(b, v, appendJSON)
	case []string:
		return appendList(b, v, appendString)
	case []object:
		return appendList(b, v, appendObject)
	case wire.Table:
		return appendTable(b, v)
	case wire.Array:
		return appendList(b, v, appendJSON)
	case []byte:
		return appendString(b, string(v))
	case wire.Timestamp:
		return strconv.AppendUint(b, uint64(v), 10)
	case wire.Decimal:
		return appendDecimal(b, v)
	case float32:
		return appendFloat(b, float64(v))
	}
	if n, ok := wire.Int(v); ok {
		return strconv.AppendInt(b, n, 10)
	}
	return append(b, "null"...)
}

func appendList[T any, L ~[]T](b []byte, l L, value func([]byte, T) []byte) []byte {
	b = append(b, '[')
	for i, v := range l {
		if i > 0 {
			b = append(b, ',')
		}
		b = value(b, v)
	}
	return append(b, ']')
}

func appendObject(b []byte, o object) []byte {
	b = append(b, '{')
	for i := range o {
		b = appendField(b, o[i].name, i)
		b = appendJSON(b, o[i].value)
	}
	return append(b, '}')
}

func appendTable(b []byte, t wire.Table) []byte {
	b = append(b, '{')
	for i := range t {
		b = appendField(b, t[i].Name, i)
		b = appendJSON(b, t[i].Value)
	}
	return append(b, '}')
}

// appendField begins the nth field of an object.
func appendField(b []byte, name string, n int) []byte {
	if n > 0 {
		b = append(b, ',')
	}
	return append(appendString(b, name), ':')
}

func appendFloat(b []byte, f float64) []byte {
	from := len(b)
	b = strconv.AppendFloat(b, f, 'f', -1, 64)
	for _, c := range b[from:] {
		if c == '.' {
			return b
		}
		if c > '9' { // NaN, Inf: no JSON
			return append(b[:from], "null"...)
		}
	}
	return append(b, ".0"...)
}

func appendDecimal(b []byte, d wire.Decimal) []byte {
	return appendFloat(b, float64(d.Value)/math.Pow10(int(d.Scale)))
}

const hexDigits = "0123456789abcdef"

// appendString quotes s; octets that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
		} else if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = appendEscape(append(b, s[from:i]...), c)
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch {
	case c >= utf8.RuneSelf:
		return append(b, "\ufffd"...)
	case c == '"' || c == '\\':
		return append(b, '\\', c)
	case c == '\n':
		return append(b, `\n`...)
	case c == '\t':
		return append(b, `\t`...)
	case c == '\r':
		return append(b, `\r`...)
	}
	return append(append(b, `\u00`...), hexDigits[c>>4], hexDigits[c&15])
}
