package broker

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
)

func exported(t *testing.T, d Definitions) string {
	t.Helper()
	text, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (n *node) importFile(path string) ImportReport {
	n.t.Helper()
	text, err := os.ReadFile(path)
	n.must(err)
	r, err := n.Import(n.t.Context(), text)
	n.must(err)
	return r
}

func TestImport(t *testing.T) {
	n := newNode(t)
	r := n.importFile("testdata/definitions.json")
	want := map[string]int{"users": 2, "vhosts": 3, "permissions": 1, "topic_permissions": 1, "parameters": 4, "global_parameters": 2,
		"policies": 2, "queues": 2, "exchanges": 2, "bindings": 5}
	if !maps.Equal(r.Imported, want) {
		t.Errorf("imported %v", r.Imported)
	}
	var warned []string
	for _, w := range r.Warnings {
		warned = append(warned, w.Section+" "+w.VHost+" "+w.Name+": "+w.Text)
	}
	if !slices.Equal(warned, []string{
		"parameters shop origin: component federation-upstream is kept and does nothing",
		`policies shop shards: [{<<"shards-per-node">>,2}] are not recognised policy settings: they are kept and do nothing`,
		"exchanges shop hashed: exchange type x-unheard-of is not known: it is kept and routes nothing",
		"bindings shop cart -> gone: an end of the binding is not there",
	}) {
		t.Errorf("warned of %s", strings.Join(warned, "\n"))
	}
	if len(n.LastImport().Warnings) != 4 {
		t.Error("the report is not kept")
	}
	before := exported(t, n.Export())
	n.restart()
	if after := exported(t, n.Export()); after != before {
		t.Fatalf("after a restart\n%s\nbefore\n%s", after, before)
	}
	n.checkImported(t)
}

// checkImported looks at what the file above means.
func (n *node) checkImported(t *testing.T) {
	t.Helper()
	if v, err := n.VHost("shop"); err != nil || v.Description != "online shop" || !maps.Equal(v.Limits, meta.Limits{"max-queues": 50, "max-connections": 100}) {
		t.Errorf("%+v %v", v, err)
	}
	if v, err := n.VHost("/"); err != nil || v.Description != "Default virtual host" {
		t.Errorf("what is not spoken of is changed: %+v %v", v, err)
	}
	if v, err := n.VHost("new"); err != nil || !slices.Equal(v.Tags, []string{"a", "b"}) || v.DefaultQueueType != "classic" {
		t.Errorf("%+v %v", v, err)
	}
	if n.ClusterName() != "rabbit@host" {
		t.Error(n.ClusterName())
	}
	c := n.client("plain", "shop")
	if !c.opt.User.Has("management") || !c.opt.User.Has("monitoring") {
		t.Error("tags are missing")
	}
	if e, err := n.EffectivePolicyOfQueue("shop", "cart.log"); err != nil || e.Policy != "ttl" || e.Operator != "cap" || string(e.Definition) != `{"max-length":5,"message-ttl":60000}` {
		t.Errorf("%+v %s %v", e, e.Definition, err)
	}
	// Types are those that RabbitMQ gives; an AMQP client may declare it again.
	q := n.vhosts["shop"].queues["cart.log"]
	args, _ := q.def.Arguments.Get("list")
	big, _ := q.def.Arguments.Get("big")
	if a := args.(wire.Array); a[0] != int64(1) || a[2] != 3.5 || a[3] != true || big != int64(9007199254740993) {
		t.Errorf("%v %v", args, big)
	}
	n.must(c.declare(wire.QueueDeclare{Queue: "cart.log", Durable: true, Arguments: wire.Table{{Name: "x-expires", Value: int32(3600000)}}}))
	p := c.NewPublisher(1, nil)
	n.must(publishTo(p, "cart", "cart.x"))
	if ready, _, _ := q.Counts(); ready != 1 {
		t.Error("not routed:", ready)
	}
	g := n.client("guest", "/")
	n.must(g.declareExchange(wire.ExchangeDeclare{Exchange: "x", Type: "direct"}))
}

// An exchange of a type that nobody knows refuses messages instead of losing
// them.
func TestInertExchange(t *testing.T) {
	n := newNode(t)
	_, err := n.Import(t.Context(), json.RawMessage(`{"exchanges":[{"name":"x","vhost":"/","type":"x-foo","durable":true}],
		"queues":[{"name":"q","vhost":"/","durable":true}],"bindings":[{"source":"x","vhost":"/","destination":"q","destination_type":"queue","routing_key":""}]}`))
	n.must(err)
	n.restart()
	c := n.client("guest", "/")
	refused(t, publishTo(c.NewPublisher(1, nil), "x", ""), wire.PreconditionFailed, "exchange 'x' in vhost '/' is of type 'x-foo', which is not supported")
	n.must(c.bind("q", "x", "k"))
}

// What is exported is imported to the same, whole and by virtual host.
func TestExportRoundTrip(t *testing.T) {
	n, other := newNode(t), newNode(t)
	n.importFile("testdata/definitions.json")
	c := n.client("guest", "/")
	n.must(c.declare(wire.QueueDeclare{Queue: "mine", Exclusive: true}))
	n.must(c.declare(wire.QueueDeclare{Queue: "transient"}))
	n.must(c.bind("mine", "amq.direct", "k"))
	n.must(c.bind("transient", "amq.direct", "k"))
	whole := exported(t, n.Export())
	if strings.Contains(whole, `"mine"`) || strings.Contains(whole, `"amq.topic"`) || !strings.Contains(whole, `"transient"`) {
		t.Fatal(whole)
	}
	r, err := other.Import(t.Context(), json.RawMessage(whole))
	other.must(err)
	if got := exported(t, other.Export()); got != whole {
		t.Fatalf("got\n%s\nwant\n%s", got, whole)
	}
	if len(r.Warnings) != 3 {
		t.Error(r.Warnings)
	}
	one, err := n.ExportVHost("shop")
	n.must(err)
	text := exported(t, one)
	for _, absent := range []string{`"users"`, `"vhosts"`, `"permissions"`, `"topic_permissions"`, `"global_parameters"`, `"product_name"`} {
		if strings.Contains(text, absent) {
			t.Errorf("has %s", absent)
		}
	}
	third := newNode(t)
	third.vhost("copy")
	if _, err := third.ImportVHost(t.Context(), "copy", json.RawMessage(text)); err != nil {
		t.Fatal(err)
	}
	copied, err := third.ExportVHost("copy")
	third.must(err)
	if got := strings.ReplaceAll(exported(t, copied), `"copy"`, `"shop"`); got != text {
		t.Fatalf("got\n%s\nwant\n%s", got, text)
	}
	if _, err := n.ExportVHost("none"); kindOf(t, err) != NotFound {
		t.Error(err)
	}
	if _, err := n.ImportVHost(t.Context(), "none", json.RawMessage(`{}`)); kindOf(t, err) != NotFound {
		t.Error(err)
	}
}

// Importing twice changes nothing; queues and exchanges that differ stay.
func TestImportAgain(t *testing.T) {
	n := newNode(t)
	n.importFile("testdata/definitions.json")
	c := n.client("plain", "shop")
	before := n.vhosts["shop"].queues["cart.log"]
	n.importFile("testdata/definitions.json")
	c.closedWith("")
	if n.vhosts["shop"].queues["cart.log"] != before {
		t.Fatal("another queue")
	}
	r, err := n.Import(t.Context(), json.RawMessage(`{"queues":[{"name":"cart.log","vhost":"shop","durable":false}],
		"exchanges":[{"name":"cart","vhost":"shop","type":"fanout","durable":true},{"name":"","vhost":"shop","type":"direct"}]}`))
	n.must(err)
	if len(r.Warnings) != 2 || !strings.Contains(r.Warnings[1].Text, "inequivalent arg 'durable'") {
		t.Fatal(r.Warnings)
	}
}

// A definition that is wrong leaves all as it was.
func TestImportIsAllOrNothing(t *testing.T) {
	n := newNode(t, func(o *Options) { o.Limits.VHosts = 3 })
	n.vhost("v")
	n.user("u")
	n.limit("", "v", "max-queues", 1)
	before := exported(t, n.Export())
	const fine = `"vhosts":[{"name":"w"}],"users":[{"name":"x","password":"p","tags":""}]`
	cases := map[string]struct {
		text, want string
		code       string
	}{
		"no JSON":            {`{`, "failed_to_parse_json", ""},
		"not a list":         {`{` + fine + `,"queues":5}`, "queues must be a list", ""},
		"not an object":      {`{` + fine + `,"queues":[5]}`, "queues: not an object", ""},
		"no name":            {`{` + fine + `,"queues":[{"vhost":"v"}]}`, "[{key_missing,name}]", ""},
		"a wrong type":       {`{` + fine + `,"queues":[{"name":5,"vhost":"v"}]}`, "queues: cannot unmarshal number", ""},
		"an empty one":       {`{` + fine + `,"queues":[{"name":"q"}]}`, "Virtual host '' does not exist", "no_such_vhost"},
		"an empty user":      {`{` + fine + `,"permissions":[{"user":"","vhost":"w","configure":"","write":"","read":""}]}`, "User \"\" does not exist", "no_such_user"},
		"no virtual host":    {`{` + fine + `,"queues":[{"name":"q","vhost":"nope"}]}`, "Virtual host 'nope' does not exist", "no_such_vhost"},
		"a bad argument":     {`{` + fine + `,"queues":[{"name":"q","vhost":"w","arguments":{"x-expires":0}}]}`, "invalid arg 'x-expires' for queue 'q' in vhost 'w': {value_zero,0}", ""},
		"null":               {`{` + fine + `,"queues":[{"name":"q","vhost":"w","arguments":{"a":[null]}}]}`, "null_not_allowed", ""},
		"arguments of text":  {`{` + fine + `,"exchanges":[{"name":"q","vhost":"w","type":"direct","arguments":"x"}]}`, "arguments must be an object", ""},
		"too many queues":    {`{` + fine + `,"queues":[{"name":"q","vhost":"v"},{"name":"r","vhost":"v"}]}`, "Adding 2 queue(s) to virtual host \"v\" would exceed the limit of 1 queue(s).\n\nThis virtual host currently has 0 queue(s) defined.\n\nImport aborted!", "vhost_limit_exceeded"},
		"too many hosts":     {`{` + fine + `,"vhosts":[{"name":"1"},{"name":"2"}]}`, "cannot create vhost '2': vhost limit of 3 is reached", ""},
		"no tags":            {`{` + fine + `,"users":[{"name":"y"}]}`, "tags_not_present", "tags_not_present"},
		"no such user":       {`{` + fine + `,"permissions":[{"user":"y","vhost":"w","configure":"","write":"","read":""}]}`, "User \"y\" does not exist", "no_such_user"},
		"a bad expression":   {`{` + fine + `,"topic_permissions":[{"user":"x","vhost":"w","exchange":"","write":"(","read":""}]}`, "invalid regular expression '('", "invalid_regexp"},
		"keys missing":       {`{` + fine + `,"permissions":[{"user":"x","vhost":"w","configure":""}]}`, "[{key_missing,write},{key_missing,read}]", ""},
		"a bad policy":       {`{` + fine + `,"policies":[{"vhost":"w","name":"p","pattern":"^a","definition":{"max-length":"x"}}]}`, "Validation failed\n\n<<\"x\">> is not a valid maximum length\n (w/p)", ""},
		"an operator policy": {`{` + fine + `,"parameters":[{"vhost":"w","component":"operator_policy","name":"p","value":{"pattern":"(","definition":{"expires":1}}}]}`, "Validation failed\n\npattern should be regular expression but is invalid: {\"missing )\",1}\n (w/operator_policy/p)", ""},
		"a bad limit":        {`{` + fine + `,"parameters":[{"vhost":"w","component":"vhost-limits","name":"limits","value":{"a":1}}]}`, "Validation failed\n\nUnrecognised terms [{<<\"a\">>,1}] in limits\n (w/vhost-limits/limits)", ""},
		"a bad binding":      {`{` + fine + `,"bindings":[{"vhost":"w","source":"x","destination":"q","destination_type":"foo","routing_key":""}]}`, "bindings: destination_type 'foo' is neither queue nor exchange", ""},
		"a long name":        {`{` + fine + `,"queues":[{"name":"` + strings.Repeat("q", 256) + `","vhost":"w"}]}`, "name 'qqqqqqqqqqqqqqqqqqqq...' has 256 octets, at most 255 are allowed", ""},
		"a long key":         {`{` + fine + `,"bindings":[{"vhost":"w","source":"x","destination":"q","destination_type":"queue","routing_key":"` + strings.Repeat("k", 70000) + `"}]}`, "name 'kkkk", ""},
		"too deep":           {`{` + fine + `,"queues":[{"name":"q","vhost":"w","arguments":{"a":` + strings.Repeat("[", 3000) + strings.Repeat("]", 3000) + `}}]}`, "arguments cannot be a field table", ""},
		"a long argument":    {`{` + fine + `,"queues":[{"name":"q","vhost":"w","arguments":{"` + strings.Repeat("a", 256) + `":1}}]}`, "name 'aaaa", ""},
		"an unnamed queue":   {`{` + fine + `,"queues":[{"name":"","vhost":"w"}]}`, "a name must not be empty", ""},
		"a bad queue type":   {`{` + fine + `,"vhosts":[{"name":"w","default_queue_type":"lazy"}]}`, "Unsupported default queue type 'lazy'", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := n.Import(t.Context(), json.RawMessage(c.text))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || kindOf(t, err) == 0 || err.(*Error).Code != c.code {
				t.Fatal(err)
			}
			if after := exported(t, n.Export()); after != before {
				t.Fatal("something is left:", after)
			}
		})
	}
}

