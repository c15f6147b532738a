package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

// everyType is one field of each type, with the octets of its value.
var everyType = []struct {
	name    string
	value   any
	encoded string
}{
	{"true", true, "t\x01"},
	{"false", false, "t\x00"},
	{"int8", int8(-2), "b\xfe"},
	{"uint8", uint8(254), "B\xfe"},
	{"int16", int16(-2), "s\xff\xfe"},
	{"uint16", uint16(0xfffe), "u\xff\xfe"},
	{"int32", int32(-2), "I\xff\xff\xff\xfe"},
	{"uint32", uint32(0xfffffffe), "i\xff\xff\xff\xfe"},
	{"int64", int64(-2), "l\xff\xff\xff\xff\xff\xff\xff\xfe"},
	{"float32", float32(1.5), "f\x3f\xc0\x00\x00"},
	{"float64", 1.5, "d\x3f\xf8\x00\x00\x00\x00\x00\x00"},
	{"decimal", Decimal{2, -1}, "D\x02\xff\xff\xff\xff"},
	{"string", "é\x00", "S\x00\x00\x00\x03\xc3\xa9\x00"},
	{"empty string", "", "S\x00\x00\x00\x00"},
	{"bytes", []byte{0xff}, "x\x00\x00\x00\x01\xff"},
	{"empty bytes", []byte{}, "x\x00\x00\x00\x00"},
	{"timestamp", Timestamp(1), "T\x00\x00\x00\x00\x00\x00\x00\x01"},
	{"table", Table{{"k", nil}}, "F\x00\x00\x00\x03\x01kV"},
	{"empty table", Table(nil), "F\x00\x00\x00\x00"},
	{"array", Array{true, Array{}}, "A\x00\x00\x00\x07t\x01A\x00\x00\x00\x00"},
	{"void", nil, "V"},
}

// withLength puts a table's u32 length before its fields.
func withLength(fields string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(fields))), fields...)
}

func TestTableTypes(t *testing.T) {
	for _, c := range everyType {
		t.Run(c.name, func(t *testing.T) {
			want := withLength("\x01a" + c.encoded)
			if got := AppendTable(nil, Table{{"a", c.value}}); !bytes.Equal(got, want) {
				t.Fatalf("encoded %q, want %q", got, want)
			}
			got, rest, err := ParseTable(append(want, "rest"...))
			if err != nil || string(rest) != "rest" {
				t.Fatalf("rest %q, error %v", rest, err)
			}
			if !reflect.DeepEqual(got, Table{{"a", c.value}}) {
				t.Fatalf("decoded %#v, want %#v", got, c.value)
			}
		})
	}
}

// Every strict prefix of a value is an error and never a panic, both for the
// decoding and the scanning reader.
func TestTableTruncatedEverywhere(t *testing.T) {
	for _, c := range everyType {
		t.Run(c.name, func(t *testing.T) {
			fields := "\x01a" + c.encoded
			for n := 1; n < len(fields); n++ {
				if _, err := ParseFields([]byte(fields[:n])); !errors.Is(err, ErrBadTable) {
					t.Errorf("ParseFields of %q: %v", fields[:n], err)
				}
				if err := ScanTable([]byte(fields[:n]), visitAll); !errors.Is(err, ErrBadTable) {
					t.Errorf("ScanTable of %q: %v", fields[:n], err)
				}
			}
		})
	}
}

func visitAll([]byte, byte, []byte) bool { return true }

func TestTableMalformed(t *testing.T) {
	for _, c := range []struct {
		name, fields string
	}{
		{"unknown type", "\x01k?\x00"},
		{"type U", "\x01kU\x00\x00"},
		{"no type", "\x01k"},
		{"name too long", "\x05k"},
		{"string too long", "\x01kS\x00\x00\x00\x02a"},
		{"string length of 4 GiB", "\x01kS\xff\xff\xff\xffa"},
		{"nested table too long", "\x01kF\x00\x00\x00\x04\x01kV"},
		{"nested table too short", "\x01kF\x00\x00\x00\x02\x01kV"},
		{"unknown type in a nested table", "\x01kF\x00\x00\x00\x03\x01k?"},
		{"unknown type in an array", "\x01kA\x00\x00\x00\x01?"},
		{"cut value in an array", "\x01kA\x00\x00\x00\x02s\x00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if v, _, err := ParseTable(withLength(c.fields)); !errors.Is(err, ErrBadTable) {
				t.Errorf("ParseTable gave %v, error %v", v, err)
			}
			m := append([]byte{0, 50, 0, 10, 0, 0, 0, 0}, withLength(c.fields)...)
			if _, err := ParseMethod(m); !errors.Is(err, ErrBadTable) {
				t.Errorf("queue.declare with it: error %v", err)
			}
		})
	}
}

func TestTableLengthMissing(t *testing.T) {
	for _, b := range []string{"", "\x00", "\x00\x00\x00", "\x00\x00\x00\x01", "\xff\xff\xff\xff\x00"} {
		if v, rest, err := ParseTable([]byte(b)); err == nil || errors.Is(err, ErrBadTable) {
			t.Errorf("ParseTable(%q) = %v, %q, %v: want an error for missing octets", b, v, rest, err)
		}
	}
}

