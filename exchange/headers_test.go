package exchange

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

func field(name string, v any) wire.Field { return wire.Field{Name: name, Value: v} }

// TestHeaders has what the recorded tables leave open, as RabbitMQ 3.10.8
// answered: modes without a field, names that come twice, names near "x-".
func TestHeaders(t *testing.T) {
	one, two := int32(1), int32(2)
	messages := []wire.Table{
		0: nil,
		1: {field("a", one)},
		2: {field("a", two)},
		3: {field("a", one), field("a", two)},
		4: {field("a", two), field("a", one)},
		5: {field("b", one), field("a", one)},
		6: {field("a", one), field("a", one)},
		7: {field("x-foo", one)},
		8: {field("x-match", "any")},
		9: {field("X-foo", one)},
	}
	cases := []struct {
		name string
		args wire.Table
		want []int
	}{
		{"no arguments match all", nil, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"any of none matches none", wire.Table{field("x-match", "any")}, nil},
		{"nor with x", wire.Table{field("x-match", "any-with-x")}, nil},
		{"any leaves x- out", wire.Table{field("x-match", "any"), field("x-foo", one)}, nil},
		{"any with x", wire.Table{field("x-match", "any-with-x"), field("x-foo", one)}, []int{7}},
		{"all with x", wire.Table{field("x-match", "all-with-x"), field("x-foo", one)}, []int{7}},
		{"all leaves x- out", wire.Table{field("a", two), field("x-foo", one)}, []int{2, 4}},
		{"X- is no x-", wire.Table{field("x-match", "any"), field("X-foo", one)}, []int{9}},
		{"a message's first of two", wire.Table{field("a", one)}, []int{1, 3, 5, 6}},
		{"a binding's two, all", wire.Table{field("a", one), field("a", two)}, []int{3}},
		{"a binding's two, equal", wire.Table{field("a", one), field("a", one)}, []int{6}},
		{"a binding's two, any", wire.Table{field("x-match", "any"), field("a", one), field("a", two)}, []int{1, 3, 5, 6}},
		{"order does not count", wire.Table{field("b", one), field("a", one)}, []int{5}},
		{"void is presence", wire.Table{field("a", nil)}, []int{1, 2, 3, 4, 5, 6}},
		{"x-match that no bind lets pass is all", wire.Table{field("x-match", one), field("a", two)}, []int{2, 4}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := mustNew(t, "headers").Bind(Binding{Dest: queue(1), Args: c.args})
			var got []int
			for i, m := range messages {
				if len(ids(r, "", m)) > 0 {
					got = append(got, i)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Fatalf("matches %v, want %v", got, c.want)
			}
		})
	}
}

// A queue with many bindings is there once, and after an unbind the others
// still count.
func TestHeadersOnce(t *testing.T) {
	r := mustNew(t, "headers")
	args := func(n int) wire.Table {
		return wire.Table{field("x-match", "any"), field("n", int64(n)), field("all", true)}
	}
	for n := range 500 {
		r = r.Bind(Binding{Dest: queue(uint64(n % 3)), Args: args(n)})
	}
	if got := ids(r, "", wire.Table{field("all", true)}); !slices.Equal(got, []uint64{0, 1, 2}) {
		t.Fatal("got", got)
	}
	r = r.Unbind(Binding{Dest: queue(1), Args: args(1)})
	if got := ids(r, "", wire.Table{field("n", int8(1))}); len(got) != 0 {
		t.Fatal("unbound and still there:", got)
	}
	if got := ids(r, "", wire.Table{field("n", int8(4))}); !slices.Equal(got, []uint64{1}) {
		t.Fatal("got", got)
	}
}

func TestHeadersOfBrokenTable(t *testing.T) {
	r := mustNew(t, "headers").Bind(Binding{Dest: queue(1), Args: wire.Table{field("a", int32(1))}})
	good := wire.AppendTable(nil, wire.Table{field("a", int32(1)), field("b", "text")})[4:]
	for cut := range good {
		got := len(r.Route(Message{Headers: good[:cut]}, nil))
		if want := cut >= len("\x01aI\x00\x00\x00\x01"); (got == 1) != want {
			t.Fatalf("%d octets of %d: %d destinations", cut, len(good), got)
		}
	}
}

