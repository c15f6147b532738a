package broker

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/exchange"
)

func TestVHosts(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	quorum, yes := "quorum", true
	created, err := n.PutVHost(ctx, VHostOptions{Name: "v", Description: "d", Tags: []string{"a", "b"}, DefaultQueueType: &quorum, Tracing: &yes})
	if !created || err != nil {
		t.Fatal(created, err)
	}
	n.must(n.SetVHostLimits(ctx, "v", json.RawMessage(`{"max-queues": 3}`)))
	// RabbitMQ: description and tags go when they are not given, the rest stays.
	created, err = n.PutVHost(ctx, VHostOptions{Name: "v"})
	if created || err != nil {
		t.Fatal(created, err)
	}
	if v, err := n.VHost("v"); err != nil || !v.Tracing {
		t.Fatal(v, err)
	}
	n.restart() // RabbitMQ: tracing is off after a start
	got, err := n.VHost("v")
	n.must(err)
	if got.Description != "" || got.Tags != nil || got.DefaultQueueType != "quorum" || got.Tracing || got.Limits["max-queues"] != 3 {
		t.Fatalf("%+v", got)
	}
	all := n.VHosts()
	if len(all) != 2 || all[0].Name != "/" || all[0].Description != "Default virtual host" || all[1].Name != "v" {
		t.Fatalf("%+v", all)
	}
	bad := "lazy"
	if _, err := n.PutVHost(ctx, VHostOptions{Name: "w", DefaultQueueType: &bad}); kindOf(t, err) != Invalid {
		t.Fatal(err)
	}
	if _, err := n.VHost("w"); kindOf(t, err) != NotFound {
		t.Fatal(err)
	}
}

func TestProtectVHost(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	n.vhost("v")
	c := n.client("guest", "/")
	for _, v := range []string{"/", "v"} {
		n.must(n.ProtectVHost(ctx, v, true))
	}
	n.restart()
	err := n.DeleteVHost(ctx, "v")
	if kindOf(t, err) != Refused || err.Error() != "Refusing to delete virtual host 'v' because it is protected from deletion" {
		t.Fatal(err)
	}
	c.closedWith("")
	n.must(n.ProtectVHost(ctx, "v", false))
	n.must(n.DeleteVHost(ctx, "v"))
	if kindOf(t, n.ProtectVHost(ctx, "v", true)) != NotFound {
		t.Fatal("protects what is not there")
	}
}

func TestDeleteVHost(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	n.vhost("v")
	n.user("u", "v", "/")
	c, other := n.client("u", "v"), n.client("u", "/")
	n.must(c.declare(wire.QueueDeclare{Queue: "q", Durable: true}))
	n.must(c.declare(wire.QueueDeclare{Queue: "mine", Exclusive: true}))
	n.must(c.declareExchange(wire.ExchangeDeclare{Exchange: "x", Type: "topic", Durable: true}))
	n.must(c.bind("q", "x", "#"))
	q, err := c.Queue("q", Read)
	n.must(err)
	_, err = n.PutPolicy(ctx, meta.Policy{PolicyName: meta.PolicyName{VHost: "v", Name: "p"}, Pattern: "^q", Definition: json.RawMessage(`{"expires":5}`)})
	n.must(err)
	n.must(n.DeleteVHost(ctx, "v"))
	c.closedWith("CONNECTION_FORCED - vhost 'v' is deleted")
	other.closedWith("")
	if !q.Deleted() {
		t.Error("its queue lives")
	}
	// What the connection still does, while it is closing, does no harm.
	refused(t, c.declare(wire.QueueDeclare{Queue: "late"}), wire.ConnectionForced, "vhost 'v' is deleted")
	p := c.NewPublisher(1, nil)
	refused(t, p.Check([]byte("x")), wire.NotFound, "no exchange 'x' in vhost 'v'")
	c.Close()
	if kindOf(t, n.DeleteVHost(ctx, "v")) != NotFound {
		t.Error("deleted twice")
	}
	_, err = n.dial("u", "v")
	refused(t, err, wire.NotAllowed, "vhost v not found")
	n.restart()
	if len(n.VHosts()) != 1 || len(n.Policies(false)) != 0 || len(n.Permissions()) != 2 {
		t.Fatal("left over:", n.VHosts(), n.Policies(false), n.Permissions())
	}
	n.vhost("v") // as new
}

