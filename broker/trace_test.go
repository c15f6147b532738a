package broker

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// received gets all messages of a queue with their properties, once all that
// was posted is published.
func received(t *testing.T, s *Session, name string) (out []notice) {
	t.Helper()
	synctest.Wait()
	q, err := s.Queue(name, Read)
	if err != nil {
		t.Fatal(err)
	}
	g := q.Getter()
	defer g.Release()
	for more := true; more; {
		q.Get(g, true, func(d queue.Delivery, _ int, ok bool) {
			if more = ok; !ok {
				return
			}
			p, err := wire.ParseProperties(d.Props)
			if err != nil {
				t.Fatal(err)
			}
			x, key := wire.SplitRoute(d.Route)
			out = append(out, notice{exchange: string(x), key: string(key), props: p, body: bytes.Clone(d.Body)})
		})
	}
	return out
}

func keysIn(ns []notice) string {
	var keys []string
	for _, n := range ns {
		keys = append(keys, n.key)
	}
	return strings.Join(keys, " ")
}

// The headers are as RabbitMQ 3.10.8 has shown them for these messages.
func TestTrace(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		s.opt.Name = "a -> b"
		declareQueue(t, s, "traces")
		declareQueue(t, s, "work")
		bind(t, s, "amq.rabbitmq.trace", "traces", "#")
		bind(t, s, "amq.direct", "work", "k")
		p := s.NewPublisher(7, nil)
		m, _ := message("amq.direct", "none", "body", wire.Table{{Name: "h", Value: int32(1)}, {Name: "CC", Value: wire.Array{"k"}}, {Name: "BCC", Value: wire.Array{"hidden"}}})
		silent := m
		publish(t, p, silent)
		if err := s.b.SetTracing("/", true); err != nil {
			t.Fatal(err)
		}
		publish(t, p, m)
		p.Flush()
		got := received(t, s, "traces")
		if keysIn(got) != "publish.amq.direct" || string(got[0].body) != "body" {
			t.Fatalf("traces: %v", got)
		}
		seen := wire.Table{{Name: "h", Value: int32(1)}, {Name: "CC", Value: wire.Array{"k"}}}
		want := wire.Table{{Name: "exchange_name", Value: "amq.direct"}, {Name: "routing_keys", Value: wire.Array{"none", "k", "hidden"}},
			{Name: "properties", Value: wire.Table{{Name: "headers", Value: seen}}}, {Name: "node", Value: ""}, {Name: "vhost", Value: "/"},
			{Name: "connection", Value: "a -> b"}, {Name: "channel", Value: int32(7)}, {Name: "user", Value: "guest"},
			{Name: "routed_queues", Value: wire.Array{"work"}}}
		if !reflect.DeepEqual(got[0].props.Headers, want) {
			t.Fatalf("headers\n%v, want\n%v", got[0].props.Headers, want)
		}
		q, err := s.Queue("work", Read)
		if err != nil {
			t.Fatal(err)
		}
		g := q.Getter()
		q.Get(g, true, func(d queue.Delivery, _ int, _ bool) { s.Delivered(9, q, []queue.Delivery{d}) })
		if got = received(t, s, "traces"); keysIn(got) != "deliver.work" {
			t.Fatalf("traces: %v", got)
		}
		want[1].Value, want[6].Value, want[8] = wire.Array{"none", "k"}, int32(9), wire.Field{Name: "redelivered", Value: int32(0)}
		if !reflect.DeepEqual(got[0].props.Headers, want) {
			t.Fatalf("headers\n%v, want\n%v", got[0].props.Headers, want)
		}
		if err := s.b.SetTracing("/", false); err != nil {
			t.Fatal(err)
		}
		publish(t, p, m)
		p.Flush()
		if got = received(t, s, "traces"); len(got) > 0 || s.Tracing() {
			t.Fatalf("traced after the end: %v", got)
		}
		if err := s.b.SetTracing("nowhere", true); err == nil {
			t.Fatal("a host that does not exist is traced")
		}
	})
}

// The copies are not traced themselves, or there would be no end.
func TestTraceIsNotTraced(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		declareQueue(t, s, "traces")
		bind(t, s, "amq.rabbitmq.trace", "traces", "#")
		for _, exchange := range []string{"amq.rabbitmq.trace", "x"} {
			s.trace(1, "deliver."+exchange, queue.Content{Route: wire.AppendRoute(nil, exchange, "k"), Props: []byte{0, 0}}, []string{"k"}, wire.Field{})
		}
		if got := received(t, s, "traces"); keysIn(got) != "deliver.x" {
			t.Fatalf("traces %q, want that of x", keysIn(got))
		}
	})
}

