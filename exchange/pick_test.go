package exchange

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// spread counts where n messages go; each goes to exactly one destination.
func spread(t *testing.T, r Router, n int, message func(i int) Message) map[uint64]int {
	t.Helper()
	found := map[uint64]int{}
	for i := range n {
		out := r.Route(message(i), nil)
		if len(out) != 1 {
			t.Fatalf("message %d goes to %v", i, out)
		}
		found[out[0].ID]++
	}
	return found
}

func keyed(i int) Message { return Message{Key: fmt.Append(nil, "key.", i)} }

// within fails when a share differs by more than a tenth from its weight's.
func within(t *testing.T, got map[uint64]int, weights map[uint64]float64) {
	t.Helper()
	total, sum := 0, 0.0
	for id, w := range weights {
		total += got[id]
		sum += w
	}
	for id, w := range weights {
		want := float64(total) * w / sum
		if math.Abs(float64(got[id])-want) > want/10 {
			t.Errorf("destination %d got %d of %d, want about %.0f", id, got[id], total, want)
		}
	}
}

func weights(r Router, of map[uint64]float64) Router {
	for id, w := range of {
		r = r.Bind(Binding{Dest: queue(id), Key: fmt.Sprint(w)})
	}
	return r
}

func TestConsistentHashSpread(t *testing.T) {
	equal, unequal := map[uint64]float64{}, map[uint64]float64{7: 1, 8: 2, 9: 3, 10: 10, 12: 3}
	for id := range uint64(20) {
		equal[id+1] = 1
	}
	for name, of := range map[string]map[uint64]float64{"equal": equal, "unequal": unequal} {
		t.Run(name, func(t *testing.T) {
			within(t, spread(t, weights(mustNew(t, consistentHash), of), 200_000, keyed), of)
		})
	}
}

// Who comes or goes moves its own share and nothing else.
func TestConsistentHashMovesLittle(t *testing.T) {
	of := map[uint64]float64{1: 1, 2: 1, 3: 2, 4: 5}
	before := weights(mustNew(t, consistentHash), of)
	after := before.Bind(Binding{Dest: queue(5), Key: "3"})
	moved := 0
	for i := range 20_000 {
		was, is := before.Route(keyed(i), nil)[0], after.Route(keyed(i), nil)[0]
		if was == is {
			continue
		}
		if moved++; is != queue(5) {
			t.Fatalf("message %d went from %v to %v", i, was, is)
		}
	}
	if share := float64(moved) / 20_000; share < 0.20 || share > 0.30 {
		t.Fatalf("%.2f of the messages moved, want 3 in 12", share)
	}
	if back := after.Unbind(Binding{Dest: queue(5), Key: "3"}); back.Route(keyed(1), nil)[0] != before.Route(keyed(1), nil)[0] {
		t.Fatal("an unbind does not take back the bind")
	}
}

// The outcome is part of what a user has: these must hold in every version.
func TestHashesNeverChange(t *testing.T) {
	for kind, want := range map[string]string{
		consistentHash: "223131333313", modulusHash: "132123322311",
	} {
		t.Run(kind, func(t *testing.T) {
			bindings := []Binding{{Dest: queue(1), Key: "1"}, {Dest: queue(2), Key: "1"}, {Dest: queue(3), Key: "2"}}
			for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
				r := mustNew(t, kind)
				for _, i := range order {
					r = r.Bind(bindings[i])
				}
				got := ""
				for i := range len(want) {
					got += fmt.Sprint(r.Route(keyed(i), nil)[0].ID)
				}
				if got != want {
					t.Errorf("bound in the order %v: %s, want %s", order, got, want)
				}
			}
		})
	}
}

// RabbitMQ: one binding of a destination counts.
func TestConsistentHashOneWeight(t *testing.T) {
	r := weights(mustNew(t, consistentHash), map[uint64]float64{1: 1, 2: 5}).Bind(Binding{Dest: queue(1), Key: "9"})
	within(t, spread(t, r, 60_000, keyed), map[uint64]float64{1: 1, 2: 5})
	r = r.Unbind(Binding{Dest: queue(1), Key: "1"})
	within(t, spread(t, r, 60_000, keyed), map[uint64]float64{1: 9, 2: 5})
}

