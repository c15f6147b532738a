package exchange

import (
	"errors"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// TestCheckBinding: the reply-texts are RabbitMQ 3.10.8's.
func TestCheckBinding(t *testing.T) {
	const badType, badValue = "PRECONDITION_FAILED - Invalid x-match field type ", "PRECONDITION_FAILED - Invalid x-match field value "
	const longstr, modes = "; expected longstr", "; expected all, any, all-with-x, or any-with-x"
	cases := []struct {
		name  string
		match any
		want  string
	}{
		{"all", "all", ""},
		{"any", "any", ""},
		{"all-with-x", "all-with-x", ""},
		{"any-with-x", "any-with-x", ""},
		{"unknown", "some", badValue + `<<"some">>` + modes},
		{"case counts", "ALL", badValue + `<<"ALL">>` + modes},
		{"empty", "", badValue + `<<>>` + modes},
		{"quotes", "a\"\\\n", badValue + `<<"a\"\\\n">>` + modes},
		{"octets", "a\"b\\c\n\x00é", badValue + `<<97,34,98,92,99,10,0,195,169>>` + modes},
		{"Latin-1", "\xff\xfe", badValue + "<<\"\xff\xfe\">>" + modes},
		{"void", nil, badType + "void (value undefined)" + longstr},
		{"binary", []byte("any"), badType + `binary (value <<"any">>)` + longstr},
		{"bool", true, badType + "bool (value true)" + longstr},
		{"table", wire.Table{field("a", int32(1)), field("b", "c")}, badType + `table (value [{<<"a">>,signedint,1},{<<"b">>,longstr,<<"c">>}])` + longstr},
		{"array", wire.Array{int32(1), nil}, badType + "array (value [{signedint,1},{void,undefined}])" + longstr},
		{"decimal", wire.Decimal{Scale: 1, Value: 2}, badType + "decimal (value {1,2})" + longstr},
		{"double", 1.5, badType + "double (value 1.5)" + longstr},
		{"a great double", 1e30, badType + "double (value 1.0e30)" + longstr},
		{"float", float32(5), badType + "float (value 5.0)" + longstr},
		{"timestamp", wire.Timestamp(5), badType + "timestamp (value 5)" + longstr},
		{"byte", int8(-5), badType + "byte (value -5)" + longstr},
		{"unsignedbyte", uint8(5), badType + "unsignedbyte (value 5)" + longstr},
		{"short", int16(5), badType + "short (value 5)" + longstr},
		{"unsignedshort", uint16(5), badType + "unsignedshort (value 5)" + longstr},
		{"signedint", int32(5), badType + "signedint (value 5)" + longstr},
		{"unsignedint", uint32(5), badType + "unsignedint (value 5)" + longstr},
		{"long", int64(5), badType + "long (value 5)" + longstr},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			args := wire.Table{field("a", int32(1)), field("x-match", c.match)}
			for _, kind := range []string{"direct", "fanout", "topic"} {
				if err := CheckBinding(kind, nil, Binding{Args: args}); err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
			}
			got, err := "", CheckBinding("headers", nil, Binding{Args: args})
			var reply *wire.Error
			if errors.As(err, &reply) {
				got = reply.Error()
			}
			if got != c.want || (err == nil) != (c.want == "") {
				t.Fatalf("got  %q\nwant %q", got, c.want)
			}
		})
	}
	if err := CheckBinding("headers", nil, Binding{}); err != nil {
		t.Fatal(err)
	}
}
