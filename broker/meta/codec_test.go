package meta

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

func everyType() wire.Table {
	return wire.Table{
		{Name: "t", Value: true}, {Name: "b", Value: int8(-1)}, {Name: "B", Value: uint8(200)}, {Name: "s", Value: int16(-2)},
		{Name: "u", Value: uint16(60000)}, {Name: "I", Value: int32(-3)}, {Name: "i", Value: uint32(1 << 31)},
		{Name: "l", Value: int64(-4)}, {Name: "f", Value: float32(0.5)}, {Name: "d", Value: 0.25},
		{Name: "D", Value: wire.Decimal{Scale: 2, Value: 314}}, {Name: "S", Value: "text\xff"}, {Name: "x", Value: []byte{0, 1}},
		{Name: "T", Value: wire.Timestamp(7)}, {Name: "V", Value: nil},
		{Name: "F", Value: wire.Table{{Name: "in", Value: wire.Array{int32(1), "a", nil}}}},
	}
}

// definitions are one of each kind, with octets in their names that no text has.
func definitions() []stored {
	limit := idLimit(4097)
	return []stored{
		&limit,
		&VHost{Name: "v\x00\xff."},
		&VHost{Name: "v", Description: "d\xff", Tags: []string{"t"}, DefaultQueueType: "quorum", Tracing: true, Protected: true,
			Limits: Limits{"max-queues": -1, "max-connections": 1<<63 - 1}},
		&User{Name: "\xffu", PasswordHash: "hash", Algorithm: SHA512, Tags: []string{"administrator", "", "\xfe"}},
		&User{Name: "u", Limits: Limits{"max-channels": -1 << 63}},
		&Permission{User: "u", VHost: "v", Configure: "^$", Write: strings.Repeat("a|", 70_000), Read: ""},
		&TopicPermission{User: "u\xff", VHost: "v", Exchange: "", Write: "^$", Read: "("},
		&Policy{PolicyName: PolicyName{VHost: "v", Name: "p\xff"}, Pattern: "^a", ApplyTo: "queues", Priority: -7,
			Definition: json.RawMessage(`{"max-length":5}`)},
		&Policy{PolicyName: PolicyName{Operator: true, VHost: "v", Name: "p"}, Definition: json.RawMessage(`{}`)},
		&Parameter{ParameterName{"shovel", "v", "n"}, json.RawMessage(`{"a":[1,null,"\u00e4"]}`)},
		&GlobalParameter{"cluster_name", json.RawMessage(`"rabbit@host"`)},
		&Exchange{ID: 1<<63 - 1, VHost: "v", Name: "x\xff", Kind: "topic", Durable: true, Internal: true, Arguments: everyType()},
		&Queue{ID: 3, VHost: "v", Name: "q\xff", Durable: true, AutoDelete: true, Arguments: everyType()},
		&Binding{VHost: "v", Source: "x", Dest: "q", Key: "\xff\x00.#", Arguments: everyType()},
		&Binding{VHost: "v", Source: "x", Dest: "y", ToExchange: true},
	}
}

func fresh(v stored) stored { return reflect.New(reflect.TypeOf(v).Elem()).Interface().(stored) }

func TestRoundTrip(t *testing.T) {
	for _, v := range definitions() {
		t.Run(reflect.TypeOf(v).Elem().Name(), func(t *testing.T) {
			change := put(v)[0]
			got := fresh(v)
			if err := load(change.Key, change.Value, got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, v) {
				t.Fatalf("got  %+v\nwant %+v", got, v)
			}
			if len(change.Key) > 2000 {
				t.Fatal("a key of", len(change.Key))
			}
		})
	}
}

