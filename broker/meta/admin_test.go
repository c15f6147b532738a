package meta

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestRandomAdministration: after any commands of an operator, a start from the
// changes gives the same definitions.
func TestRandomAdministration(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		s, st := New(), store{}
		st.apply(s.PutVHost(&VHost{Name: "0"}))
		for step := range 400 {
			st.apply(administer(s, rnd))
			if step%50 == 49 {
				same(t, s, st.load(t))
			}
		}
	}
}

// administer does something random to s: few names, so that they meet often.
func administer(s *State, rnd *rand.Rand) []Change {
	name, other := fmt.Sprint(rnd.IntN(3)), fmt.Sprint(rnd.IntN(3))
	number := rnd.Int64() - rnd.Int64()
	value := json.RawMessage(fmt.Sprint(number))
	vhost := "0"
	for v := range s.VHosts {
		vhost = v
	}
	policy := PolicyName{rnd.IntN(2) == 0, vhost, name}
	switch rnd.IntN(16) {
	case 0:
		return s.PutVHost(&VHost{Name: name, Description: other, Tags: []string{other}, Limits: Limits{"max-queues": number}})
	case 1:
		if len(s.VHosts) > 1 {
			return s.DeleteVHost(name)
		}
	case 2:
		return s.PutUser(&User{Name: name, Limits: Limits{"max-channels": number}})
	case 3:
		return s.DeleteUser(name)
	case 4:
		return s.PutPermission(&Permission{User: name, VHost: vhost, Write: other})
	case 5:
		return s.DeletePermission(name, vhost)
	case 6:
		return s.PutTopicPermission(&TopicPermission{User: name, VHost: vhost, Exchange: other})
	case 7:
		return s.DeleteTopicPermission(name, vhost, other)
	case 8:
		return s.PutPolicy(&Policy{PolicyName: policy, Priority: number, Definition: value})
	case 9:
		return s.DeletePolicy(policy)
	case 10:
		return s.PutParameter(&Parameter{ParameterName{other, vhost, name}, value})
	case 11:
		return s.DeleteParameter(ParameterName{other, vhost, name})
	case 12:
		return s.PutGlobalParameter(&GlobalParameter{name, value})
	case 13:
		return s.DeleteGlobalParameter(name)
	default:
		return inhabit(s, vhost, name)
	}
	return nil
}

// inhabit puts an exchange, a queue and their binding into a virtual host.
func inhabit(s *State, vhost, name string) []Change {
	if s.Queues[Name{vhost, name}] != nil {
		return nil
	}
	id, cs := s.NextID()
	cs = append(cs, s.PutExchange(&Exchange{ID: id, VHost: vhost, Name: name, Kind: "fanout", Durable: true})...)
	id, more := s.NextID()
	cs = append(append(cs, more...), s.PutQueue(&Queue{ID: id, VHost: vhost, Name: name, Durable: true})...)
	more, _ = s.PutBinding(&Binding{VHost: vhost, Source: name, Dest: name})
	return append(cs, more...)
}

// TestDeletedWhole: nothing of a virtual host or a user is left.
func TestDeletedWhole(t *testing.T) {
	s, st := New(), store{}
	for _, v := range []string{"a", "b"} {
		st.apply(s.PutVHost(&VHost{Name: v}))
		st.apply(inhabit(s, v, "n"))
		for _, u := range []string{"u", "w"} {
			st.apply(s.PutUser(&User{Name: u}))
			st.apply(s.PutPermission(&Permission{User: u, VHost: v}))
			st.apply(s.PutTopicPermission(&TopicPermission{User: u, VHost: v, Exchange: "n"}))
		}
		st.apply(s.PutPolicy(&Policy{PolicyName: PolicyName{false, v, "p"}, Definition: json.RawMessage("{}")}))
		st.apply(s.PutPolicy(&Policy{PolicyName: PolicyName{true, v, "p"}, Definition: json.RawMessage("{}")}))
		st.apply(s.PutParameter(&Parameter{ParameterName{"c", v, "n"}, json.RawMessage("1")}))
	}
	st.apply(s.DeleteVHost("a"))
	st.apply(s.DeleteUser("u"))
	if again := append(s.DeleteVHost("a"), s.DeleteUser("u")...); len(again) != 0 {
		t.Fatal("deleted twice:", again)
	}
	same(t, s, st.load(t))
	// The limit of ids; b, w, w's two permissions, two policies, a parameter, an
	// exchange, a queue, a binding.
	if len(st) != 11 {
		t.Fatalf("%d values left: %q", len(st), st)
	}
	if len(s.Users)+len(s.VHosts)+len(s.Permissions)+len(s.TopicPermissions)+len(s.Policies)+len(s.Parameters) != 7 {
		t.Fatalf("left in memory: %+v", s)
	}
}

func TestLimitsOf(t *testing.T) {
	l := Limits{"zero": 0, "none": -1, "five": 5}
	for name, want := range map[string]int64{"zero": 0, "none": -1, "five": 5, "absent": -1} {
		n, ok := l.Of(name)
		if ok != (want >= 0) || ok && n != want {
			t.Errorf("%s: %d, %v", name, n, ok)
		}
	}
}