func TestShownProperties(t *testing.T) {
	all := wire.Properties{Flags: 0xFFFC, ContentType: "a", ContentEncoding: "b", DeliveryMode: 2, Priority: 3, CorrelationID: "c", ReplyTo: "d",
		Expiration: "5", MessageID: "e", Timestamp: 1 << 40, Type: "f", UserID: "g", AppID: "h", ClusterID: "i"}
	var names []string
	for _, f := range shown(all.Append(nil)) {
		names = append(names, fmt.Sprintf("%s=%v", f.Name, f.Value))
	}
	want := "content_type=a content_encoding=b headers=[] delivery_mode=2 priority=3 correlation_id=c reply_to=d expiration=5 message_id=e " +
		"timestamp=1099511627776 type=f user_id=g app_id=h cluster_id=i"
	if got := strings.Join(names, " "); got != want {
		t.Fatalf("%s\nwant %s", got, want)
	}
	if t2 := shown([]byte{0xFF}); t2 != nil {
		t.Fatalf("shown of nothing: %v", t2)
	}
}

// The events of a session, by keys as RabbitMQ 3.10.8 has sent them.
func TestEvents(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		b := s.b
		if _, err := s.vhost.exchange(eventExchange); err == nil {
			t.Fatal("the exchange is there before anybody wants it")
		}
		for range 2 {
			if err := b.EnableEvents("/"); err != nil {
				t.Fatal(err)
			}
		}
		declareQueue(t, s, "events")
		bind(t, s, eventExchange, "events", "#")
		received(t, s, "events") // the binding itself
		u, err := b.Authenticate("guest", "guest", true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Authenticate("guest", "bad", true); err == nil {
			t.Fatal("logged in")
		}
		s2, err := b.OpenSession(SessionOptions{User: u, VHost: "/", Name: "a -> b"})
		if err != nil {
			t.Fatal(err)
		}
		p := s2.NewPublisher(3, nil)
		declare(t, s2, "x", "topic", wire.Table{{Name: "alternate-exchange", Value: "amq.fanout"}})
		for _, exclusive := range []bool{false, true} {
			m := &wire.QueueDeclare{Queue: fmt.Sprint("q", exclusive), Exclusive: exclusive, Arguments: wire.Table{{Name: "x-expires", Value: int32(5000)}}}
			if err := wait(func(reply func(error)) { s2.DeclareQueue(m, func(_ QueueInfo, err error) { reply(err) }) }); err != nil {
				t.Fatal(err)
			}
		}
		bind(t, s2, "x", "qfalse", "a.b")
		c, err := s2.Consume("qfalse", queue.ConsumerOptions{Tag: "tag", Prefetch: 5, Sink: deafSink{}})
		if err != nil {
			t.Fatal(err)
		}
		s2.Cancel(c)
		s2.Release(c)
		if err := wait(func(reply func(error)) {
			s2.DeleteQueue(&wire.QueueDelete{Queue: "qfalse"}, func(_ int, err error) { reply(err) })
		}); err != nil {
			t.Fatal(err)
		}
		if err := wait(func(reply func(error)) { s2.DeleteExchange(&wire.ExchangeDelete{Exchange: "x"}, reply) }); err != nil {
			t.Fatal(err)
		}
		p.Close()
		s2.Close()
		got := received(t, s, "events")
		want := "user.authentication.success user.authentication.failure connection.created channel.created exchange.created queue.created queue.created " +
			"binding.created consumer.created consumer.deleted binding.deleted queue.deleted exchange.deleted channel.closed queue.deleted connection.closed"
		if keysIn(got) != want {
			t.Fatalf("events\n%s, want\n%s", keysIn(got), want)
		}
		checkEvents(t, got)
		b.DisableEvents()
		declareQueue(t, s, "quiet")
		if got := received(t, s, "events"); len(got) > 0 {
			t.Fatalf("events after the end: %v", got)
		}
		if err := b.EnableEvents("nowhere"); err == nil {
			t.Fatal("events go to a host that does not exist")
		}
	})
}