// TestFormat pins the octets: they are in data directories.
func TestFormat(t *testing.T) {
	cases := []struct {
		name       string
		v          stored
		key, value string
	}{
		{"vhost", &VHost{Name: "/", Description: "d", DefaultQueueType: "quorum", Tags: []string{"a", "b"}, Tracing: true, Limits: Limits{"y": 1, "x": -1}},
			"\x02\x00\x01/", "\x02\x01/\x01d\x06quorum\x02\x01a\x01b\x01\x02\x01x\x01y\x01\x02"},
		{"user", &User{Name: "u", PasswordHash: "h", Tags: []string{"t"}, Limits: Limits{"l": 300}},
			"\x03\x00\x01u", "\x02\x01u\x01h\x00\x01\x01t\x01\x01l\xd8\x04"},
		{"permission", &Permission{User: "u", VHost: "/", Configure: "c", Write: "w", Read: "r"},
			"\x04\x00\x01u\x00\x01/", "\x02\x01u\x01/\x01c\x01w\x01r"},
		{"exchange", &Exchange{ID: 300, VHost: "/", Name: "x", Kind: "direct", Durable: true, Internal: true},
			"\x05\x00\x01/\x00\x01x", "\x02\xac\x02\x01/\x01x\x06direct\x05\x00\x00\x00\x00"},
		{"queue", &Queue{ID: 1, VHost: "/", Name: "q", Durable: true, Arguments: wire.Table{{Name: "a", Value: true}}},
			"\x06\x00\x01/\x00\x01q", "\x02\x01\x01/\x01q\x01\x00\x00\x00\x04\x01at\x01"},
		{"binding", &Binding{VHost: "/", Source: "x", Dest: "q", Key: "k"},
			"\x07\x00\x01/\x00\x01x\x00\x01q\x00\x01q\x00\x01k\x00\x00", "\x02\x01/\x01x\x01q\x01k\x00\x00\x00\x00\x00"},
		{"topic permission", &TopicPermission{User: "u", VHost: "/", Exchange: "x", Write: "w", Read: "r"},
			"\x08\x00\x01u\x00\x01/\x00\x01x", "\x02\x01u\x01/\x01x\x01w\x01r"},
		{"policy", &Policy{PolicyName: PolicyName{VHost: "/", Name: "p"}, Pattern: "^", ApplyTo: "all", Priority: -1, Definition: json.RawMessage(`{}`)},
			"\x09\x00\x01/\x00\x01p", "\x02\x00\x01/\x01p\x01^\x03all\x01\x02{}"},
		{"operator policy", &Policy{PolicyName: PolicyName{Operator: true, VHost: "/", Name: "p"}, Definition: json.RawMessage(`{}`)},
			"\x0a\x00\x01/\x00\x01p", "\x02\x01\x01/\x01p\x00\x00\x00\x02{}"},
		{"parameter", &Parameter{ParameterName{"c", "/", "n"}, json.RawMessage(`1`)},
			"\x0b\x00\x01c\x00\x01/\x00\x01n", "\x02\x01c\x01/\x01n\x011"},
		{"global parameter", &GlobalParameter{"n", json.RawMessage(`"v"`)}, "\x0c\x00\x01n", "\x02\x01n\x03\"v\""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := put(c.v)[0]
			if string(got.Key) != c.key || string(got.Value) != c.value {
				t.Fatalf("got %q: %q", got.Key, got.Value)
			}
		})
	}
}

// TestFormat1 opens what the first format has written.
func TestFormat1(t *testing.T) {
	cases := []struct {
		name       string
		want       stored
		key, value string
	}{
		{"vhost", &VHost{Name: "/"}, "\x02\x00\x01/", "\x01\x01/"},
		{"user", &User{Name: "u", PasswordHash: "h", Tags: []string{"t"}}, "\x03\x00\x01u", "\x01\x01u\x01h\x00\x01\x01t"},
		{"permission", &Permission{User: "u", VHost: "/", Configure: "c", Write: "w", Read: "r"},
			"\x04\x00\x01u\x00\x01/", "\x01\x01u\x01/\x01c\x01w\x01r"},
		{"exchange", &Exchange{ID: 300, VHost: "/", Name: "x", Kind: "direct", Durable: true, Internal: true},
			"\x05\x00\x01/\x00\x01x", "\x01\xac\x02\x01/\x01x\x06direct\x05\x00\x00\x00\x00"},
		{"queue", &Queue{ID: 1, VHost: "/", Name: "q", Durable: true, Arguments: wire.Table{{Name: "a", Value: true}}},
			"\x06\x00\x01/\x00\x01q", "\x01\x01\x01/\x01q\x01\x00\x00\x00\x04\x01at\x01"},
		{"binding", &Binding{VHost: "/", Source: "x", Dest: "q", Key: "k"},
			"\x07\x00\x01/\x00\x01x\x00\x01q\x00\x01q\x00\x01k\x00\x00", "\x01\x01/\x01x\x01q\x01k\x00\x00\x00\x00\x00"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := fresh(c.want)
			if err := load([]byte(c.key), []byte(c.value), got); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %+v, %v", got, err)
			}
		})
	}
}

