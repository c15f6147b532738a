package exchange

import (
	"fmt"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// wildcards binds n queues by patterns with stars and hashes in all places; a
// key such as "region16.service23.x.error" matches few of them.
func wildcards(t testing.TB, n int) Router {
	t.Helper()
	r := mustNew(t, "topic")
	for i := range n {
		b := Binding{Dest: Dest{ID: uint64(i)}}
		switch i % 4 {
		case 0:
			b.Key = fmt.Sprintf("region%d.service%d.*.error", i%100, i/100)
		case 1:
			b.Key = fmt.Sprintf("region%d.service%d.#", i%100, i/100)
		case 2:
			b.Key = fmt.Sprintf("*.service%d.#.host%d", i/100, i%100)
		default:
			b.Key = fmt.Sprintf("#.service%d.#.host%d.#", i/100, i%100)
		}
		r = r.Bind(b)
	}
	return r
}

func equalHeaders(t testing.TB, n int) Router {
	t.Helper()
	r := mustNew(t, "headers")
	for i := range n {
		r = r.Bind(Binding{Dest: Dest{ID: uint64(i)}, Args: wire.Table{
			{Name: "tenant", Value: fmt.Sprint("t", i)}, {Name: "level", Value: int32(i % 5)}}})
	}
	return r
}

func directKeys(t testing.TB, n int) Router {
	t.Helper()
	r := mustNew(t, "direct")
	for i := range n {
		r = r.Bind(Binding{Dest: Dest{ID: uint64(i)}, Key: fmt.Sprint("key.", i)})
	}
	return r
}

func oneFanout(t testing.TB, n int) Router {
	t.Helper()
	r := mustNew(t, "fanout")
	for i := range n {
		r = r.Bind(Binding{Dest: Dest{ID: uint64(i)}})
	}
	return r
}

// hashed has three weights.
func hashed(t testing.TB, n int) Router {
	t.Helper()
	r := mustNew(t, consistentHash)
	for i := range n {
		r = r.Bind(Binding{Dest: Dest{ID: uint64(i)}, Key: fmt.Sprint(1 + i%3)})
	}
	return r
}

func chosen(t testing.TB, n int) Router {
	t.Helper()
	r := mustNew(t, plainRandom)
	for i := range n {
		r = r.Bind(Binding{Dest: Dest{ID: uint64(i)}})
	}
	return r
}

// cases are a router of each kind and a message for it.
func cases(t testing.TB) map[string]routed {
	t.Helper()
	headers := wire.AppendTable(nil, wire.Table{{Name: "level", Value: int64(2)}, {Name: "tenant", Value: "t7"}, {Name: "other", Value: true}})[4:]
	return map[string]routed{
		"direct of 10000":  {directKeys(t, 10_000), Message{Key: []byte("key.4711")}},
		"fanout of 8":      {oneFanout(t, 8), Message{Key: []byte("any")}},
		"topic of 10000":   {wildcards(t, 10_000), Message{Key: []byte("region16.service23.x.error")}},
		"topic long key":   {wildcards(t, 10_000), Message{Key: []byte("region17.service22.a.b.c.d.e.f.g.h.i.host30")}},
		"headers of 16":    {equalHeaders(t, 16), Message{Headers: headers}},
		"headers of 1000":  {equalHeaders(t, 1000), Message{Headers: headers}},
		"hash over 10":     {hashed(t, 10), Message{Key: []byte("key.4711")}},
		"hash over 1000":   {hashed(t, 1000), Message{Key: []byte("key.4711")}},
		"random of 100":    {chosen(t, 100), Message{}},
		"no match, direct": {directKeys(t, 100), Message{Key: []byte("nobody")}},
	}
}

type routed struct {
	router Router
	m      Message
}

func BenchmarkRoute(b *testing.B) {
	for name, c := range cases(b) {
		b.Run(name, func(b *testing.B) {
			out := make([]Dest, 0, 64)
			b.ReportAllocs()
			for b.Loop() {
				out = c.router.Route(c.m, out[:0])
			}
			b.ReportMetric(float64(len(out)), "matches")
		})
	}
}

// BenchmarkFanoutOverlap routes to thousands of queues that are bound several
// times each: keeping each once must not compare each with each.
func BenchmarkFanoutOverlap(b *testing.B) {
	r := mustNew(b, "topic")
	for i := range 5000 {
		for _, key := range []string{"#", "a.*", "*.b"} {
			r = r.Bind(Binding{Dest: Dest{ID: uint64(i)}, Key: key})
		}
	}
	out := make([]Dest, 0, 20_000)
	for b.Loop() {
		out = r.Route(Message{Key: []byte("a.b")}, out[:0])
	}
	if len(out) != 5000 {
		b.Fatalf("%d destinations", len(out))
	}
}

// BenchmarkBindUnbind adds and removes one binding among ten thousand.
func BenchmarkBindUnbind(b *testing.B) {
	bindings := map[string]Binding{
		"direct":  {Dest: Dest{ID: 1 << 40}, Key: "key.77"},
		"fanout":  {Dest: Dest{ID: 1 << 40}},
		"topic":   {Dest: Dest{ID: 1 << 40}, Key: "region17.service23.*.new.#"},
		"headers": {Dest: Dest{ID: 1 << 40}, Args: wire.Table{{Name: "tenant", Value: "new"}}},
	}
	routers := map[string]Router{"direct": directKeys(b, 10_000), "fanout": oneFanout(b, 10_000),
		"topic": wildcards(b, 10_000), "headers": equalHeaders(b, 10_000)}
	for kind, r := range routers {
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Bind(bindings[kind]).Unbind(bindings[kind])
			}
		})
	}
}
