package meta

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// store is the metadata store: what the changes so far have left.
type store map[string][]byte

func (st store) apply(changes []Change) {
	for _, c := range changes {
		if c.Value == nil {
			delete(st, string(c.Key))
		} else {
			st[string(c.Key)] = c.Value
		}
	}
}

// load is a start: keys ascending, as the store gives them.
func (st store) load(t testing.TB) *State {
	t.Helper()
	keys := make([][]byte, 0, len(st))
	for k := range st {
		keys = append(keys, []byte(k))
	}
	slices.SortFunc(keys, bytes.Compare)
	s := New()
	for _, k := range keys {
		if err := s.Load(k, st[string(k)]); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestDurability(t *testing.T) {
	x := func(name string, durable bool) *Exchange {
		return &Exchange{ID: 1, VHost: "/", Name: name, Kind: "fanout", Durable: durable}
	}
	q := func(name string, durable, exclusive bool) *Queue {
		return &Queue{ID: 2, VHost: "/", Name: name, Durable: durable, Exclusive: exclusive}
	}
	cases := []struct {
		name   string
		source *Exchange
		queue  *Queue
		toX    *Exchange
		want   int // changes of the binding
	}{
		{"both durable", x("s", true), q("d", true, false), nil, 1},
		{"transient queue", x("s", true), q("d", false, false), nil, 0},
		{"exclusive queue", x("s", true), q("d", true, true), nil, 0},
		{"transient source", x("s", false), q("d", true, false), nil, 0},
		{"durable exchanges", x("s", true), nil, x("d", true), 1},
		{"transient exchange", x("s", true), nil, x("d", false), 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := New()
			s.PutExchange(c.source)
			b := &Binding{VHost: "/", Source: "s", Dest: "d", ToExchange: c.toX != nil}
			if c.toX != nil {
				s.PutExchange(c.toX)
			} else if cs := s.PutQueue(c.queue); (len(cs) == 1) != (c.queue.Durable && !c.queue.Exclusive) {
				t.Fatal("the queue itself:", cs)
			}
			added, ok := s.PutBinding(b)
			if len(added) != c.want || !ok {
				t.Fatalf("added %v: %d changes, want %d", ok, len(added), c.want)
			}
			if again, ok := s.PutBinding(b); ok || again != nil {
				t.Fatal("bound twice")
			}
			if gone, ok := s.DeleteBinding(b); !ok || len(gone) != c.want {
				t.Fatalf("removed %v: %d changes", ok, len(gone))
			}
			if gone, ok := s.DeleteBinding(b); ok || gone != nil {
				t.Fatal("removed twice")
			}
		})
	}
}

// Bindings go with either of their ends, in the same changes.
func TestDeletedEnds(t *testing.T) {
	cases := []struct {
		name   string
		delete func(*State) ([]*Binding, []Change)
		gone   int
	}{
		{"the source", func(s *State) ([]*Binding, []Change) { return s.DeleteExchange(Name{"/", "a"}) }, 4},
		{"an exchange in the middle", func(s *State) ([]*Binding, []Change) { return s.DeleteExchange(Name{"/", "b"}) }, 2},
		{"the queue", func(s *State) ([]*Binding, []Change) { return s.DeleteQueue(Name{"/", "q"}) }, 3},
		{"a queue that is not there", func(s *State) ([]*Binding, []Change) { return s.DeleteQueue(Name{"/", "a"}) }, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, st := New(), store{}
			st.apply(s.PutVHost(&VHost{Name: "/"}))
			st.apply(s.PutExchange(&Exchange{ID: 1, VHost: "/", Name: "a", Durable: true}))
			st.apply(s.PutExchange(&Exchange{ID: 2, VHost: "/", Name: "b", Durable: true}))
			st.apply(s.PutQueue(&Queue{ID: 3, VHost: "/", Name: "q", Durable: true}))
			for _, b := range []*Binding{
				{VHost: "/", Source: "a", Dest: "q", Key: "1"}, {VHost: "/", Source: "a", Dest: "q", Key: "2"},
				{VHost: "/", Source: "a", Dest: "b", ToExchange: true}, {VHost: "/", Source: "a", Dest: "a", ToExchange: true},
				{VHost: "/", Source: "b", Dest: "q"},
			} {
				cs, _ := s.PutBinding(b)
				st.apply(cs)
			}
			gone, cs := c.delete(s)
			if len(gone) != c.gone {
				t.Fatalf("%d bindings gone, want %d", len(gone), c.gone)
			}
			st.apply(cs)
			left := len(s.From(Name{"/", "a"})) + len(s.From(Name{"/", "b"}))
			if left != 5-c.gone {
				t.Fatal("bindings left:", left)
			}
			same(t, s, st.load(t))
		})
	}
}

// Ids are never given twice, whatever part of the changes a crash has kept.
func TestIDs(t *testing.T) {
	st, last := store{}, uint64(0)
	for range 5 {
		s := st.load(t)
		changes := 0
		for range idBlock + 10 {
			id, cs := s.NextID()
			if id <= last {
				t.Fatalf("id %d after %d", id, last)
			}
			last, changes = id, changes+len(cs)
			st.apply(cs)
		}
		if changes != 2 {
			t.Fatalf("%d changes for %d ids", changes, idBlock+10)
		}
	}
	s := New()
	s.PutVHost(&VHost{Name: "/"})
	kept := put(&Queue{ID: 77, VHost: "/", Name: "q", Durable: true})[0]
	if err := s.Load(kept.Key, kept.Value); err != nil {
		t.Fatal(err)
	}
	if id, cs := s.NextID(); id != 78 || len(cs) != 1 {
		t.Fatalf("id %d with %d changes after a queue of 77", id, len(cs))
	}
}