// A publish that has passed its check meets a virtual host that is gone.
func TestPublishIntoDeletedVHost(t *testing.T) {
	n := newNode(t)
	n.vhost("v")
	n.user("u", "v")
	c := n.client("u", "v")
	n.must(c.declare(wire.QueueDeclare{Queue: "q"}))
	p := c.NewPublisher(1, nil)
	n.must(p.Check(nil))
	x := p.x
	n.must(n.DeleteVHost(t.Context(), "v"))
	var f finder
	f.reset(n.Broker)
	n.mu.RLock()
	f.route(x, routed{Message: exchange.Message{Key: []byte("q")}}, nil)
	n.mu.RUnlock()
	if len(f.queues) != 0 {
		t.Fatal("routed to", f.queues)
	}
}

func TestUsers(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	text := func(s string) *string { return &s }
	salt := [4]byte{1, 2, 3, 4}
	cases := []struct {
		name     string
		options  UserOptions
		password string // that logs in; "" none
		fails    string
	}{
		{"plain", UserOptions{Password: text("p")}, "p", ""},
		{"plain, whatever the algorithm", UserOptions{Password: text("p"), Algorithm: meta.MD5}, "p", ""},
		{"hash", UserOptions{PasswordHash: text(meta.HashPassword(meta.SHA256, salt, "h"))}, "h", ""},
		{"sha512", UserOptions{PasswordHash: text(meta.HashPassword(meta.SHA512, salt, "h")), Algorithm: meta.SHA512}, "h", ""},
		{"md5", UserOptions{PasswordHash: text(meta.HashPassword(meta.MD5, salt, "h")), Algorithm: meta.MD5}, "h", ""},
		{"unknown algorithm", UserOptions{PasswordHash: text("AAAA"), Algorithm: "nope"}, "", ""},
		{"no password", UserOptions{}, "", ""},
		{"blank password", UserOptions{Password: text("")}, "", ""},
		{"no base64", UserOptions{PasswordHash: text("not base64!")}, "", "password hash 'not base64!' is not base64"},
		{"both", UserOptions{Password: text("p"), PasswordHash: text("")}, "", "both_password_and_password_hash_are_provided"},
		{"bad limits", UserOptions{Limits: json.RawMessage(`{"max-foo":3}`)}, "", `Unrecognised terms [{<<"max-foo">>,3}] in user-limits`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.options.Name = "u"
			_, err := n.PutUser(ctx, c.options)
			if c.fails != "" {
				if kindOf(t, err) != Invalid || err.Error() != c.fails {
					t.Fatal(err)
				}
				return
			}
			n.must(err)
			n.restart()
			if _, err := n.Authenticate("u", "", true); err == nil {
				t.Error("a blank password logs in")
			}
			if _, err := n.Authenticate("u", c.password, true); (err == nil) != (c.password != "") {
				t.Error(err)
			}
		})
	}
}