// Hashes of before 3.6 do not say that they are MD5.
func TestImportOldHashes(t *testing.T) {
	hash := meta.HashPassword(meta.MD5, [4]byte{1, 2, 3, 4}, "secret")
	for version, ok := range map[string]bool{"3.5.7": true, "2.8.1": true, "3.6.0": false, "4.3.0": false, "x": false} {
		n := newNode(t)
		r, err := n.Import(t.Context(), json.RawMessage(`{"rabbit_version":"`+version+`","users":[{"name":"u","password_hash":"`+hash+`","tags":""},
			{"name":"v","password_hash":"AAAA","hashing_algorithm":"bcrypt","tags":[]}]}`))
		n.must(err)
		if _, err := n.Authenticate("u", "secret", true); (err == nil) != ok {
			t.Errorf("%s: %v", version, err)
		}
		if len(r.Warnings) != 1 || r.Warnings[0].Text != "passwords hashed by bcrypt do not log in" {
			t.Error(r.Warnings)
		}
	}
}

// A node of which everything was deleted stays empty at its next start; only
// one that never had anything gets the first definitions.
func TestFirstBootOnce(t *testing.T) {
	n := newNode(t)
	n.must(n.DeleteVHost(t.Context(), "/"))
	n.restart()
	if len(n.VHosts()) != 0 || len(n.Users()) != 1 {
		t.Fatal(n.VHosts(), n.Users())
	}
	id, err := n.GlobalParameter("internal_cluster_id")
	if err != nil || !strings.HasPrefix(string(id.Value), `"rabbitmq-cluster-id-`) {
		t.Fatal(id, err)
	}
}

// FuzzImport: any text is taken or refused, and what was taken is exported and
// taken again.
func FuzzImport(f *testing.F) {
	text, err := os.ReadFile("testdata/definitions.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add(`{"queues":[{"name":"q","vhost":"/","arguments":{"x-message-ttl":1e400}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		n := newNode(t)
		if _, err := n.Import(t.Context(), json.RawMessage(text)); err != nil {
			return
		}
		again, err := json.Marshal(n.Export())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newNode(t).Import(t.Context(), again); err != nil && !strings.Contains(text, `\ufffd`) {
			t.Fatalf("%v: %s", err, again)
		}
	})
}