func TestConsistentHashBy(t *testing.T) {
	props := func(p wire.Properties) []byte { return p.Append(nil) }
	all := wire.Properties{Flags: 0xFFFC, ContentType: "t", ContentEncoding: "e", Headers: wire.Table{field("a", "b")}, ReplyTo: "r",
		Expiration: "5", Type: "t", UserID: "u", AppID: "a", ClusterID: "c"}
	cases := map[string]struct {
		args    wire.Table
		message func(i int) Message
	}{
		"header": {wire.Table{field("hash-header", "h")}, func(i int) Message {
			return Message{Headers: wire.AppendTable(nil, wire.Table{field("a", int32(i)), field("h", int32(i/2))})[4:]}
		}},
		"correlation_id": {wire.Table{field("hash-property", "correlation_id")}, func(i int) Message {
			return Message{Props: props(wire.Properties{Flags: wire.FlagCorrelationID, CorrelationID: fmt.Sprint(i / 2)})}
		}},
		"message_id": {wire.Table{field("hash-property", "message_id")}, func(i int) Message {
			p := all
			p.MessageID, p.CorrelationID, p.Timestamp = fmt.Sprint(i/2), fmt.Sprint(i), wire.Timestamp(i)
			return Message{Props: props(p)}
		}},
		"timestamp": {wire.Table{field("hash-property", "timestamp")}, func(i int) Message {
			p := all
			p.MessageID, p.Timestamp = fmt.Sprint(i), wire.Timestamp(i/2)
			return Message{Props: props(p)}
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := New(consistentHash, Options{Arguments: c.args})
			if err != nil {
				t.Fatal(err)
			}
			if r.KeyOnly() {
				t.Fatal("may not be kept by key")
			}
			r = weights(r, map[uint64]float64{1: 1, 2: 1, 3: 2})
			within(t, spread(t, r, 40_000, c.message), map[uint64]float64{1: 1, 2: 1, 3: 2})
			for i := range 1000 {
				one, two := c.message(2*i), c.message(2*i+1)
				two.Key = []byte("another key")
				if a, b := r.Route(one, nil)[0], r.Route(two, nil)[0]; a != b {
					t.Fatalf("messages that have it in common go to %v and %v", a, b)
				}
			}
			bare := spread(t, r, 100, keyed)
			if len(bare) != 1 {
				t.Fatal("messages without it are spread:", bare)
			}
			for _, m := range []Message{c.message(0), {Props: []byte{0xFF, 0xFF}}, {Headers: []byte("\x01h")}} {
				for cut := range m.Props { // a broken list is survived
					r.Route(Message{Props: m.Props[:cut]}, nil)
				}
				if len(r.Route(m, nil)) != 1 {
					t.Fatal("lost")
				}
			}
		})
	}
}

// A value of another type is another value (RabbitMQ).
func TestConsistentHashTypes(t *testing.T) {
	by := hashBy{header: "h"}
	seen := map[uint64]any{}
	for _, v := range []any{int32(1), int64(1), int16(1), "1", true, 1.0, nil} {
		hash := by.of(Message{Headers: wire.AppendTable(nil, wire.Table{field("h", v)})[4:]})
		if old, again := seen[hash]; again {
			t.Errorf("%T(%v) and %T(%v) have one hash", v, v, old, old)
		}
		seen[hash] = v
	}
}

func TestRandom(t *testing.T) {
	for _, kind := range []string{plainRandom, localRandom} {
		t.Run(kind, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(1, 1))
			r, err := New(kind, Options{Rand: rnd.Uint64})
			if err != nil {
				t.Fatal(err)
			}
			if out := r.Route(Message{}, nil); len(out) != 0 {
				t.Fatal("nothing is bound, routed to", out)
			}
			for id := range uint64(3) {
				r = r.Bind(Binding{Dest: queue(id + 1)})
			}
			same := func(int) Message { return Message{Key: []byte("k")} }
			within(t, spread(t, r, 30_000, same), map[uint64]float64{1: 1, 2: 1, 3: 1})
			// RabbitMQ: each binding is a chance.
			r = r.Bind(Binding{Dest: queue(1), Key: "y"}).Bind(Binding{Dest: queue(1), Key: "z"})
			within(t, spread(t, r, 30_000, same), map[uint64]float64{1: 3, 2: 1, 3: 1})
			r = r.Unbind(Binding{Dest: queue(2)}).Unbind(Binding{Dest: queue(4)})
			within(t, spread(t, r, 30_000, same), map[uint64]float64{1: 3, 3: 1})
		})
	}
}

func TestModulusSpread(t *testing.T) {
	r := mustNew(t, modulusHash)
	for id := range uint64(3) {
		r = r.Bind(Binding{Dest: queue(id + 1), Key: "x"})
	}
	r = r.Bind(Binding{Dest: queue(1), Key: "y"})
	within(t, spread(t, r, 60_000, keyed), map[uint64]float64{1: 2, 2: 1, 3: 1})
}

// Old values stay as they were, and many goroutines may be first to route.
func TestPickersNeverChange(t *testing.T) {
	for _, kind := range []string{consistentHash, modulusHash, plainRandom} {
		t.Run(kind, func(t *testing.T) {
			one := mustNew(t, kind).Bind(Binding{Dest: queue(1), Key: "1"})
			if again := one.Bind(Binding{Dest: queue(1), Key: "1"}).Unbind(Binding{Dest: queue(1), Key: "2"}); len(again.Route(Message{}, nil)) != 1 {
				t.Fatal("binding twice is not binding once")
			}
			two := one.Bind(Binding{Dest: queue(2), Key: "1"})
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for i := range 100 {
						if out := one.Route(keyed(i), nil); !slices.Equal(out, []Dest{queue(1)}) {
							t.Errorf("routes to %v", out)
						}
						two.Route(keyed(i), nil)
					}
				})
			}
			wg.Wait()
			if out := one.Unbind(Binding{Dest: queue(1), Key: "1"}).Route(Message{}, nil); len(out) != 0 {
				t.Fatal("unbound, routes to", out)
			}
		})
	}
}
