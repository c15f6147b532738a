package management

import (
	"net/url"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// live is what was connected while the calls were recorded.
type live struct {
	b     *node
	conns map[string]*amqp.Connection // by the recorded client port
	names []string                    // for the node's replacers
}

// live is called before the first call.
func (b *node) live(t *testing.T) *live {
	l := &live{b: b, conns: map[string]*amqp.Connection{}}
	port := b.Addr()[strings.LastIndexByte(b.Addr(), ':')+1:]
	l.names = []string{"port-listener/5672", "port-listener/" + port}
	exclusive, err := l.channel(t, "60901", "guest", "/").QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.names = append(l.names, "amq.gen-y3dl_1L3vgu5g221XZPxHw", exclusive.Name)
	b.texts = strings.NewReplacer(l.names...)
	b.names = strings.NewReplacer(l.names...)
	return l
}

// begin connects what the recorded calls find, after the setup.
func (l *live) begin(t *testing.T) {
	publisher := l.channel(t, "60812", "guest", "/")
	if err := publisher.Confirm(false); err != nil {
		t.Fatal(err)
	}
	l.consume(t, l.channel(t, "60814", "guest", "/"), "orders.eu", "worker-eu-1", amqp.Table{"x-priority": int32(5)})
	for range 8 {
		ch := l.channel(t, "60818", "guest", "/")
		l.consume(t, ch, "audit.all", "", nil)
	}
	l.channel(t, "60840", "app", "shop")
	l.publish(t, publisher)
	l.b.names = strings.NewReplacer(l.names...)
}

// publish publishes what the consumers take, and a message nobody does.
func (l *live) publish(t *testing.T, ch *amqp.Channel) {
	t.Helper()
	for _, to := range [][2]string{{"orders", "order.eu.created"}, {"orders", "order.us.created"}, {"orders", "nothing"},
		{"", "backlog"}, {"", "backlog"}, {"", "backlog"}, {"", "prio.jobs"}} {
		d, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), to[0], to[1], false, false, amqp.Publishing{
			Body: []byte("a body of more than ten octets"), ContentType: "text/plain", AppId: "live", MessageId: "m-1", Priority: 3,
			Timestamp: time.Unix(1_700_000_000, 0), DeliveryMode: amqp.Persistent, Headers: amqp.Table{"format": "pdf"}})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-d.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("no confirm within 10 s")
		}
	}
}

// channel opens a channel of the connection that had this port when it was
// recorded, and the connection when it is the first.
func (l *live) channel(t *testing.T, port, user, vhost string) *amqp.Channel {
	t.Helper()
	c := l.conns[port]
	if c == nil {
		var err error
		c, err = amqp.DialConfig("amqp://"+user+":"+user+"@"+l.b.Addr(), amqp.Config{Vhost: vhost, Heartbeat: 10 * time.Second,
			Properties: amqp.Table{"connection_name": "live-" + port, "product": "test", "version": "1", "platform": "golang"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		l.conns[port] = c
		name := c.LocalAddr().String() + " -> " + c.RemoteAddr().String()
		recorded := "127.0.0.1:" + port + " -> 127.0.0.1:5672"
		l.names = append(l.names, url.PathEscape(recorded), url.PathEscape(name),
			strings.ReplaceAll(url.PathEscape(recorded), ":", "%3A"), url.PathEscape(name))
	}
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// consume consumes and acknowledges.
func (l *live) consume(t *testing.T, ch *amqp.Channel, queue, tag string, args amqp.Table) {
	t.Helper()
	if err := ch.Qos(20, 0, false); err != nil {
		t.Fatal(err)
	}
	ds, err := ch.Consume(queue, tag, false, false, false, false, args)
	if err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the channel
		for d := range ds {
			_ = d.Ack(false) // or the channel is closed
		}
	}()
}
