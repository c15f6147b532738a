package amqp

import (
	"slices"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// Both ways that a message reaches a client are traced, and what is traced to
// it is not traced again.
func TestDeliveriesAreTraced(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s).open(0).channel(1).channel(2)
	c.declare(1, "q")
	c.declare(1, "traces")
	c.send(1, &wire.QueueBind{Queue: "traces", Exchange: "amq.rabbitmq.trace", RoutingKey: "#"}, &wire.BasicConsume{Queue: "traces", NoAck: true})
	want[*wire.QueueBindOk](c)
	want[*wire.BasicConsumeOk](c)
	if err := s.opt.Broker.SetTracing("/", true); err != nil {
		t.Fatal(err)
	}
	// What is delivered and its traces come in any order.
	expect := func(n int, want string) {
		t.Helper()
		var got []string
		for range n {
			d := wantDeliver(c)
			got = append(got, d)
		}
		slices.Sort(got)
		if all := strings.Join(got, ", "); all != want {
			t.Fatalf("got %s, want %s", all, want)
		}
	}
	c.write(appendPublish(nil, 2, "q", []byte("one")))
	expect(1, "amq.rabbitmq.trace publish. one")
	c.send(2, &wire.BasicGet{Queue: "q", NoAck: true})
	want[*wire.BasicGetOk](c)
	c.body()
	expect(1, "amq.rabbitmq.trace deliver.q one")
	c.send(2, &wire.BasicConsume{Queue: "q", NoAck: true})
	want[*wire.BasicConsumeOk](c)
	c.write(appendPublish(nil, 2, "q", []byte("two")))
	expect(3, " q two, amq.rabbitmq.trace deliver.q two, amq.rabbitmq.trace publish. two")
	if err := s.opt.Broker.SetTracing("/", false); err != nil {
		t.Fatal(err)
	}
	c.write(appendPublish(nil, 2, "q", []byte("three")))
	expect(1, " q three")
	c.send(1, &wire.ChannelClose{})
	want[*wire.ChannelCloseOk](c)
}

func wantDeliver(c *client) string {
	c.t.Helper()
	d := want[*wire.BasicDeliver](c)
	return d.Exchange + " " + d.RoutingKey + " " + string(c.body())
}
