package exchange

import (
	"fmt"
	"math"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// TestHeaderValueEquality: values are equal within a class and differ between
// classes, as RabbitMQ 3.10.8 answered for each pair.
func TestHeaderValueEquality(t *testing.T) {
	classes := map[string][]any{
		"one": {int8(1), uint8(1), int16(1), uint16(1), int32(1), uint32(1), int64(1),
			float32(1), float64(1), wire.Timestamp(1)},
		"zero":                 {int32(0), 0.0, math.Copysign(0, -1)},
		"200":                  {uint8(200), int16(200)},
		"-56":                  {int8(-56), int64(-56), -56.0},
		"2^53":                 {int64(1 << 53), float64(1 << 53)},
		"2^53+1":               {int64(1<<53 + 1)},
		"2^62":                 {int64(1 << 62), float64(1 << 62)},
		"2^62+1":               {int64(1<<62 + 1)},
		"2^63":                 {wire.Timestamp(1 << 63), float64(1 << 63)},
		"-2^63":                {int64(math.MinInt64), float64(math.MinInt64)},
		"2^64":                 {float64(1 << 63 * 2)},
		"0.1 in 32 bits":       {float32(0.1), float64(float32(0.1))},
		"0.1 in 64 bits":       {0.1},
		"infinity":             {math.Inf(1), float32(math.Inf(1))},
		"decimal 1":            {wire.Decimal{Scale: 0, Value: 1}},
		"decimal 1.0":          {wire.Decimal{Scale: 1, Value: 10}},
		"text 1":               {"1", []byte("1")},
		"empty text":           {"", []byte{}},
		"text true":            {"true"},
		"true":                 {true},
		"false":                {false},
		"empty list":           {wire.Table{}, wire.Array{}},
		"table":                {wire.Table{field("a", int32(1))}},
		"table, other type":    {wire.Table{field("a", int64(1))}},
		"table of two":         {wire.Table{field("a", int32(1)), field("b", int32(2))}},
		"table in other order": {wire.Table{field("b", int32(2)), field("a", int32(1))}},
		"array":                {wire.Array{int32(1)}},
		"array, other type":    {wire.Array{int8(1)}},
		"array of text":        {wire.Array{"1"}},
		"array of octets":      {wire.Array{[]byte("1")}},
		"void":                 {nil},
	}
	for class, values := range classes {
		for _, v := range values {
			t.Run(fmt.Sprintf("%s %T", class, v), func(t *testing.T) {
				r := mustNew(t, "headers").Bind(Binding{Dest: queue(1), Args: wire.Table{field("h", v)}})
				for other, has := range classes {
					for _, h := range has {
						got := len(ids(r, "", wire.Table{field("h", h)})) == 1
						if want := other == class || v == nil; got != want {
							t.Errorf("a message with %T(%v): %v", h, h, got)
						}
					}
				}
			})
		}
	}
}