// nest gives the fields of a table that holds tables (or arrays), depth deep.
func nest(depth int, array bool) string {
	head := "\x00F"
	if array {
		head = "A"
	}
	var fields []byte
	for left := depth - 1; left >= 0; left-- {
		fields = append(fields, head...)
		fields = binary.BigEndian.AppendUint32(fields, uint32(left*(len(head)+4)))
	}
	if array {
		return "\x00" + string(fields)
	}
	return string(fields)
}

func TestTableNesting(t *testing.T) {
	for _, c := range []struct {
		name  string
		depth int
		array bool
		ok    bool
	}{
		{"tables within the bound", maxNesting, false, true},
		{"arrays within the bound", maxNesting, true, true},
		{"tables beyond it", maxNesting + 2, false, false},
		{"arrays beyond it", maxNesting + 2, true, false},
		{"tables without end", 20000, false, false},
		{"arrays without end", 20000, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseFields([]byte(nest(c.depth, c.array)))
			if ok := err == nil; ok != c.ok || !ok && !errors.Is(err, ErrBadTable) {
				t.Errorf("error %v, want none: %t", err, c.ok)
			}
		})
	}
}

func TestTableOrderAndGet(t *testing.T) {
	in := Table{{"z", "1"}, {"a", int32(2)}, {"m", nil}, {"a", int32(3)}}
	out, _, err := ParseTable(AppendTable(nil, in))
	if err != nil || !reflect.DeepEqual(in, out) {
		t.Fatalf("order or doubles lost: %v, %v", out, err)
	}
	if v, ok := out.Get("a"); v != int32(2) || !ok {
		t.Errorf("Get(a) = %v, %t: want the first", v, ok)
	}
	if v, ok := out.Get("m"); v != nil || !ok {
		t.Errorf("Get(m) = %v, %t: want a void that is there", v, ok)
	}
	if _, ok := out.Get("none"); ok {
		t.Error("Get(none) found something")
	}
}

// Decoded values outlive the frame they came in.
func TestTableOwnsItsValues(t *testing.T) {
	b := AppendTable(nil, Table{{"k", "text"}, {"x", []byte("text")}})
	got, _, err := ParseTable(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if want := (Table{{"k", "text"}, {"x", []byte("text")}}); !reflect.DeepEqual(got, want) {
		t.Errorf("values changed with the input: %v", got)
	}
}

func TestTableLongNameIsCut(t *testing.T) {
	got, _, err := ParseTable(AppendTable(nil, Table{{strings.Repeat("n", 300), true}}))
	if err != nil || len(got) != 1 || len(got[0].Name) != 255 {
		t.Errorf("table %v, error %v", got, err)
	}
}

// An untyped constant is an int; it must not turn into a void on the wire.
func TestTableIntIsInt64(t *testing.T) {
	got, _, err := ParseTable(AppendTable(nil, Table{{"n", 5}}))
	if err != nil || !reflect.DeepEqual(got, Table{{"n", int64(5)}}) {
		t.Errorf("decoded %#v, error %v", got, err)
	}
	if n, ok := Int(5); n != 5 || !ok {
		t.Errorf("Int(5) = %d, %t", n, ok)
	}
}

func TestScanTable(t *testing.T) {
	var fields string
	for _, c := range everyType {
		fields += "\x01" + c.name[:1] + c.encoded
	}
	i := 0
	err := ScanTable([]byte(fields), func(name []byte, typ byte, value []byte) bool {
		c := everyType[i]
		i++
		if string(name) != c.name[:1] || typ != c.encoded[0] || string(value) != c.encoded[1:] {
			t.Errorf("field %d: name %q type %c value %q, want %s", i, name, typ, value, c.name)
		}
		return true
	})
	if err != nil || i != len(everyType) {
		t.Errorf("visited %d of %d, error %v", i, len(everyType), err)
	}
}

func TestScanTableStops(t *testing.T) {
	n := 0
	err := ScanTable([]byte("\x01aV\x01b?broken"), func([]byte, byte, []byte) bool { n++; return false })
	if n != 1 || err != nil {
		t.Errorf("visited %d, error %v: want one visit and nothing read after it", n, err)
	}
	if err := ScanTable(nil, visitAll); err != nil {
		t.Errorf("empty table: %v", err)
	}
}

func TestInt(t *testing.T) {
	for _, c := range []struct {
		in   any
		want int64
		ok   bool
	}{
		{int8(-1), -1, true}, {uint8(255), 255, true}, {int16(-1), -1, true}, {uint16(65535), 65535, true},
		{int32(-1), -1, true}, {uint32(math.MaxUint32), math.MaxUint32, true}, {int64(math.MinInt64), math.MinInt64, true},
		{"1", 0, false}, {1.0, 0, false}, {true, 0, false}, {nil, 0, false}, {Timestamp(1), 0, false},
	} {
		if n, ok := Int(c.in); n != c.want || ok != c.ok {
			t.Errorf("Int(%T %v) = %d, %t", c.in, c.in, n, ok)
		}
	}
}