// TestRandomCommands: after any commands, a start from the changes gives what
// was durable.
func TestRandomCommands(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		s, st := New(), store{}
		st.apply(s.PutVHost(&VHost{Name: "/"}))
		for step := range 600 {
			st.apply(command(s, rnd))
			if step%100 == 99 {
				same(t, s, st.load(t))
			}
		}
	}
}

// command does something random to s: few names, so that they meet often.
func command(s *State, rnd *rand.Rand) []Change {
	name := fmt.Sprint(rnd.IntN(6))
	args := []wire.Table{nil, everyType(), {{Name: "a", Value: int32(rnd.IntN(2))}}}[rnd.IntN(3)]
	b := &Binding{VHost: "/", Source: fmt.Sprint(rnd.IntN(6)), Dest: name, Key: fmt.Sprint("\xff", rnd.IntN(2)),
		ToExchange: rnd.IntN(3) == 0, Arguments: args}
	id, cs := s.NextID()
	switch rnd.IntN(9) {
	case 0:
		if s.Exchanges[Name{"/", name}] == nil {
			cs = append(cs, s.PutExchange(&Exchange{ID: id, VHost: "/", Name: name, Kind: "topic", Durable: rnd.IntN(3) > 0, Arguments: args})...)
		}
	case 1:
		if s.Queues[Name{"/", name}] == nil {
			cs = append(cs, s.PutQueue(&Queue{ID: id, VHost: "/", Name: name, Durable: rnd.IntN(3) > 0, Exclusive: rnd.IntN(4) == 0, Arguments: args})...)
		}
	case 2:
		_, more := s.DeleteExchange(Name{"/", name})
		cs = append(cs, more...)
	case 3:
		_, more := s.DeleteQueue(Name{"/", name})
		cs = append(cs, more...)
	case 4:
		cs = append(cs, s.PutUser(&User{Name: name, PasswordHash: fmt.Sprint(id), Tags: []string{name}})...)
	case 5:
		cs = append(cs, s.PutPermission(&Permission{User: name, VHost: "/", Configure: fmt.Sprint(id)})...)
	case 6:
		more, _ := s.DeleteBinding(b)
		cs = append(cs, more...)
	default:
		src, dst := s.Exchanges[Name{"/", b.Source}], s.Queues[Name{"/", b.Dest}] != nil
		if b.ToExchange {
			dst = s.Exchanges[Name{"/", b.Dest}] != nil
		}
		if src != nil && dst {
			more, _ := s.PutBinding(b)
			cs = append(cs, more...)
		}
	}
	return cs
}

// same compares what is durable in s with what a start has loaded.
func same(t *testing.T, s, loaded *State) {
	t.Helper()
	if !reflect.DeepEqual(s.VHosts, loaded.VHosts) || !reflect.DeepEqual(s.Users, loaded.Users) ||
		!reflect.DeepEqual(s.Permissions, loaded.Permissions) || !reflect.DeepEqual(s.TopicPermissions, loaded.TopicPermissions) {
		t.Fatal("virtual hosts, users or permissions differ")
	}
	if !reflect.DeepEqual(s.Policies, loaded.Policies) || !reflect.DeepEqual(s.Parameters, loaded.Parameters) ||
		!reflect.DeepEqual(s.GlobalParameters, loaded.GlobalParameters) {
		t.Fatal("policies or parameters differ")
	}
	exchanges, queues := map[Name]*Exchange{}, map[Name]*Queue{}
	bindings := 0
	for n, e := range s.Exchanges {
		if e.Durable {
			exchanges[n] = e
		}
	}
	for n, q := range s.Queues {
		if q.stored() {
			queues[n] = q
		}
	}
	if !reflect.DeepEqual(exchanges, loaded.Exchanges) || !reflect.DeepEqual(queues, loaded.Queues) {
		t.Fatalf("loaded exchanges %v queues %v, want %v %v", loaded.Exchanges, loaded.Queues, exchanges, queues)
	}
	for n := range s.Exchanges {
		for _, b := range s.From(n) {
			if s.durable(b) {
				bindings++
				k := b.key()
				src, dst := b.ends()
				if got := loaded.from[src][string(k)]; !reflect.DeepEqual(got, b) || loaded.to[dst][string(k)] != got {
					t.Fatalf("loaded %v, want %v", got, b)
				}
			}
		}
		if s.Bound(n) != (len(s.From(n)) > 0) {
			t.Fatal("bound:", s.Bound(n))
		}
	}
	for n := range loaded.Exchanges {
		bindings -= len(loaded.From(n))
	}
	if bindings != 0 {
		t.Fatalf("%d bindings more than loaded", bindings)
	}
}

// BenchmarkDeclare declares durable queues, one by one among all before.
func BenchmarkDeclare(b *testing.B) {
	s := New()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		id, _ := s.NextID()
		s.PutQueue(&Queue{ID: id, VHost: "/", Name: fmt.Sprint("queue", i), Durable: true})
		i++
	}
}
