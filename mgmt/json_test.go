package mgmt

import (
	"encoding/json"
	"math"
	"testing"
	"unicode/utf8"

	"github.com/leveretmq/leveret/amqp/wire"
)

func TestAppendJSON(t *testing.T) {
	table := wire.Table{{Name: "a", Value: int32(1)}, {Name: "b", Value: wire.Array{"x", nil, wire.Table{}}}, {Name: "d", Value: wire.Decimal{Scale: 2, Value: 314}},
		{Name: "t", Value: wire.Timestamp(5)}, {Name: "x", Value: []byte("raw")}, {Name: "f", Value: float32(0.5)}}
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, "null"}, {true, "true"}, {7, "7"}, {int64(-7), "-7"}, {uint64(1 << 63), "9223372036854775808"},
		{0.0, "0.0"}, {2.5, "2.5"}, {1e21, "1000000000000000000000.0"}, {math.Inf(1), "null"}, {math.NaN(), "null"},
		{"a\"\\\n\t\r\x01é\xff<", `"a\"\\\n\t\r\u0001é` + "\ufffd" + `<"`},
		{object{}, "{}"}, {object{{"a", list{}}, {"b", []string{"x"}}}, `{"a":[],"b":["x"]}`},
		{[]object{{{"a", nil}}}, `[{"a":null}]`}, {json.RawMessage(`{"k":1}`), `{"k":1}`},
		{table, `{"a":1,"b":["x",null,{}],"d":3.14,"t":5,"x":"raw","f":0.5}`},
	} {
		if got := string(appendJSON(nil, c.v)); got != c.want {
			t.Errorf("%#v is %s, want %s", c.v, got, c.want)
		}
	}
}

// FuzzAppendString: whatever the octets, it is a JSON text, and the same one
// when they are UTF-8.
func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("\x00\xc3\x28\"\\\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		b := appendString(nil, s)
		var back string
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if utf8.ValidString(s) && back != s {
			t.Fatalf("%q came back as %q", s, back)
		}
	})
}
