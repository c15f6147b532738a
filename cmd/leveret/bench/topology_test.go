package bench

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
)

func planOf(t *testing.T, r RoutingOptions) *plan {
	t.Helper()
	o := DefaultOptions()
	r.Pattern, r.Durable = "q%d", "auto"
	o.Routing = r
	p, err := newPlan(&o, 1)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name     string
		routing  RoutingOptions
		bindings []binding
		keys     []string
		reach    [][]int
	}{
		{"straight to two queues", RoutingOptions{Queues: 2},
			[]binding{{0, "q0"}, {1, "q1"}}, []string{"q0", "q1"}, [][]int{{0}, {1}}},
		{"straight, keys given", RoutingOptions{Queues: 2, RoutingKeys: "q1,elsewhere"},
			[]binding{{0, "q0"}, {1, "q1"}}, []string{"q1", "elsewhere"}, [][]int{{1}, nil}},
		{"fan-out", RoutingOptions{Queues: 3, Exchange: "e", Type: "fanout"},
			[]binding{{0, ""}, {1, ""}, {2, ""}}, []string{""}, [][]int{{0, 1, 2}}},
		{"direct, generated", RoutingOptions{Queues: 2, Exchange: "e", Type: "direct"},
			[]binding{{0, "k0"}, {1, "k1"}}, []string{"k0", "k1"}, [][]int{{0}, {1}}},
		{"direct, one key for all queues", RoutingOptions{Queues: 2, Exchange: "e", Type: "direct", Bindings: "a"},
			[]binding{{0, "a"}, {1, "a"}}, []string{"a", "a"}, [][]int{{0, 1}, {0, 1}}},
		{"topic, given", RoutingOptions{Queues: 2, Exchange: "e", Type: "topic", Bindings: "a.*,#.z", RoutingKeys: "a.z,b"},
			[]binding{{0, "a.*"}, {1, "#.z"}}, []string{"a.z", "b"}, [][]int{{0, 1}, nil}},
		{"topic, generated, fewer keys than bindings", RoutingOptions{Queues: 2, Exchange: "e", Type: "topic", Bindings: "4", RoutingKeys: "2"},
			[]binding{{0, "k0.*.end"}, {1, "*.k1.#"}, {0, "#.k2"}, {1, "k3.*.end"}}, []string{"k0.mid.end", "one.two.k2"}, [][]int{{0}, {0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := planOf(t, c.routing)
			if !reflect.DeepEqual(p.bindings, c.bindings) {
				t.Errorf("bindings = %v, want %v", p.bindings, c.bindings)
			}
			if !slices.Equal(p.keys, c.keys) {
				t.Errorf("keys = %q, want %q", p.keys, c.keys)
			}
			if !reflect.DeepEqual(p.reach, c.reach) {
				t.Errorf("reach = %v, want %v", p.reach, c.reach)
			}
		})
	}
}

func TestPlanOfManyBindings(t *testing.T) {
	p := planOf(t, RoutingOptions{Queues: 7, Exchange: "e", Type: "topic", Bindings: "10000", RoutingKeys: "1000"})
	if len(p.bindings) != 10_000 || len(p.keys) != 1000 {
		t.Fatalf("%d bindings and %d keys", len(p.bindings), len(p.keys))
	}
	distinct := map[string]bool{}
	for i, key := range p.keys {
		distinct[key] = true
		b := p.bindings[i*10]
		if !topicMatch(b.key, key) || p.reach[i][0] != b.queue {
			t.Fatalf("key %q does not belong to binding %+v", key, b)
		}
	}
	if len(distinct) != 1000 {
		t.Errorf("%d distinct keys, want 1000", len(distinct))
	}
}

func TestPassivePlanExpectsNothing(t *testing.T) {
	p := planOf(t, RoutingOptions{Queues: 1, Exchange: "e", Type: "fanout", Passive: true})
	if p.reach != nil {
		t.Errorf("reach = %v of an exchange that others have bound", p.reach)
	}
}

func TestDeclareSendsWholeTopology(t *testing.T) {
	peer := newPeer(t)
	o := DefaultOptions()
	o.Broker.URI = peer.uri()
	o.Routing = RoutingOptions{Queues: 3, Pattern: "q%d", Durable: "no", Exchange: "e", Type: "topic", Bindings: "250"}
	p, err := newPlan(&o, 1)
	if err != nil {
		t.Fatal(err)
	}
	f := &flow{o: &o, plan: p}
	if err := f.control(t.Context(), func(c *conn) error {
		_, err := p.declare(c, false, true)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"q0", "q1", "q2"}; !slices.Equal(peer.declared, want) {
		t.Errorf("declared %q, want %q", peer.declared, want)
	}
	if n := len(peer.bound["e"]); n != 250 {
		t.Errorf("%d bindings, want 250", n)
	}
	if err := f.control(t.Context(), p.remove); err != nil {
		t.Error(fmt.Errorf("remove: %w", err))
	}
}