func TestChangeUser(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	n.user("u", "/")
	if err := n.AddUser(ctx, UserOptions{Name: "u"}); kindOf(t, err) != Exists || err.Error() != `User "u" already exists` {
		t.Fatal(err)
	}
	n.must(n.AddUser(ctx, UserOptions{Name: "v"}))
	n.must(n.SetPassword(ctx, "u", "other"))
	n.must(n.SetUserTags(ctx, "u", []string{"monitoring"}))
	n.must(n.SetUserLimits(ctx, "u", json.RawMessage(`{"max-channels":5,"max-connections":-1}`)))
	n.must(n.SetUserLimit(ctx, "u", "max-connections", json.RawMessage(`2`)))
	n.must(n.ClearUserLimit(ctx, "u", "max-channels"))
	n.restart()
	login, err := n.Authenticate("u", "other", true)
	n.must(err)
	if got, err := n.User("u"); err != nil || !login.Has("monitoring") || !maps.Equal(got.Limits, meta.Limits{"max-connections": 2}) {
		t.Fatalf("%+v %v", got, err)
	}
	n.must(n.ClearUserLimit(ctx, "u", ""))
	n.must(n.ClearPassword(ctx, "u"))
	if _, err := n.Authenticate("u", "other", true); err == nil {
		t.Error("a cleared password logs in")
	}
	if got, _ := n.User("u"); got.Limits != nil || len(n.Users()) != 3 {
		t.Fatalf("%+v of %+v", got, n.Users())
	}
	for name, err := range map[string]error{
		"password": n.SetPassword(ctx, "w", "p"), "clear": n.ClearPassword(ctx, "w"), "tags": n.SetUserTags(ctx, "w", nil),
		"limit": n.SetUserLimit(ctx, "w", "max-channels", json.RawMessage("1")), "clear limit": n.ClearUserLimit(ctx, "w", ""),
		"delete": n.DeleteUser(ctx, "w"),
	} {
		if kindOf(t, err) != NotFound || err.Error() != `User "w" does not exist` || err.(*Error).Code != "no_such_user" || err.(*Error).Subject != "w" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeleteUser(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	n.user("u", "/")
	n.user("v", "/")
	_, err := n.PutTopicPermission(ctx, meta.TopicPermission{User: "u", VHost: "/", Exchange: "amq.topic"})
	n.must(err)
	u, v := n.client("u", "/"), n.client("v", "/")
	if err := n.DeleteUsers(ctx, []string{"u", "none", "v"}); kindOf(t, err) != NotFound || err.(*Error).Subject != "none" {
		t.Fatal(err)
	}
	u.closedWith("CONNECTION_FORCED - user 'u' is deleted")
	v.closedWith("")
	n.restart()
	if len(n.Users()) != 2 || len(n.Permissions()) != 2 || len(n.TopicPermissions()) != 0 {
		t.Fatal("left over:", n.Users(), n.Permissions(), n.TopicPermissions())
	}
}

func TestPermissions(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	n.user("u")
	put := func(p meta.Permission) (bool, error) { return n.PutPermission(ctx, p) }
	topic := func(p meta.TopicPermission) (bool, error) { return n.PutTopicPermission(ctx, p) }
	if created, err := put(meta.Permission{User: "u", VHost: "/", Read: "^a"}); !created || err != nil {
		t.Fatal(created, err)
	}
	if created, err := put(meta.Permission{User: "u", VHost: "/", Read: "^b"}); created || err != nil {
		t.Fatal(created, err)
	}
	for _, x := range []string{"x", "y", "z"} {
		if created, err := topic(meta.TopicPermission{User: "u", VHost: "/", Exchange: x, Read: "^b"}); !created || err != nil {
			t.Fatal(created, err)
		}
	}
	y := "y"
	n.must(n.DeleteTopicPermissions(ctx, "/", "u", &y))
	n.restart()
	if p, err := n.Permission("/", "u"); err != nil || p.Read != "^b" {
		t.Fatal(p, err)
	}
	if ps := n.TopicPermissions(); len(ps) != 2 || ps[0].Exchange != "x" || ps[1].Exchange != "z" {
		t.Fatal(ps)
	}
	n.must(n.DeletePermission(ctx, "/", "u"))
	n.must(n.DeleteTopicPermissions(ctx, "/", "u", nil))
	_, errVHost := put(meta.Permission{User: "u", VHost: "v"})
	_, errUser := topic(meta.TopicPermission{User: "w", VHost: "/"})
	_, errRegexp := put(meta.Permission{User: "u", VHost: "/", Write: "("})
	_, errTopicRegexp := topic(meta.TopicPermission{User: "u", VHost: "/", Read: "("})
	_, errGone := n.Permission("/", "u")
	for _, c := range []struct {
		err  error
		kind Kind
		code string
	}{
		{errVHost, NotFound, "no_such_vhost"}, {errUser, NotFound, "no_such_user"}, {errGone, NotFound, "not_found"},
		{errRegexp, Invalid, "invalid_regexp"}, {errTopicRegexp, Invalid, "invalid_regexp"},
		{n.DeletePermission(ctx, "/", "u"), NotFound, "not_found"}, {n.DeleteTopicPermissions(ctx, "/", "u", nil), NotFound, "not_found"},
	} {
		if kindOf(t, c.err) != c.kind || c.err.(*Error).Code != c.code {
			t.Errorf("%v is not %d %s", c.err, c.kind, c.code)
		}
	}
}

// TestNamesAreChecked: what cannot be a key of the store is refused.
func TestNamesAreChecked(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	for _, name := range []string{"", strings.Repeat("x", 256), strings.Repeat("x", 70000)} {
		_, vhost := n.PutVHost(ctx, VHostOptions{Name: name})
		_, user := n.PutUser(ctx, UserOptions{Name: name})
		_, policy := n.PutPolicy(ctx, meta.Policy{PolicyName: meta.PolicyName{VHost: "/", Name: name}, Definition: json.RawMessage(`{"expires":5}`)})
		_, parameter := n.PutParameter(ctx, meta.Parameter{ParameterName: meta.ParameterName{Component: "shovel", VHost: "/", Name: name}, Value: json.RawMessage("1")})
		_, global := n.PutGlobalParameter(ctx, meta.GlobalParameter{Name: name, Value: json.RawMessage("1")})
		for what, err := range map[string]error{"vhost": vhost, "user": user, "policy": policy, "parameter": parameter, "global": global} {
			if kindOf(t, err) != Invalid {
				t.Errorf("%s of %d octets: %v", what, len(name), err)
			}
		}
	}
	if _, err := n.PutTopicPermission(ctx, meta.TopicPermission{User: "guest", VHost: "/", Exchange: strings.Repeat("x", 256)}); kindOf(t, err) != Invalid {
		t.Error(err)
	}
	if _, err := n.PutTopicPermission(ctx, meta.TopicPermission{User: "guest", VHost: "/", Exchange: ""}); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{`{`, `null`, `[]`, `"x"`} {
		if _, err := n.PutPolicy(ctx, meta.Policy{PolicyName: meta.PolicyName{VHost: "/", Name: "p"}, Definition: json.RawMessage(bad)}); kindOf(t, err) != Invalid {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestLimitsAreChecked(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	cases := []struct {
		name, vhost, value, text string
		kind                     Kind
	}{
		{"max-queues", "/", `2`, "", 0},
		{"max-connections", "/", `-1`, "", 0},
		{"max-queues", "/", `1.5`, "", 0},
		{"max-queues", "/", `1e30`, "", 0},
		{"max-queues", "/", `"x"`, "Validation failed\n\nmax-queues should be a number, actually was <<\"x\">>\n", Invalid},
		{"max-queues", "/", `{`, "Validation failed\n\nmax-queues should be a number, actually was {\n", Invalid},
		{"max-queues", "/", `[1,null,{"a":true}]`, "Validation failed\n\nmax-queues should be a number, actually was [1,null,#{<<\"a\">> => true}]\n", Invalid},
		{"nosuch", "/", `1`, "Validation failed\n\nUnrecognised terms [{<<\"nosuch\">>,1}] in limits\n", Invalid},
		{"max-queues", "v", `1`, "Virtual host 'v' does not exist", NotFound},
	}
	for _, c := range cases {
		err := n.SetVHostLimit(ctx, c.vhost, c.name, json.RawMessage(c.value))
		if kindOf(t, err) != c.kind || err != nil && err.Error() != c.text {
			t.Errorf("%s %s: %v", c.name, c.value, err)
		}
	}
	if v, _ := n.VHost("/"); !maps.Equal(v.Limits, meta.Limits{"max-queues": 1 << 53, "max-connections": -1}) {
		t.Error(v.Limits)
	}
	n.must(n.ClearVHostLimit(ctx, "/", "max-queues"))
	n.must(n.ClearVHostLimit(ctx, "/", "max-queues"))
	n.must(n.ClearVHostLimit(ctx, "/", ""))
	if v, _ := n.VHost("/"); v.Limits != nil {
		t.Error(v.Limits)
	}
}

func TestParameters(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	shovel := meta.ParameterName{Component: "shovel", VHost: "/", Name: "s"}
	limits := meta.ParameterName{Component: "vhost-limits", VHost: "/", Name: "limits"}
	put := func(name meta.ParameterName, value string) (bool, error) {
		return n.PutParameter(ctx, meta.Parameter{ParameterName: name, Value: json.RawMessage(value)})
	}
	if created, err := put(shovel, `{ "b": 1, "a": "<" }`); !created || err != nil {
		t.Fatal(created, err)
	}
	if created, err := put(shovel, `{ "b": 12345678901234567890, "a": "<" }`); created || err != nil {
		t.Fatal(created, err)
	}
	if _, err := put(limits, `{"max-queues":5}`); err != nil {
		t.Fatal(err)
	}
	_, err := n.PutPolicy(ctx, meta.Policy{PolicyName: meta.PolicyName{Operator: true, VHost: "/", Name: "o"}, Pattern: "^", Definition: json.RawMessage(`{"expires":5}`)})
	n.must(err)
	n.restart()
	got := map[string]string{}
	for _, p := range n.Parameters() {
		got[p.Component] = string(p.Value)
	}
	want := map[string]string{"shovel": `{"a":"<","b":12345678901234567890}`, "vhost-limits": `{"max-queues":5}`,
		"operator_policy": `{"pattern":"^","definition":{"expires":5},"priority":0,"apply-to":"all"}`}
	if !maps.Equal(got, want) {
		t.Fatal(got)
	}
	if p, err := n.Parameter(limits); err != nil || string(p.Value) != `{"max-queues":5}` {
		t.Fatal(p, err)
	}
	n.must(n.DeleteParameter(ctx, shovel))
	n.must(n.DeleteParameter(ctx, limits))
	if len(n.Parameters()) != 1 {
		t.Fatal(n.Parameters())
	}
	for _, c := range []struct {
		name  meta.ParameterName
		value string
		kind  Kind
		text  string
	}{
		{meta.ParameterName{Component: "nosuch", VHost: "/", Name: "a"}, `1`, Invalid, "Validation failed\n\ncomponent nosuch not found\n"},
		{meta.ParameterName{Component: "shovel", VHost: "v", Name: "a"}, `1`, NotFound, "Virtual host 'v' does not exist"},
		{meta.ParameterName{Component: "policy", VHost: "/", Name: "a"}, `1`, Refused, "policies may not be set using this method"},
		{meta.ParameterName{Component: "shovel", VHost: "/", Name: "a"}, `{`, Invalid, "value is not valid JSON"},
	} {
		if _, err := put(c.name, c.value); kindOf(t, err) != c.kind || err.Error() != c.text {
			t.Errorf("%+v: %v", c.name, err)
		}
	}
	if kindOf(t, n.DeleteParameter(ctx, shovel)) != NotFound || kindOf(t, n.DeleteParameter(ctx, meta.ParameterName{Component: "policy"})) != Refused {
		t.Error("deleted what is not there")
	}
}

func TestGlobalParameters(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	for i, value := range []string{`{"a": [1, "x", null]}`, `"s"`} {
		if created, err := n.PutGlobalParameter(ctx, meta.GlobalParameter{Name: "g", Value: json.RawMessage(value)}); created != (i == 0) || err != nil {
			t.Fatal(created, err)
		}
	}
	if _, err := n.PutGlobalParameter(ctx, meta.GlobalParameter{Name: "g", Value: json.RawMessage(`1 2`)}); kindOf(t, err) != Invalid {
		t.Fatal(err)
	}
	n.restart()
	if p, err := n.GlobalParameter("g"); err != nil || string(p.Value) != `"s"` || len(n.GlobalParameters()) != 2 {
		t.Fatal(p, err)
	}
	n.must(n.DeleteGlobalParameter(ctx, "g"))
	if _, err := n.GlobalParameter("g"); kindOf(t, err) != NotFound || kindOf(t, n.DeleteGlobalParameter(ctx, "g")) != NotFound {
		t.Fatal("still there")
	}
}

func TestPolicyNames(t *testing.T) {
	n, ctx := newNode(t), t.Context()
	for _, operator := range []bool{false, true} {
		name := meta.PolicyName{Operator: operator, VHost: "/", Name: "p"}
		created, err := n.PutPolicy(ctx, meta.Policy{PolicyName: name, Pattern: "^a", Definition: json.RawMessage(`{"expires":5}`)})
		if !created || err != nil {
			t.Fatal(created, err)
		}
		n.restart()
		if p, err := n.Policy(name); err != nil || p.ApplyTo != "all" || string(p.Definition) != `{"expires":5}` {
			t.Fatal(p, err)
		}
	}
	if len(n.Policies(false)) != 1 || len(n.Policies(true)) != 1 {
		t.Fatal(n.Policies(false), n.Policies(true))
	}
	name := meta.PolicyName{VHost: "/", Name: "p"}
	n.must(n.DeletePolicy(ctx, name))
	if kindOf(t, n.DeletePolicy(ctx, name)) != NotFound || len(n.Policies(true)) != 1 {
		t.Fatal("the wrong one went")
	}
	if _, err := n.PutPolicy(ctx, meta.Policy{PolicyName: meta.PolicyName{VHost: "v", Name: "p"}}); kindOf(t, err) != NotFound {
		t.Fatal(err)
	}
}

// An operator who goes away leaves a change that is made.
func TestAdministerEnds(t *testing.T) {
	n := newNode(t)
	n.commits.close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n.commits = &committer{meta: n.store, wake: make(chan struct{}, 1)} // stores nothing
	if _, err := n.PutVHost(ctx, VHostOptions{Name: "v"}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := n.VHost("v"); err != nil {
		t.Fatal(err)
	}
}