func TestBindingIdentity(t *testing.T) {
	a, b := wire.Field{Name: "a", Value: int32(1)}, wire.Field{Name: "b", Value: "x"}
	base := Binding{VHost: "v", Source: "x", Dest: "q", Key: "k", Arguments: wire.Table{a, b}}
	cases := map[string]struct {
		change func(*Binding)
		same   bool
	}{
		"order of arguments": {func(o *Binding) { o.Arguments = wire.Table{b, a} }, true},
		"no arguments":       {func(o *Binding) { o.Arguments = nil }, false},
		"type of an argument": {func(o *Binding) {
			o.Arguments = wire.Table{{Name: "a", Value: int64(1)}, b}
		}, false},
		"key":              {func(o *Binding) { o.Key = "K" }, false},
		"to an exchange":   {func(o *Binding) { o.ToExchange = true }, false},
		"vhost":            {func(o *Binding) { o.VHost = "w" }, false},
		"parts, not sums":  {func(o *Binding) { o.Source, o.Dest = "xq", "" }, false},
		"empty table, nil": {func(o *Binding) { *o = base }, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			other := base
			c.change(&other)
			if got := string(other.key()) == string(base.key()); got != c.same {
				t.Fatal("same:", got)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	queue := put(&Queue{ID: 1, VHost: "/", Name: "q", Durable: true})[0]
	cases := []struct {
		name       string
		key, value string
		want       string
	}{
		{"no key", "", "\x01", "metadata: empty key"},
		{"an unknown kind", "\x63k", "\x01", `metadata: key "ck": unknown kind 99`},
		{"no value", string(queue.Key), "", "unknown format"},
		{"a later format", string(queue.Key), "\x03" + string(queue.Value[1:]), "unknown format"},
		{"octets missing", string(queue.Key), string(queue.Value[:len(queue.Value)-1]), "damaged"},
		{"octets too many", string(queue.Key), string(queue.Value) + "\x00", "damaged"},
		{"a flag that is none", string(queue.Key), "\x01\x01\x01/\x01q\x08\x00\x00\x00\x00", "damaged"},
		{"a length that lies", "\x02\x00\x01/", "\x01\xff\xff\xff\xff\x7f/", "damaged"},
		{"tags that lie", "\x03\x00\x01u", "\x01\x01u\x01h\x00\xff\xff\xff\xff\x7f", "damaged"},
		{"a length without end", "\x02\x00\x01/", "\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", "damaged"},
		{"another's value", "\x06\x00\x01/\x00\x01p", string(queue.Value), "another key"},
		{"limits that lie", "\x03\x00\x01u", "\x02\x01u\x01h\x00\x00\x02\x01x", "damaged"},
		{"a value that is no JSON", "\x0c\x00\x01n", "\x02\x01n\x01{", "damaged"},
		{"a policy of the other kind", "\x0a\x00\x01/\x00\x01p", "\x02\x00\x01/\x01p\x00\x00\x00\x02{}", "another key"},
		{"a policy of no virtual host", "\x09\x00\x01/\x00\x01p", "\x02\x00\x01/\x01p\x00\x00\x00\x02{}", "virtual host"},
		{"no virtual host", string(queue.Key), string(queue.Value), "virtual host"},
		{"an id too great", "\x01", "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "damaged"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := New().Load([]byte(c.key), []byte(c.value))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "metadata: ") {
				t.Fatal(err)
			}
		})
	}
}

func TestLoadRefusesLooseBinding(t *testing.T) {
	b := &Binding{VHost: "/", Source: "x", Dest: "q", Key: "k"}
	s := New()
	s.PutVHost(&VHost{Name: "/"})
	s.PutExchange(&Exchange{ID: 1, VHost: "/", Name: "x", Durable: true})
	change := put(b)[0]
	if err := s.Load(change.Key, change.Value); err == nil || !strings.Contains(err.Error(), "end of the binding") {
		t.Fatal(err)
	}
	s.PutQueue(&Queue{ID: 2, VHost: "/", Name: "q", Durable: true})
	if err := s.Load(change.Key, change.Value); err != nil {
		t.Fatal(err)
	}
	if got := s.From(Name{"/", "x"}); len(got) != 1 || !reflect.DeepEqual(got[0], b) {
		t.Fatal("loaded", got)
	}
}

// FuzzLoad: any octets are refused or understood, never a panic; what is
// understood is written again as something that loads to the same.
func FuzzLoad(f *testing.F) {
	for _, v := range definitions() {
		change := put(v)[0]
		f.Add(change.Key, change.Value)
	}
	f.Fuzz(func(t *testing.T, k, value []byte) {
		for _, v := range definitions() {
			got := fresh(v)
			if load(k, value, got) != nil {
				continue
			}
			change := put(got)[0]
			if string(change.Key) != string(k) {
				t.Fatalf("%q is now at %q", k, change.Key)
			}
			if err := load(change.Key, change.Value, fresh(v)); err != nil {
				t.Fatalf("%q: %v", k, err)
			}
		}
		s := New()
		s.PutVHost(&VHost{Name: "v"})
		_ = s.Load(k, value)
	})
}
