package broker

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
)

func TestPolicyKeysAreSorted(t *testing.T) {
	if !slices.IsSortedFunc(policyKeys, func(x, y policyKey) int { return strings.Compare(x.name, y.name) }) {
		t.Fatal("not in the order of their names")
	}
}

// TestPolicyChecks has RabbitMQ's answers to definitions and other parts.
func TestPolicyChecks(t *testing.T) {
	n := newNode(t, func(o *Options) { o.Compatibility = "3.10" })
	body := func(definition string) string { return `{"pattern":"^a","definition":` + definition + `}` }
	const mirrors = "ha-mode must be specified to specify ha-params, ha-sync-mode or ha-promote-on-shutdown\n"
	targets := func(name string) string {
		return "apply-to '" + name + "' unrecognised; should be 'queues', 'exchanges' or 'all'\n"
	}
	cases := []struct {
		body, text string // "" is fine
	}{
		{body(`{"alternate-exchange":""}`), ""},
		{body(`{"alternate-exchange":1.5}`), "1.5 is not a valid alternate exchange name\n"},
		{body(`{"dead-letter-exchange":{}}`), "#{} is not a valid dead letter exchange name\n"},
		{body(`{"dead-letter-routing-key":[]}`), "[] is not a valid dead letter routing key\n"},
		{body(`{"dead-letter-strategy":""}`), "<<>> is not a valid dead letter strategy\n"},
		{body(`{"dead-letter-strategy":"at-least-once"}`), ""},
		{body(`{"message-ttl":0}`), ""},
		{body(`{"message-ttl":100000000000000000000}`), ""},
		{body(`{"message-ttl":-1}`), "-1 is not a valid message TTL\n"},
		{body(`{"message-ttl":1.0}`), "1.0 is not a valid message TTL\n"},
		{body(`{"expires":0}`), "0 is not a valid queue expiry\n"},
		{body(`{"max-length":"x"}`), "<<\"x\">> is not a valid maximum length\n"},
		{body(`{"max-length":null}`), "null is not a valid maximum length\n"},
		{body(`{"max-length-bytes":true}`), "true is not a valid maximum length in bytes\n"},
		{body(`{"max-in-memory-length":-1}`), "-1 is not a valid maximum memory in bytes\n"},
		{body(`{"queue-mode":"lazy"}`), ""},
		{body(`{"queue-mode":"x"}`), "<<\"x\">> is not a valid queue-mode value\n"},
		{body(`{"queue-version":3}`), "3 is not a valid queue-version value\n"},
		{body(`{"overflow":2}`), "2 is not a valid overflow value\n"},
		{body(`{"delivery-limit":-1}`), "-1 is not a valid delivery limit\n"},
		{body(`{"max-age":"1Y"}`), ""},
		{body(`{"max-age":"5"}`), "<<\"5\">> is not a valid max age\n"},
		{body(`{"max-age":"-1h"}`), "<<\"-1h\">> is not a valid max age\n"},
		{body(`{"stream-max-segment-size-bytes":"x"}`), "<<\"x\">> is not a valid segment size\n"},
		{body(`{"queue-leader-locator":"x"}`), "<<\"x\">> is not a valid queue leader locator value\n"},
		{body(`{"queue-master-locator":"x"}`), "<<\"x\">> invalid queue-master-locator value\n"},
		{body(`{"initial-cluster-size":-1}`), "-1 is not a valid cluster size\n"},
		{body(`{"ha-params":1}`), mirrors},
		{body(`{"ha-mode":5}`), "5 is not a valid ha-mode value\n"},
		{body(`{"ha-mode":"all","ha-params":1}`), "ha-mode=\"all\" does not take parameters\n"},
		{body(`{"ha-mode":"exactly"}`), "ha-mode=\"exactly\" takes an integer, none given\n"},
		{body(`{"ha-mode":"exactly","ha-params":0}`), "ha-mode=\"exactly\" takes an integer, 0 given\n"},
		{body(`{"ha-mode":"nodes","ha-params":[]}`), "ha-mode=\"nodes\" list must be non-empty\n"},
		{body(`{"ha-mode":"nodes","ha-params":"x"}`), "ha-mode=\"nodes\" takes a list, <<\"x\">> given\n"},
		{body(`{"ha-mode":"nodes","ha-params":[1]}`), "ha-mode=\"nodes\" takes a list of strings, [1] was not a string\n"},
		{body(`{"ha-mode":"nodes","ha-params":["a"],"ha-sync-mode":"manual","ha-sync-batch-size":5,"ha-promote-on-failure":"always"}`), ""},
		{body(`{"ha-mode":"all","ha-sync-mode":"x"}`), "ha-sync-mode must be \"manual\" or \"automatic\", got <<\"x\">>\n"},
		{body(`{"ha-mode":"all","ha-promote-on-shutdown":1}`), "ha-promote-on-shutdown must be \"always\" or \"when-synced\", got 1\n"},
		{body(`{"ha-mode":"all","ha-sync-batch-size":0}`), "ha-sync-batch-size takes an integer greater than 0, 0 given\n"},
		{body(`{"nosuch":1,"also":"b","max-length":1}`), "[{<<\"also\">>,<<\"b\">>},{<<\"nosuch\">>,1}] are not recognised policy settings\n"},
		{body(`{"nosuch":1,"max-length":"x"}`), "<<\"x\">> is not a valid maximum length\n"},
		{body(`{}`), "no policy provided\n"},
		{body(`[]`), "no policy provided\n"},
		{body(`[1]`), "definition must be a dictionary: [1]\n"},
		{`{"pattern":"(","definition":{"max-length":1},"priority":"h","apply-to":"b"}`, targets("b") +
			"pattern should be regular expression but is invalid: {\"missing )\",1}\npriority should be a number, actually was <<\"h\">>\n"},
		{`{"pattern":5,"definition":{"max-length":1}}`, "pattern should be a binary but was 5\n"},
		{`{"pattern":"","definition":{"max-length":1},"apply-to":"","foo":1}`, targets("")},
		{`{"pattern":"","definition":{"max-length":1},"apply-to":5}`, targets("5")},
		{`{"pattern":"","definition":{"max-length":1},"apply-to":"streams","priority":-3.5}`, ""},
	}
	for _, c := range cases {
		want := c.text
		if want != "" {
			want = "Validation failed\n\n" + want
		}
		p, err := n.ParsePolicy(meta.PolicyName{VHost: "/", Name: "p"}, json.RawMessage(c.body))
		if (err == nil) != (want == "") || err != nil && (err.Error() != want || kindOf(t, err) != Invalid) {
			t.Errorf("%s: %v", c.body, err)
		}
		if err == nil {
			if _, err := n.PutPolicy(t.Context(), p); err != nil {
				t.Errorf("%s: %v", c.body, err)
			}
		}
	}
	operator := meta.PolicyName{Operator: true, VHost: "/", Name: "p"}
	if _, err := n.ParsePolicy(operator, json.RawMessage(body(`{"max-length":1,"dead-letter-exchange":"x"}`))); err == nil ||
		!strings.Contains(err.Error(), "[{<<\"dead-letter-exchange\">>,<<\"x\">>}] are not recognised") {
		t.Error(err)
	}
	for text, want := range map[string]string{`{`: "not_json", `{}`: "[{key_missing,pattern},{key_missing,definition}]", `5`: "not_json"} {
		if _, err := n.ParsePolicy(operator, json.RawMessage(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// policy puts a policy with a definition.
func (n *node) policy(name, pattern, applyTo string, priority int64, definition string) {
	n.t.Helper()
	operator := strings.HasPrefix(name, "op")
	_, err := n.PutPolicy(n.t.Context(), meta.Policy{PolicyName: meta.PolicyName{Operator: operator, VHost: "/", Name: name},
		Pattern: pattern, ApplyTo: applyTo, Priority: priority, Definition: json.RawMessage(definition)})
	n.must(err)
}

// effective gives names and definition of what applies to a queue, or to an
// exchange whose name begins with x.
func (n *node) effective(name string) string {
	n.t.Helper()
	of := n.EffectivePolicyOfQueue
	if strings.HasPrefix(name, "x") {
		of = n.EffectivePolicyOfExchange
	}
	e, err := of("/", name)
	n.must(err)
	return e.Policy + "|" + e.Operator + "|" + string(e.Definition)
}

func TestPolicyMatches(t *testing.T) {
	n := newNode(t)
	c := n.client("guest", "/")
	for _, q := range []string{"q1", "q2", "other"} {
		n.must(c.declare(wire.QueueDeclare{Queue: q, Durable: true}))
	}
	n.must(c.declareExchange(wire.ExchangeDeclare{Exchange: "x", Type: "direct"}))
	check := func(when string, want map[string]string) {
		t.Helper()
		for name, w := range want {
			if got := n.effective(name); got != w {
				t.Errorf("%s: %s has %s, want %s", when, name, got, w)
			}
		}
	}
	n.policy("low", "^(?!other)", "queues", 0, `{"max-length":5}`)
	n.policy("high", "^q1$", "classic_queues", 7, `{"message-ttl":5}`)
	n.policy("all", "", "all", -1, `{"alternate-exchange":"y"}`)
	check("three policies", map[string]string{"q1": `high||{"message-ttl":5}`, "q2": `low||{"max-length":5}`,
		"other": `all||{"alternate-exchange":"y"}`, "x": `all||{"alternate-exchange":"y"}`})
	// Of the same priority the first by name counts, so that it is the same after a restart.
	n.policy("a", "^q1$", "queues", 7, `{"expires":60000}`)
	n.policy("op1", "^q", "queues", 0, `{"max-length":3,"expires":90000}`)
	check("and an operator's", map[string]string{"q1": `a|op1|{"expires":60000,"max-length":3}`, "q2": `low|op1|{"expires":90000,"max-length":3}`})
	n.restart()
	check("after a restart", map[string]string{"q1": `a|op1|{"expires":60000,"max-length":3}`})
	n.must(n.DeletePolicy(t.Context(), meta.PolicyName{VHost: "/", Name: "a"}))
	n.must(n.DeletePolicy(t.Context(), meta.PolicyName{Operator: true, VHost: "/", Name: "op1"}))
	check("deleted", map[string]string{"q1": `high||{"message-ttl":5}`, "q2": `low||{"max-length":5}`})
	// A key of another queue type keeps the whole policy away; exchanges take any.
	n.policy("high", "", "all", 7, `{"message-ttl":5,"delivery-limit":3}`)
	n.policy("wrong", "", "streams", 8, `{"max-length-bytes":5}`)
	check("not classic", map[string]string{"q1": `low||{"max-length":5}`, "other": `all||{"alternate-exchange":"y"}`})
	if _, err := n.EffectivePolicyOfQueue("/", "none"); kindOf(t, err) != NotFound {
		t.Error(err)
	}
	if _, err := n.EffectivePolicyOfExchange("v", "x"); kindOf(t, err) != NotFound {
		t.Error(err)
	}
}

// TestPolicyAndArgument: of numbers the lower counts, of the rest the argument.
func TestPolicyAndArgument(t *testing.T) {
	cases := []struct {
		name             string
		arguments        wire.Table
		policy, operator string
		ttl, expires     time.Duration // -1: none
		exchange, key    string
	}{
		{"nothing", nil, ``, ``, -1, 0, "-", "-"},
		{"policy alone", nil, `{"message-ttl":5,"expires":60000,"dead-letter-exchange":"x","dead-letter-routing-key":"k"}`, ``, 5, 60000, "x", "k"},
		{"lower argument", wire.Table{{Name: "x-message-ttl", Value: int32(3)}, {Name: "x-expires", Value: int32(50000)}},
			`{"message-ttl":5,"expires":60000}`, ``, 3, 50000, "-", "-"},
		{"lower policy", wire.Table{{Name: "x-message-ttl", Value: int32(9)}, {Name: "x-expires", Value: int32(70000)}},
			`{"message-ttl":5,"expires":60000}`, ``, 5, 60000, "-", "-"},
		{"zero is lower", wire.Table{{Name: "x-message-ttl", Value: int32(9)}}, `{"message-ttl":0}`, ``, 0, 0, "-", "-"},
		{"operator lower", nil, `{"message-ttl":9}`, `{"message-ttl":5,"expires":60000}`, 5, 60000, "-", "-"},
		{"operator higher", nil, `{"message-ttl":5}`, `{"message-ttl":9}`, 5, 0, "-", "-"},
		{"argument's texts", wire.Table{{Name: "x-dead-letter-exchange", Value: ""}},
			`{"dead-letter-exchange":"x","dead-letter-routing-key":"k"}`, ``, -1, 0, "", "k"},
		{"beyond ten years", nil, `{"message-ttl":999999999999999999}`, ``, 315360000000, 0, "-", "-"},
	}
	text := func(s *string) string {
		if s == nil {
			return "-"
		}
		return *s
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t)
			s := n.client("guest", "/")
			n.must(s.declare(wire.QueueDeclare{Queue: "before", Durable: true, Arguments: c.arguments}))
			if c.policy != "" {
				n.policy("p", "", "", 0, c.policy)
			}
			if c.operator != "" {
				n.policy("op", "", "", 0, c.operator)
			}
			n.must(s.declare(wire.QueueDeclare{Queue: "after", Durable: true, Arguments: c.arguments}))
			check := func(queue string) {
				t.Helper()
				set := n.vhosts["/"].queues[queue].Settings()
				if !set.HasTTL {
					set.TTL = -time.Millisecond
				}
				if set.TTL != c.ttl*time.Millisecond || set.Expires != c.expires*time.Millisecond ||
					text(set.DeadLetterExchange) != c.exchange || text(set.DeadLetterRoutingKey) != c.key {
					t.Errorf("%s: %+v %s %s", queue, set, text(set.DeadLetterExchange), text(set.DeadLetterRoutingKey))
				}
			}
			check("before")
			check("after")
			n.restart()
			check("before")
			for _, operator := range []bool{false, true} {
				for _, p := range n.Policies(operator) {
					n.must(n.DeletePolicy(t.Context(), p.PolicyName))
				}
			}
			q := n.vhosts["/"].queues["after"]
			if q.Settings() != q.Options().Arguments.Settings {
				t.Error("a policy that is gone still holds:", q.Settings())
			}
		})
	}
}

// Other policies that change leave a queue as it is: its lease is not begun
// anew.
func TestPolicyLeavesOthers(t *testing.T) {
	n := newNode(t)
	c := n.client("guest", "/")
	n.must(c.declare(wire.QueueDeclare{Queue: "q"}))
	n.must(c.declare(wire.QueueDeclare{Queue: "r"}))
	n.policy("p", "", "queues", 0, `{"message-ttl":5}`)
	v := n.vhosts["/"]
	before := v.queues["q"].applied
	if before == nil || before != v.queues["r"].applied {
		t.Fatal("not shared")
	}
	n.policy("other", "^r", "queues", 1, `{"message-ttl":6}`)
	if v.queues["q"].applied != before || v.queues["r"].applied == before {
		t.Fatal("the wrong queue changed")
	}
	n.policy("p", "", "queues", 0, `{"message-ttl":7}`)
	if v.queues["q"].applied == before || len(v.policies.applied) != 2 {
		t.Fatal("a changed policy did not arrive, or the old one is kept", v.policies.applied)
	}
}

func TestPolicyAlternateExchange(t *testing.T) {
	n := newNode(t)
	c := n.client("guest", "/")
	for _, x := range []string{"ae", "ae2"} {
		n.must(c.declareExchange(wire.ExchangeDeclare{Exchange: x, Type: "fanout"}))
		n.must(c.declare(wire.QueueDeclare{Queue: x}))
		n.must(c.bind(x, x, ""))
	}
	n.must(c.declareExchange(wire.ExchangeDeclare{Exchange: "x", Type: "direct"}))
	n.must(c.declareExchange(wire.ExchangeDeclare{Exchange: "x2", Type: "direct", Arguments: wire.Table{{Name: "alternate-exchange", Value: "ae2"}}}))
	p := c.NewPublisher(1, nil)
	counts := func() [2]int {
		a, _, _ := n.vhosts["/"].queues["ae"].Counts()
		b, _, _ := n.vhosts["/"].queues["ae2"].Counts()
		return [2]int{a, b}
	}
	for _, step := range []struct {
		do   func()
		want [2]int
	}{
		{func() {}, [2]int{0, 1}},
		{func() { n.policy("p", "^x", "exchanges", 0, `{"alternate-exchange":"ae"}`) }, [2]int{1, 2}},
		{func() { n.must(n.DeletePolicy(t.Context(), meta.PolicyName{VHost: "/", Name: "p"})) }, [2]int{1, 3}},
	} {
		step.do()
		n.must(publishTo(p, "x", "k"))
		n.must(publishTo(p, "x2", "k"))
		if got := counts(); got != step.want {
			t.Fatalf("%v, want %v", got, step.want)
		}
	}
}
