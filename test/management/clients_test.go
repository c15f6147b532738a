package management

import (
	"bytes"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	rabbithole "github.com/michaelklishin/rabbit-hole/v2"
)

// hole is rabbit-hole's client of the broker, as the Terraform provider and the
// Kubernetes operator use it.
func (b *node) hole(t *testing.T) *rabbithole.Client {
	t.Helper()
	c, err := rabbithole.NewClient(b.url, "guest", "guest")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRabbitHoleReads decodes every listing into rabbit-hole's types.
func TestRabbitHoleReads(t *testing.T) {
	b := start(t)
	l := b.live(t)
	for _, r := range recordings(t) {
		if r.Group == "setup" {
			b.play(t.Context(), &r) // TestReplay compares
		}
	}
	l.begin(t)
	c := b.hole(t)
	for name, read := range map[string]func() (any, error){
		"overview":          func() (any, error) { return c.Overview() },
		"nodes":             func() (any, error) { return c.ListNodes() },
		"node":              func() (any, error) { return c.GetNode("rabbit@host") },
		"connections":       func() (any, error) { return c.ListConnections() },
		"channels":          func() (any, error) { return c.ListChannels() },
		"consumers":         func() (any, error) { return c.ListConsumers() },
		"vhosts":            func() (any, error) { return c.ListVhosts() },
		"vhost":             func() (any, error) { return c.GetVhost("shop") },
		"exchanges":         func() (any, error) { return c.ListExchanges() },
		"exchange":          func() (any, error) { return c.GetExchange("/", "orders") },
		"queues":            func() (any, error) { return c.ListQueues() },
		"queues in":         func() (any, error) { return c.ListQueuesIn("/") },
		"queue":             func() (any, error) { return c.GetQueue("/", "orders.eu") },
		"bindings":          func() (any, error) { return c.ListBindings() },
		"queue bindings":    func() (any, error) { return c.ListQueueBindings("/", "orders.eu") },
		"exchange bindings": func() (any, error) { return c.ListExchangeBindingsWithSource("/", "orders") },
		"users":             func() (any, error) { return c.ListUsers() },
		"user":              func() (any, error) { return c.GetUser("app") },
		"permissions":       func() (any, error) { return c.ListPermissions() },
		"user permissions":  func() (any, error) { return c.ListPermissionsOf("guest") },
		"topic permissions": func() (any, error) { return c.ListTopicPermissions() },
		"policies":          func() (any, error) { return c.ListPolicies() },
		"operator policies": func() (any, error) { return c.ListOperatorPolicies() },
		"parameters":        func() (any, error) { return c.ListRuntimeParameters() },
		"global parameters": func() (any, error) { return c.ListGlobalParameters() },
		"limits":            func() (any, error) { return c.GetAllVhostLimits() },
		"user limits":       func() (any, error) { return c.GetAllUserLimits() },
		"feature flags":     func() (any, error) { return c.ListFeatureFlags() },
		"definitions":       func() (any, error) { return c.ListDefinitions() },
		"cluster name":      func() (any, error) { return c.GetClusterName() },
		"whoami":            func() (any, error) { return c.Whoami() },
		"health: alarms":    func() (any, error) { return c.HealthCheckAlarms() },
		"health: vhosts":    func() (any, error) { return c.HealthCheckVirtualHosts() },
		"health: quorum":    func() (any, error) { return c.HealthCheckNodeIsQuorumCritical() },
	} {
		if v, err := read(); err != nil || v == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	o, err := c.Overview()
	if err != nil || o.RabbitMQVersion != "3.10.8" || o.QueueTotals.Messages == 0 || o.ObjectTotals.Connections < 4 || len(o.ExchangeTypes) < 4 {
		t.Errorf("overview %+v, %v", o, err)
	}
	q, err := c.GetQueue("/", "orders.eu")
	if err != nil || q.Consumers != 1 || q.MessageStats.Publish != 1 || len(*q.ConsumerDetails) != 1 || q.Policy != "orders-limits" {
		t.Errorf("queue %+v, %v", q, err)
	}
}

// accepted checks the status of a write.
func accepted(t *testing.T, what string, resp *http.Response, err error) {
	t.Helper()
	if err != nil || resp.StatusCode >= 300 {
		t.Errorf("%s: %v, %v", what, resp, err)
	}
}

// TestRabbitHoleWrites makes, uses and deletes things as tools do.
func TestRabbitHoleWrites(t *testing.T) {
	c := start(t).hole(t)
	resp, err := c.PutVhost("v", rabbithole.VhostSettings{Description: "d", Tags: rabbithole.VhostTags{"a", "b"}})
	accepted(t, "virtual host", resp, err)
	resp, err = c.PutUser("u", rabbithole.UserSettings{Password: "p", Tags: rabbithole.UserTags{"management"}})
	accepted(t, "user", resp, err)
	resp, err = c.UpdatePermissionsIn("v", "u", rabbithole.Permissions{Configure: ".*", Write: ".*", Read: ".*"})
	accepted(t, "permissions", resp, err)
	resp, err = c.DeclareExchange("v", "x", rabbithole.ExchangeSettings{Type: "topic", Durable: true})
	accepted(t, "exchange", resp, err)
	resp, err = c.DeclareQueue("v", "q", rabbithole.QueueSettings{Durable: true, Arguments: map[string]any{"x-message-ttl": 60000}})
	accepted(t, "queue", resp, err)
	resp, err = c.DeclareBinding("v", rabbithole.BindingInfo{Source: "x", Destination: "q", DestinationType: "queue", RoutingKey: "a.#", Arguments: map[string]any{"k": "v"}})
	accepted(t, "binding", resp, err)
	bindings, err := c.ListQueueBindingsBetween("v", "x", "q")
	if err != nil || len(bindings) != 1 || !strings.HasSuffix(resp.Header.Get("Location"), bindings[0].PropertiesKey[strings.LastIndexByte(bindings[0].PropertiesKey, '~'):]) {
		t.Fatalf("bindings %+v, location %q, %v", bindings, resp.Header.Get("Location"), err)
	}
	resp, err = c.PutPolicy("v", "p", rabbithole.Policy{Pattern: "^q", ApplyTo: "queues", Definition: rabbithole.PolicyDefinition{"max-length": 5}, Priority: 3})
	accepted(t, "policy", resp, err)
	resp, err = c.PutVhostLimits("v", rabbithole.VhostLimitsValues{"max-queues": 5})
	accepted(t, "limits", resp, err)
	resp, err = c.DeleteBinding("v", bindings[0])
	accepted(t, "delete binding", resp, err)
	resp, err = c.PurgeQueue("v", "q")
	accepted(t, "purge", resp, err)
	resp, err = c.DeleteQueue("v", "q")
	accepted(t, "delete queue", resp, err)
	resp, err = c.DeleteVhost("v")
	accepted(t, "delete virtual host", resp, err)
	if _, err := c.GetQueue("v", "q"); err == nil {
		t.Error("the queue is still there")
	}
}

// TestRabbitHoleCloses closes a connection by its name.
func TestRabbitHoleCloses(t *testing.T) {
	b := start(t)
	conn, err := amqp.Dial(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	c := b.hole(t)
	all, err := c.ListConnections()
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	resp, err := c.CloseConnection(all[0].Name)
	accepted(t, "close", resp, err)
	if e := <-closed; e == nil || e.Code != 320 {
		t.Errorf("closed with %v", e)
	}
}

// admin runs RabbitMQ's own script.
func (b *node) admin(t *testing.T, script string, args ...string) string {
	t.Helper()
	host, port, _ := strings.Cut(b.HTTPAddr(), ":")
	cmd := exec.CommandContext(t.Context(), script, append([]string{"-H", host, "-P", port}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("rabbitmqadmin %q: %v: %s%s", args, err, out, errs.Bytes())
	}
	return string(out)
}

// TestRabbitMQAdmin drives the API by RabbitMQ's script, where Debian's package
// has brought it.
func TestRabbitMQAdmin(t *testing.T) {
	script, err := exec.LookPath("rabbitmqadmin")
	if err != nil {
		t.Log("rabbitmqadmin is not installed")
		return
	}
	b := start(t)
	file := t.TempDir() + "/definitions.json"
	for _, c := range []struct{ args, want string }{
		{"declare queue name=q durable=true", "queue declared"},
		{"declare exchange name=x type=direct", "exchange declared"},
		{"declare binding source=x destination=q routing_key=k", "binding declared"},
		{"declare user name=u password=p tags=management", "user declared"},
		{"declare vhost name=v", "vhost declared"},
		{"declare permission vhost=v user=u configure=.* write=.* read=.*", "permission declared"},
		{`declare policy name=p pattern=^q definition={"max-length":9}`, "policy declared"},
		{"publish exchange=x routing_key=k payload=hello", "Message published"},
		{"publish exchange=x routing_key=nowhere payload=hello", "Message published but NOT routed"},
		{"list queues name messages", "| q    | 1        |"},
		{"list connections", "No items"},
		{"list bindings source destination routing_key", "| x      | q           | k           |"},
		{"-f raw_json show overview", `"product_name":"RabbitMQ"`},
		{"get queue=q ackmode=ack_requeue_false", "hello"},
		{"purge queue name=q", "queue purged"},
		{"export " + file, "Exported definitions"},
		{"delete queue name=q", "queue deleted"},
		{"import " + file, "Uploaded definitions"},
		{"list queues name", "| q    |"},
		{"list nodes name running", "rabbit@host"},
		{"list users name tags", "administrator"},
	} {
		if out := b.admin(t, script, strings.Fields(c.args)...); !strings.Contains(out, c.want) {
			t.Errorf("%s: %q\nlacks %q", c.args, out, c.want)
		}
	}
}
