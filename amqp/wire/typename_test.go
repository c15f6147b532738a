package wire

import "testing"

func TestTypeName(t *testing.T) {
	for want, v := range map[string]any{
		"bool": true, "byte": int8(1), "unsignedbyte": uint8(1), "short": int16(1), "unsignedshort": uint16(1),
		"signedint": int32(1), "unsignedint": uint32(1), "long": int64(1), "float": float32(1), "double": 1.0,
		"decimal": Decimal{}, "longstr": "", "binary": []byte{}, "timestamp": Timestamp(1), "table": Table{}, "array": Array{}, "void": nil,
	} {
		if got := TypeName(v); got != want {
			t.Errorf("%T is %q, want %q", v, got, want)
		}
	}
}
