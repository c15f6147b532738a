package broker

import (
	"errors"
	"reflect"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
)

// viewOf encodes properties and looks at them as a publish does.
func viewOf(t *testing.T, x wire.Properties) (v wire.PropertyView, props []byte) {
	t.Helper()
	props = x.Append(nil)
	v, err := wire.ScanProperties(props)
	if err != nil {
		t.Fatal(err)
	}
	return v, props
}

func TestCheckedProperties(t *testing.T) {
	ann := &Session{opt: SessionOptions{User: &User{&meta.User{Name: "ann"}}}}
	proxy := &Session{opt: SessionOptions{User: &User{&meta.User{Name: "proxy", Tags: []string{"monitoring", "impersonator"}}}}}
	for _, k := range []struct {
		name string
		s    *Session
		p    wire.Properties
		text string // "" is no error
	}{
		{"nothing", ann, wire.Properties{}, ""},
		{"own name", ann, wire.Properties{Flags: wire.FlagUserID, UserID: "ann"}, ""},
		{"another's name", ann, wire.Properties{Flags: wire.FlagUserID, UserID: "bob"}, "user_id property set to 'bob' but authenticated user was 'ann'"},
		{"an empty name", ann, wire.Properties{Flags: wire.FlagUserID}, "user_id property set to '' but authenticated user was 'ann'"},
		{"an impersonator", proxy, wire.Properties{Flags: wire.FlagUserID, UserID: "bob"}, ""},
		{"transient", ann, wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 1}, ""},
		{"persistent", ann, wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 2}, ""},
		{"delivery mode 0", ann, wire.Properties{Flags: wire.FlagDeliveryMode}, "invalid message: {delivery_mode_unknown,0}"},
		{"delivery mode 3", ann, wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 3}, "invalid message: {delivery_mode_unknown,3}"},
		{"expiration", ann, wire.Properties{Flags: wire.FlagExpiration, Expiration: "x"}, "invalid expiration 'x': no_integer"},
		{"the user comes first", ann, wire.Properties{Flags: wire.FlagUserID | wire.FlagExpiration, UserID: "bob", Expiration: "x"},
			"user_id property set to 'bob' but authenticated user was 'ann'"},
	} {
		t.Run(k.name, func(t *testing.T) {
			v, _ := viewOf(t, k.p)
			_, err := k.s.checkProperties(&v)
			if k.text == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			refused(t, err, wire.PreconditionFailed, k.text)
		})
	}
}

// The texts are those of RabbitMQ, whose parser shows through.
func TestExpiration(t *testing.T) {
	for _, k := range []struct {
		in   string
		ms   int64
		text string // what follows the value
	}{
		{"0", 0, ""},
		{"1", 1, ""},
		{"+5", 5, ""},
		{"007", 7, ""},
		{"-0", 0, ""},
		{"315360000000", 315360000000, ""},
		{"315360000001", 0, "{value_too_large,315360000001}"},
		{"+99999999999999999999", 0, "{value_too_large,99999999999999999999}"},
		{"-1", 0, "{value_negative,-1}"},
		{"-99999999999999999999", 0, "{value_negative,-99999999999999999999}"},
		{"", 0, "no_integer"},
		{"+", 0, "no_integer"},
		{"-", 0, "no_integer"},
		{"abc", 0, "no_integer"},
		{" 5", 0, "no_integer"},
		{"5ms", 0, `{leftover_string,"ms"}`},
		{"1.5", 0, `{leftover_string,".5"}`},
		{"5-", 0, `{leftover_string,"-"}`},
		{"0x10", 0, `{leftover_string,"x10"}`},
	} {
		t.Run(k.in, func(t *testing.T) {
			v, _ := viewOf(t, wire.Properties{Flags: wire.FlagExpiration, Expiration: k.in})
			ms, err := new(Session).checkProperties(&v)
			if k.text != "" {
				refused(t, err, wire.PreconditionFailed, "invalid expiration '"+k.in+"': "+k.text)
			} else if err != nil || ms != k.ms {
				t.Fatalf("%d ms, %v; want %d", ms, err, k.ms)
			}
		})
	}
	var none wire.PropertyView
	if ms, err := new(Session).checkProperties(&none); ms != -1 || err != nil {
		t.Fatalf("without expiration: %d, %v", ms, err)
	}
}

