package exchange

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// kinds are the exchange types of the specification.
func kinds() []string { return []string{"direct", "fanout", "topic", "headers"} }

func queue(id uint64) Dest { return Dest{ID: id} }

// ids is where a message goes, as ids.
func ids(r Router, key string, headers wire.Table) []uint64 {
	m := Message{Key: []byte(key)}
	if headers != nil {
		m.Headers = wire.AppendTable(nil, headers)[4:]
	}
	found := []uint64{}
	for _, d := range r.Route(m, nil) {
		found = append(found, d.ID)
	}
	return found
}

func TestNew(t *testing.T) {
	cases := map[string]struct{ known, keyOnly, perKey bool }{
		"direct": {true, true, true}, "fanout": {true, true, false}, "topic": {true, true, true}, "headers": {true, false, false},
		consistentHash: {true, true, false}, modulusHash: {true, true, false}, plainRandom: {known: true}, localRandom: {known: true},
		RecentHistory: {known: true}, Deduplication: {known: true}, DelayedMessage: {true, false, true},
		"": {}, "Direct": {}, "x-federation-upstream": {},
	}
	for kind, want := range cases {
		t.Run(kind, func(t *testing.T) {
			r, err := New(kind, Options{Arguments: wire.Table{{Name: "x-delayed-type", Value: "direct"}}, Rand: func() uint64 { return 3 }})
			if Known(kind) != want.known || slices.Contains(Kinds(), kind) != want.known || (err == nil) != want.known || (r != nil) != want.known {
				t.Fatalf("router %v, error %v, known %v", r, err, Known(kind))
			}
			if r == nil {
				return
			}
			if r.KeyOnly() != want.keyOnly || r.PerKey() != want.perKey {
				t.Fatal("key only:", r.KeyOnly(), "per key:", r.PerKey())
			}
			if again := r.Bind(Binding{Dest: queue(1)}).Unbind(Binding{Dest: queue(1)}); again.KeyOnly() != want.keyOnly || again.PerKey() != want.perKey {
				t.Fatal("a binding changes what it is")
			}
			if got := r.Route(Message{}, []Dest{{ID: 9}}); !slices.Equal(got, []Dest{{ID: 9}}) {
				t.Fatal("nothing is bound, routed to", got)
			}
		})
	}
}

// The rules of a binding's identity are the same for every type.
func TestIdentity(t *testing.T) {
	one, two := int32(1), int32(2)
	base := Binding{queue(1), "k", wire.Table{{Name: "a", Value: one}, {Name: "b", Value: two}}}
	cases := []struct {
		name string
		b    Binding
		same bool
	}{
		{"the same", base, true},
		{"arguments in another order", Binding{queue(1), "k", wire.Table{{Name: "b", Value: two}, {Name: "a", Value: one}}}, true},
		{"another queue", Binding{queue(2), "k", base.Args}, false},
		{"an exchange with that id", Binding{Dest{1, true}, "k", base.Args}, false},
		{"another key", Binding{queue(1), "K", base.Args}, false},
		{"no arguments", Binding{queue(1), "k", nil}, false},
		{"another value", Binding{queue(1), "k", wire.Table{{Name: "a", Value: two}, {Name: "b", Value: two}}}, false},
		{"another width", Binding{queue(1), "k", wire.Table{{Name: "a", Value: int64(1)}, {Name: "b", Value: two}}}, false},
		{"an argument twice", Binding{queue(1), "k", wire.Table{{Name: "a", Value: one}, {Name: "a", Value: one}, {Name: "b", Value: two}}}, false},
	}
	headers := wire.Table{{Name: "a", Value: one}, {Name: "b", Value: two}}
	for _, kind := range kinds() {
		for _, c := range cases {
			t.Run(kind+"/"+c.name, func(t *testing.T) {
				bound := mustNew(t, kind).Bind(base)
				left := bound.Unbind(c.b)
				if got := len(ids(left, "k", headers)); (got == 0) != c.same {
					t.Fatalf("%d destinations left after unbind", got)
				}
				both := bound.Bind(c.b).Unbind(base)
				if empty := reflect.DeepEqual(both.Unbind(c.b), mustNew(t, kind)); kind == "fanout" && !empty {
					t.Fatal("something is left of two bindings")
				}
				if got := bound.Bind(c.b).Unbind(c.b); c.same && len(ids(got, "k", headers)) != 0 {
					t.Fatal("binding twice is not binding once")
				}
			})
		}
	}
}

// Old values stay as they were, whatever is done to those made from them.
func TestValuesNeverChange(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	keys := []string{"", "a", "a.b", "*", "#", "a.#", "#.b", "a.*", "*.b.#"}
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			type version struct {
				r    Router
				want []uint64
			}
			r, model := mustNew(t, kind), map[string]Binding{}
			var versions []version
			for range 2000 {
				b := Binding{queue(rnd.Uint64N(50)), keys[rnd.IntN(len(keys))], nil}
				name := fmt.Sprint(b.Dest.ID, b.Key)
				if rnd.IntN(5) < 3 {
					r, model[name] = r.Bind(b), b
				} else {
					r = r.Unbind(b)
					delete(model, name)
				}
				versions = append(versions, version{r, want(kind, "a.b", model)})
			}
			for i, v := range versions {
				if got := ids(v.r, "a.b", nil); !slices.Equal(got, v.want) {
					t.Fatalf("version %d routes to %v, want %v", i, got, v.want)
				}
			}
		})
	}
}

func want(kind, key string, model map[string]Binding) []uint64 {
	found := map[uint64]bool{}
	for _, b := range model {
		switch {
		case kind == "direct" && b.Key != key:
		case kind == "topic" && !matches(wordsOf(b.Key), wordsOf(key)):
		default:
			found[b.Dest.ID] = true
		}
	}
	return append([]uint64{}, slices.Sorted(maps.Keys(found))...)
}

func TestRouteAppends(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			r := mustNew(t, kind)
			for id := range uint64(3) {
				r = r.Bind(Binding{Dest: Dest{id, id == 1}, Key: "k"})
			}
			before := []Dest{{0, false}, {7, true}}
			got := r.Route(Message{Key: []byte("k")}, before)
			if want := append(before, Dest{0, false}, Dest{1, true}, Dest{2, false}); !slices.Equal(got, want) {
				t.Fatalf("got %v, want %v", got, want)
			}
		})
	}
}

// What was bound and unbound again leaves nothing behind.
func TestUnbindAll(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			r := mustNew(t, kind)
			keys := func(i int) string { return fmt.Sprintf("a%d.*.b%d.#", i%7, i%13) }
			for i := range 3000 {
				r = r.Bind(Binding{Dest: queue(uint64(i)), Key: keys(i)})
			}
			for i := range 3000 {
				r = r.Unbind(Binding{Dest: queue(uint64((i * 7) % 3000)), Key: keys((i * 7) % 3000)})
			}
			var left any
			switch r := r.(type) {
			case direct:
				left = r.keys
			case fanout:
				left = r.all
			case topic:
				left = r.root
			case headers:
				left = r.rest
				if r.pairs != nil {
					left = r.pairs
				}
			}
			if !reflect.ValueOf(left).IsNil() {
				t.Fatalf("left: %v", left)
			}
		})
	}
}
