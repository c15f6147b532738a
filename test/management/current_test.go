package management

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// get gives the answer to a GET as guest.
func (b *node) get(t *testing.T, path string) map[string]any {
	t.Helper()
	a, err := b.ask(t.Context(), http.MethodGet, path, "guest", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var o map[string]any
	if err := json.Unmarshal(a.body, &o); err != nil || a.status != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %.300s", path, a.status, err, a.body)
	}
	return o
}

// at follows a path of names.
func at(v any, names ...string) any {
	for _, name := range names {
		o, _ := v.(map[string]any)
		v = o[name]
	}
	return v
}

// TestCurrent: what has happened shows at once, in all places.
func TestCurrent(t *testing.T) {
	b := start(t)
	c, err := amqp.DialConfig(b.URL(), amqp.Config{Properties: amqp.Table{"connection_name": "current"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	name := url.PathEscape(c.LocalAddr().String() + " -> " + c.RemoteAddr().String())
	if v := b.get(t, "/api/connections/"+name); v["user_provided_name"] != "current" || v["channels"] != 0.0 || v["state"] != "running" {
		t.Errorf("connection %v", v)
	}
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	q := b.get(t, "/api/queues/%2F/q")
	for path, want := range map[string]any{"messages": 0.0, "consumers": 0.0, "state": "running", "policy": nil, "type": "classic"} {
		if got, ok := q[path]; !ok || got != want {
			t.Errorf("new queue: %s is %v (%t), want %v", path, got, ok, want)
		}
	}
	d, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", "q", false, false, amqp.Publishing{Body: []byte("four")})
	if err != nil {
		t.Fatal(err)
	}
	<-d.Done()
	q = b.get(t, "/api/queues/%2F/q")
	if q["messages"] != 1.0 || q["message_bytes"] != 4.0 || at(q, "message_stats", "publish") != 1.0 {
		t.Errorf("published queue: %v", q)
	}
	o := b.get(t, "/api/overview")
	for _, want := range []struct {
		n    float64
		path []string
	}{
		{1, []string{"message_stats", "publish"}}, {1, []string{"message_stats", "confirm"}}, {1, []string{"queue_totals", "messages_ready"}},
		{1, []string{"object_totals", "connections"}}, {1, []string{"object_totals", "channels"}}, {1, []string{"object_totals", "queues"}},
		{1, []string{"churn_rates", "connection_created"}},
	} {
		if got := at(o, want.path...); got != want.n {
			t.Errorf("overview: %v is %v, want %v", want.path, got, want.n)
		}
	}
	chv := b.get(t, "/api/channels/"+name+url.PathEscape(" (1)"))
	if chv["confirm"] != true || at(chv, "message_stats", "publish") != 1.0 || chv["messages_unconfirmed"] != 0.0 {
		t.Errorf("channel: %v", chv)
	}
	if x := b.get(t, "/api/exchanges/%2F/amq.default"); at(x, "message_stats", "publish_in") != 1.0 || at(x, "message_stats", "publish_out") != 1.0 {
		t.Errorf("exchange: %v", x)
	}
	if _, ok, err := ch.Get("q", true); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if v := b.get(t, "/api/vhosts/%2F"); v["messages"] != 0.0 || at(v, "message_stats", "get_no_ack") != 1.0 {
		t.Errorf("virtual host: %v", v)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if a, err := b.ask(t.Context(), http.MethodGet, "/api/connections/"+name, "guest", nil, nil); err != nil || a.status != http.StatusNotFound {
		t.Errorf("closed connection: status %d, %v", a.status, err)
	}
}

// TestClosing: a connection that is closed by the API hears the reason.
func TestClosing(t *testing.T) {
	b := start(t)
	for _, by := range []string{"name", "username"} {
		c, err := amqp.Dial(b.URL())
		if err != nil {
			t.Fatal(err)
		}
		closed := c.NotifyClose(make(chan *amqp.Error, 1))
		path := "/api/connections/username/guest"
		if by == "name" {
			path = "/api/connections/" + url.PathEscape(c.LocalAddr().String()+" -> "+c.RemoteAddr().String())
		}
		a, err := b.ask(t.Context(), http.MethodDelete, path, "guest", nil, map[string]string{"X-Reason": "enough"})
		if err != nil || a.status != http.StatusNoContent {
			t.Fatalf("%s: status %d, %v", path, a.status, err)
		}
		if e := <-closed; e == nil || e.Code != 320 || e.Reason != "CONNECTION_FORCED - enough" {
			t.Errorf("closed with %v", e)
		}
	}
}

// TestWholeRound exports, deletes and imports definitions.
func TestWholeRound(t *testing.T) {
	b := start(t)
	b.live(t)
	for _, r := range recordings(t) {
		if r.Group == "setup" {
			b.play(t.Context(), &r) // TestReplay compares
		}
	}
	export := func() []byte {
		a, err := b.ask(t.Context(), http.MethodGet, "/api/definitions", "guest", nil, nil)
		if err != nil || a.status != http.StatusOK {
			t.Fatal(a.status, err)
		}
		return a.body
	}
	before := export()
	for _, path := range []string{"/api/vhosts/shop", "/api/queues/%2F/orders.eu", "/api/exchanges/%2F/orders", "/api/users/app", "/api/policies/%2F/ae"} {
		if a, err := b.ask(t.Context(), http.MethodDelete, path, "guest", nil, nil); err != nil || a.status != http.StatusNoContent {
			t.Fatalf("%s: status %d, %v", path, a.status, err)
		}
	}
	if string(export()) == string(before) {
		t.Fatal("nothing was deleted")
	}
	if a, err := b.ask(t.Context(), http.MethodPost, "/api/definitions", "guest", before, nil); err != nil || a.status != http.StatusNoContent {
		t.Fatalf("import: status %d, %v: %s", a.status, err, a.body)
	}
	if after := export(); string(after) != string(before) {
		t.Errorf("after the import\n%s\nbefore\n%s", after, before)
	}
}

// TestSingleActive: which consumer is served shows with it and with the queue.
func TestSingleActive(t *testing.T) {
	b := start(t)
	c, err := amqp.Dial(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-single-active-consumer": true}); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"first", "second"} {
		if _, err := ch.Consume("q", tag, false, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	q := b.get(t, "/api/queues/%2F/q")
	if q["single_active_consumer_tag"] != "first" || q["consumers"] != 2.0 {
		t.Errorf("queue: %v of %v consumers is active", q["single_active_consumer_tag"], q["consumers"])
	}
	details, _ := q["consumer_details"].([]any)
	if len(details) != 2 || at(details[0], "activity_status") != "single_active" || at(details[1], "activity_status") != "waiting" || at(details[1], "active") != false {
		t.Errorf("consumers %v", details)
	}
}