// Keys in CC and BCC route a message too; receivers see CC and never BCC.
func TestCopies(t *testing.T) {
	other := wire.Field{Name: "other", Value: int32(1)}
	cc := func(v any) wire.Field { return wire.Field{Name: "CC", Value: v} }
	bcc := func(v any) wire.Field { return wire.Field{Name: "BCC", Value: v} }
	for _, k := range []struct {
		name string
		in   wire.Table
		keys []string
		left wire.Table // of the headers
		text string     // of the refusal
	}{
		{"neither", wire.Table{other}, nil, wire.Table{other}, ""},
		{"CC", wire.Table{other, cc(wire.Array{"a", "b"})}, []string{"a", "b"}, wire.Table{other, cc(wire.Array{"a", "b"})}, ""},
		{"BCC", wire.Table{bcc(wire.Array{"a"}), other}, []string{"a"}, wire.Table{other}, ""},
		{"both, in their order", wire.Table{bcc(wire.Array{"b"}), cc(wire.Array{"c"})}, []string{"b", "c"}, wire.Table{cc(wire.Array{"c"})}, ""},
		{"only BCC", wire.Table{bcc(wire.Array{"b"})}, []string{"b"}, wire.Table{}, ""},
		{"empty lists", wire.Table{cc(wire.Array{}), bcc(wire.Array{})}, nil, wire.Table{cc(wire.Array{})}, ""},
		{"what is no string is passed over", wire.Table{cc(wire.Array{int32(1), "a", nil, wire.Table{other}})}, []string{"a"},
			wire.Table{cc(wire.Array{int32(1), "a", nil, wire.Table{other}})}, ""},
		{"lower case means nothing", wire.Table{{Name: "cc", Value: "a"}}, nil, wire.Table{{Name: "cc", Value: "a"}}, ""},
		{"CC is a string", wire.Table{cc("a")}, nil, nil, `invalid message: {unacceptable_type_in_header,"CC",longstr}`},
		{"BCC is a number", wire.Table{bcc(int32(1))}, nil, nil, `invalid message: {unacceptable_type_in_header,"BCC",signedint}`},
	} {
		t.Run(k.name, func(t *testing.T) {
			v, props := viewOf(t, wire.Properties{Flags: wire.FlagHeaders, Headers: k.in})
			got, err := copies(v.Headers)
			if k.text != "" {
				refused(t, err, wire.PreconditionFailed, k.text)
				return
			}
			if err != nil || !reflect.DeepEqual(got.keys, k.keys) {
				t.Fatalf("keys %q, %v; want %q", got.keys, err, k.keys)
			}
			left, err := wire.ParseProperties(got.strip(props))
			if err != nil || !left.Has(wire.FlagHeaders) || len(left.Headers) != len(k.left) || len(k.left) > 0 && !reflect.DeepEqual(left.Headers, k.left) {
				t.Fatalf("headers %v, %v; want %v", left.Headers, err, k.left)
			}
		})
	}
}

// Headers that break off are the client's fault, whatever stands before.
func TestCopiesOfBrokenHeaders(t *testing.T) {
	good := wire.AppendTable(nil, wire.Table{{Name: "CC", Value: wire.Array{"a"}}})[4:]
	for n := 1; n < len(good); n++ {
		var e *wire.Error
		if _, err := copies(good[:n]); !errors.As(err, &e) || e.Code != wire.InternalError || !e.Connection {
			t.Fatalf("%d of %d octets: %v, want 541", n, len(good), err)
		}
	}
}