// FuzzHeaders: any octets as a header table are survived, and what decodes
// matches as a comparison of decoded tables says.
func FuzzHeaders(f *testing.F) {
	f.Add(wire.AppendTable(nil, wire.Table{field("a", int32(1)), field("b", "x")})[4:])
	f.Add(wire.AppendTable(nil, wire.Table{field("x-a", nil), field("b", 1.5), field("c", wire.Table{field("d", true)})})[4:])
	f.Add([]byte("\x01aS\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, octets []byte) {
		table, err := wire.ParseFields(octets)
		r := mustNew(t, "headers")
		all := r.Bind(Binding{Dest: queue(1), Args: append(wire.Table{field("x-match", "all-with-x")}, table...)})
		got := len(all.Route(Message{Headers: octets}, nil))
		if _, again := table.Get("x-match"); err == nil && !again && !hasOddBool(octets) && got != 1 {
			t.Fatalf("%v does not match itself", table)
		}
		more := r.Bind(Binding{Dest: queue(1), Args: append(wire.Table{field("\xff\xffmissing", nil)}, table...)})
		if _, there := table.Get("\xff\xffmissing"); err == nil && !there && len(more.Route(Message{Headers: octets}, nil)) != 0 {
			t.Fatalf("%v matches with a header missing", table)
		}
	})
}

// hasOddBool: a bool in a nested table may be any octet on the wire, and its
// binding is compared by octets.
func hasOddBool(octets []byte) bool {
	odd := false
	_ = wire.ScanTable(octets, func(_ []byte, typ byte, _ []byte) bool {
		odd = odd || typ == 'F' || typ == 'A'
		return true
	})
	return odd
}

// TestHeadersAgreesWithOracle: whatever pair a binding is kept under, it is
// found as by asking each binding in turn, also after others have gone.
func TestHeadersAgreesWithOracle(t *testing.T) {
	modes := []any{nil, "all", "all", "all-with-x", "any", "any-with-x"}
	values := []any{int8(1), int64(1), int32(2), float64(1), "1", true, nil, uint64(1 << 63), wire.Array{}}
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		table := func(most int) (fields wire.Table) {
			for range rnd.IntN(most + 1) {
				fields = append(fields, field([]string{"a", "b", "c", "x-d"}[rnd.IntN(4)], values[rnd.IntN(len(values))]))
			}
			return fields
		}
		router := mustNew(t, "headers")
		var bindings []Binding
		for range 80 {
			args := table(3)
			if mode := modes[rnd.IntN(len(modes))]; mode != nil {
				args = append(args, field("x-match", mode))
			}
			b := Binding{Dest: Dest{ID: rnd.Uint64N(30), Exchange: rnd.IntN(4) == 0}, Args: args}
			router, bindings = router.Bind(b), append(bindings, b)
			if rnd.IntN(3) == 0 {
				gone := newBound(bindings[rnd.IntN(len(bindings))])
				router = router.Unbind(Binding{Dest: gone.dest, Args: parsed(t, gone.args)})
				bindings = slices.DeleteFunc(bindings, func(b Binding) bool {
					n := newBound(b)
					return n.order(&gone) == 0
				})
			}
			headers := wire.AppendTable(nil, table(5))[4:]
			if got, want := router.Route(Message{Headers: headers}, nil), eachAsked(bindings, headers); !slices.Equal(got, want) {
				t.Fatalf("seed %d, headers %q: got %v, want %v of %v", seed, headers, got, want, bindings)
			}
		}
	}
}

func eachAsked(bindings []Binding, headers []byte) []Dest {
	var out []Dest
	for _, b := range bindings {
		if newHeaderMatch(b.Args).matches(scanHeaders(headers, nil)) {
			out = append(out, b.Dest)
		}
	}
	return ordered(out)
}

func parsed(t *testing.T, canonical string) wire.Table {
	t.Helper()
	if canonical == "" {
		return nil
	}
	table, _, err := wire.ParseTable([]byte(canonical))
	if err != nil {
		t.Fatal(err)
	}
	return table
}