func checkEvents(t *testing.T, got []notice) {
	t.Helper()
	for i, want := range map[int]wire.Table{
		4: {text("name", "x"), text("vhost", "/"), text("type", "topic"), truth("durable", false), truth("auto_delete", false), truth("internal", false),
			{Name: "arguments", Value: wire.Array{`{<<"alternate-exchange">>,longstr,<<"amq.fanout">>}`}}, text("policy", ""), text("user_who_performed_action", "guest")},
		6: {text("name", "qtrue"), text("vhost", "/"), truth("durable", false), truth("auto_delete", false), truth("exclusive", true),
			text("owner_pid", "a -> b"), {Name: "arguments", Value: wire.Array{`{<<"x-expires">>,signedint,5000}`}}, text("user_who_performed_action", "guest")},
		7: {text("source_name", "x"), text("source_kind", "exchange"), text("destination_name", "qfalse"), text("destination_kind", "queue"),
			text("routing_key", "a.b"), {Name: "arguments", Value: wire.Array{}}, text("vhost", "/"), text("user_who_performed_action", "guest")},
		14: {text("name", "qtrue"), text("vhost", "/"), text("user_who_performed_action", internalUser)},
	} {
		h := slices.DeleteFunc(slices.Clone(got[i].props.Headers), func(f wire.Field) bool { return f.Name == "timestamp_in_ms" })
		if len(h) != len(got[i].props.Headers)-1 || fmt.Sprint(h) != fmt.Sprint(want) {
			t.Errorf("%s:\n%v, want\n%v and the time", got[i].key, got[i].props.Headers, want)
		}
		if p := got[i].props; p.DeliveryMode != 2 || p.Timestamp == 0 {
			t.Errorf("%s: delivery-mode %d, timestamp %d", got[i].key, p.DeliveryMode, p.Timestamp)
		}
	}
}

func TestLogExchange(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		var passed bytes.Buffer
		h := NewLogExchange(slog.NewTextHandler(&passed, nil))
		log := slog.New(h).With("node", "n").WithGroup("g")
		log.Info("before")
		if err := s.b.PublishLog(h, "/"); err != nil {
			t.Fatal(err)
		}
		declareQueue(t, s, "lines")
		bind(t, s, logExchange, "lines", "*")
		log.Info("one", "k", "v")
		log.Warn("two")
		log.Error("three")
		log.Debug("not enabled")
		got := received(t, s, "lines")
		if keysIn(got) != "info warning error" {
			t.Fatalf("keys %q", keysIn(got))
		}
		for i, want := range []string{"level=INFO msg=one node=n g.k=v\n", "level=WARN msg=two node=n\n", "level=ERROR msg=three node=n\n"} {
			if !strings.HasSuffix(string(got[i].body), want) || got[i].props.ContentType != "text/plain" || got[i].props.Timestamp == 0 {
				t.Errorf("%q %v, want %q", got[i].body, got[i].props, want)
			}
		}
		if n := strings.Count(passed.String(), "\n"); n != 4 {
			t.Fatalf("%d lines were passed on, want 4", n)
		}
		if err := s.b.PublishLog(h, "nowhere"); err == nil {
			t.Fatal("lines go to a host that does not exist")
		}
	})
}

// Whoever posts never waits: what is too much is dropped, and said.
func TestNoticesAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		n := &s.b.events.notices
		n.mu.Lock()
		n.bytes = noticesBytes // as if the publishing was that far behind
		n.waiting = []notice{{vhost: "/", exchange: "amq.fanout"}}
		n.mu.Unlock()
		n.post(notice{vhost: "/", exchange: "amq.fanout", body: []byte("x")})
		if n.dropped != 1 || len(n.waiting) != 1 {
			t.Fatalf("%d dropped, %d wait; want 1 and 1", n.dropped, len(n.waiting))
		}
		n.mu.Lock()
		n.bytes = 0
		n.mu.Unlock()
		declareQueue(t, s, "q")
		bind(t, s, "amq.fanout", "q", "")
		n.post(notice{vhost: "/", exchange: "amq.fanout", body: []byte("x")})
		n.post(notice{vhost: "gone", exchange: "amq.fanout", body: []byte("x")})
		if got := received(t, s, "q"); len(got) != 2 || n.dropped != 0 {
			t.Fatalf("%d published, %d dropped; want 2 and none", len(got), n.dropped)
		}
	})
}
