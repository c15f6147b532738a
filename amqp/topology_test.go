package amqp

import (
	"fmt"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// exchange of one request and its answer.
type question struct {
	ask    wire.Method
	answer string // name of the method that comes; "": none
	text   string // of a close
}

// dialogue asks all at once and compares the answers.
func (c *client) dialogue(t *testing.T, ch uint16, qs []question) {
	t.Helper()
	var ms []wire.Method
	for _, q := range qs {
		ms = append(ms, q.ask)
	}
	go c.send(ch, ms...)
	for _, q := range qs {
		if q.answer == "" {
			continue
		}
		_, m, err := c.receive()
		if err != nil {
			t.Fatalf("%s: %v", q.ask.Name(), err)
		}
		if m.Name() != q.answer {
			t.Fatalf("%s was answered with %s %+v, want %s", q.ask.Name(), m.Name(), m, q.answer)
		}
		if close, ok := m.(*wire.ChannelClose); ok && close.ReplyText != q.text {
			t.Errorf("got %q, want %q", close.ReplyText, q.text)
		}
	}
}

func TestTopologyMethods(t *testing.T) {
	cases := []struct {
		name string
		qs   []question
	}{
		{"exchanges", []question{
			{&wire.ExchangeDeclare{Exchange: "a", Type: "topic"}, "exchange.declare-ok", ""},
			{&wire.ExchangeDeclare{Exchange: "b", Type: "fanout", Durable: true}, "exchange.declare-ok", ""},
			{&wire.ExchangeBind{Destination: "b", Source: "a", RoutingKey: "#"}, "exchange.bind-ok", ""},
			{&wire.ExchangeUnbind{Destination: "b", Source: "a", RoutingKey: "#"}, "exchange.unbind-ok", ""},
			{&wire.ExchangeDelete{Exchange: "a"}, "exchange.delete-ok", ""},
			{&wire.ExchangeDelete{Exchange: "b"}, "exchange.delete-ok", ""},
			{&wire.ExchangeDelete{Exchange: "b"}, "exchange.delete-ok", ""},
		}},
		{"queues", []question{
			{&wire.QueueDeclare{Queue: "q", Durable: true}, "queue.declare-ok", ""},
			{&wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "a"}, "queue.bind-ok", ""},
			{&wire.QueueUnbind{Queue: "q", Exchange: "amq.topic", RoutingKey: "a"}, "queue.unbind-ok", ""},
			{&wire.QueuePurge{Queue: "q"}, "queue.purge-ok", ""},
			{&wire.QueueDelete{Queue: "q"}, "queue.delete-ok", ""},
		}},
		{"the queue declared last", []question{
			{&wire.QueueDeclare{}, "queue.declare-ok", ""},
			{&wire.QueueBind{Exchange: "amq.topic", RoutingKey: "a"}, "queue.bind-ok", ""},
			{&wire.QueueUnbind{Exchange: "amq.topic", RoutingKey: "a"}, "queue.unbind-ok", ""},
			{&wire.BasicGet{NoAck: true}, "basic.get-empty", ""},
			{&wire.QueuePurge{}, "queue.purge-ok", ""},
			{&wire.QueueDelete{}, "queue.delete-ok", ""},
		}},
		{"nowait", []question{
			{&wire.ExchangeDeclare{Exchange: "n", Type: "direct", NoWait: true}, "", ""},
			{&wire.QueueDeclare{Queue: "n", NoWait: true}, "", ""},
			{&wire.QueueBind{Queue: "n", Exchange: "n", NoWait: true}, "", ""},
			{&wire.QueuePurge{Queue: "n", NoWait: true}, "", ""},
			{&wire.BasicConsume{Queue: "n", ConsumerTag: "c", NoWait: true}, "", ""},
			{&wire.BasicCancel{ConsumerTag: "c", NoWait: true}, "", ""},
			{&wire.QueueDelete{Queue: "n", NoWait: true}, "", ""},
			{&wire.ExchangeDelete{Exchange: "n", NoWait: true}, "", ""},
			{&wire.ConfirmSelect{Nowait: true}, "", ""},
			{&wire.BasicQos{}, "basic.qos-ok", ""},
		}},
		{"nowait still tells errors", []question{
			{&wire.QueueDeclare{Queue: "missing", Passive: true, NoWait: true}, "channel.close", "NOT_FOUND - no queue 'missing' in vhost '/'"},
			{&wire.QueueDeclare{Queue: "dropped"}, "", ""},
		}},
		{"answers before the error come first", []question{
			{&wire.QueueDeclare{Queue: "d", Durable: true}, "queue.declare-ok", ""},
			{&wire.ExchangeDeclare{Exchange: "d", Type: "direct", Durable: true}, "exchange.declare-ok", ""},
			{&wire.QueueDeclare{Queue: "missing", Passive: true}, "channel.close", "NOT_FOUND - no queue 'missing' in vhost '/'"},
			{&wire.QueueDeclare{Queue: "dropped"}, "", ""},
		}},
		{"the rest", []question{
			{&wire.AccessRequest{Realm: "/data"}, "access.request-ok", ""},
			{&wire.ChannelFlow{Active: true}, "channel.flow-ok", ""},
			{&wire.TxSelect{}, "tx.select-ok", ""},
			{&wire.TxSelect{}, "tx.select-ok", ""},
			{&wire.TxRollback{}, "tx.rollback-ok", ""},
			{&wire.TxCommit{}, "tx.commit-ok", ""},
			{&wire.BasicRecoverAsync{Requeue: true}, "", ""},
			{&wire.BasicRecover{Requeue: true}, "basic.recover-ok", ""},
			{&wire.BasicAck{Multiple: true}, "", ""},
			{&wire.BasicCancel{ConsumerTag: "unknown"}, "basic.cancel-ok", ""},
			{&wire.ChannelClose{}, "channel.close-ok", ""},
		}},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			dial(t, startServer(t, Options{})).open(0).channel(1).dialogue(t, 1, k.qs)
		})
	}
}

func TestMustWait(t *testing.T) {
	cases := []struct {
		m    wire.Method
		wait bool
	}{
		{&wire.ExchangeDeclare{}, false},
		{&wire.ExchangeBind{}, false},
		{&wire.QueueDeclare{}, false},
		{&wire.QueueBind{Queue: "q"}, false},
		{&wire.QueueBind{}, true},
		{&wire.QueueUnbind{Queue: "q"}, false},
		{&wire.QueueUnbind{}, true},
		{&wire.QueuePurge{Queue: "q"}, false},
		{&wire.QueuePurge{}, true},
		{&wire.QueueDelete{Queue: "q"}, false},
		{&wire.QueueDelete{}, true},
		{&wire.BasicNack{}, false},
		{&wire.BasicReject{}, false},
		{&wire.BasicGet{Queue: "q"}, true},
		{&wire.BasicConsume{Queue: "q"}, true},
		{&wire.BasicQos{}, true},
		{&wire.TxCommit{}, true},
		{&wire.ChannelClose{}, true},
	}
	free, busy := &channel{}, &channel{park: park{answers: []*answer{{}}}}
	for _, k := range cases {
		t.Run(fmt.Sprintf("%s %+v", k.m.Name(), k.m), func(t *testing.T) {
			if free.mustWait(k.m) {
				t.Error("waits for nothing")
			}
			if busy.mustWait(k.m) != k.wait {
				t.Errorf("waits for an answer: %t, want %t", !k.wait, k.wait)
			}
		})
	}
}

func TestGetFromManyQueues(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s).open(0).channel(1)
	var held uint64
	for i := range 3 * maxGetters {
		name := fmt.Sprint("q", i)
		c.declare(1, name)
		c.write(appendPublish(nil, 1, name, []byte(name)))
		keep := i%50 == 0
		c.send(1, &wire.BasicGet{Queue: name, NoAck: !keep})
		g := want[*wire.BasicGetOk](c)
		if got := string(c.body()); got != name || g.DeliveryTag != uint64(i)+1 {
			t.Fatalf("got %q with tag %d", got, g.DeliveryTag)
		}
		if keep {
			held = g.DeliveryTag
		}
	}
	c.send(1, &wire.BasicNack{DeliveryTag: held, Multiple: true, Requeue: true}, &wire.BasicQos{})
	want[*wire.BasicQosOk](c)
	for i := 0; i < 3*maxGetters; i += 50 {
		c.eventually(1, fmt.Sprint("q", i), []byte(fmt.Sprint("q", i)))
	}
}

func TestVirtualHostIsChecked(t *testing.T) {
	c := dial(t, startServer(t, Options{}))
	c.login(allCapabilities())
	c.send(0, &wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096}, &wire.ConnectionOpen{VirtualHost: "none"})
	m := want[*wire.ConnectionClose](c)
	if m.ReplyCode != 530 || m.ClassID != 10 || m.MethodID != 40 || m.ReplyText != "NOT_ALLOWED - vhost none not found" {
		t.Errorf("got %+v", m)
	}
	c.send(0, &wire.ConnectionCloseOk{})
	c.closed()
}

func TestBodyErrors(t *testing.T) {
	announce := func(size uint64) []byte {
		b := wire.AppendMethod(nil, 1, &wire.BasicPublish{RoutingKey: "q"})
		return wire.AppendHeader(b, 1, size, []byte{0, 0})
	}
	cases := []struct {
		name string
		send []byte
		text string
	}{
		{"longer than announced", wire.AppendBody(announce(3), 1, []byte("abcdef"), 0),
			"UNEXPECTED_FRAME - expected content body, got non content body frame instead"},
		{"large and longer than announced", wire.AppendBody(announce(refSize), 1, make([]byte, refSize+1), 0),
			"UNEXPECTED_FRAME - expected content body, got non content body frame instead"},
		{"a method for a body", wire.AppendMethod(announce(3), 1, &wire.BasicQos{}),
			"UNEXPECTED_FRAME - expected content body, got non content body frame instead"},
		{"a body for a header", wire.AppendBody(wire.AppendMethod(nil, 1, &wire.BasicPublish{}), 1, []byte("x"), 0),
			"UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead"},
		{"a header of another class", append(wire.AppendMethod(nil, 1, &wire.BasicPublish{}),
			2, 0, 1, 0, 0, 0, 14, 0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, wire.FrameEnd),
			"UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead"},
		{"a body without a method", wire.AppendBody(nil, 1, []byte("x"), 0),
			"UNEXPECTED_FRAME - expected method frame, got non method frame instead"},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			c := dial(t, startServer(t, Options{})).open(0).channel(1)
			c.write(k.send)
			if m := want[*wire.ConnectionClose](c); m.ReplyCode != 505 || m.ReplyText != k.text {
				t.Errorf("got %+v", m)
			}
		})
	}
}

// TestLargeBodyOnAChannelThatEnds: the rest of a body whose channel was closed
// is dropped, and the connection goes on.
func TestLargeBodyOnAChannelThatEnds(t *testing.T) {
	c := dial(t, startServer(t, Options{})).open(0).channel(1).channel(2)
	c.send(1, &wire.BasicPublish{Exchange: "missing"})
	want[*wire.ChannelClose](c)
	body := make([]byte, 300_000)
	b := wire.AppendHeader(nil, 1, uint64(len(body)), []byte{0, 0})
	b = wire.AppendBody(b, 1, body, 131072)
	go c.write(wire.AppendMethod(b, 2, &wire.BasicQos{}))
	want[*wire.BasicQosOk](c)
	c.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{})
	want[*wire.ChannelOpenOk](c)
}

func TestLargeBodiesWaitForTheEndOfAnAlarm(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s).open(0).channel(1)
	c.declare(1, "q")
	s.opt.Broker.SetAlarm(broker.MemoryAlarm, true)
	body := make([]byte, 100_000)
	go c.write(appendPublish(appendPublish(nil, 1, "q", body), 1, "q", body))
	want[*wire.ConnectionBlocked](c)
	s.opt.Broker.SetAlarm(broker.MemoryAlarm, false)
	want[*wire.ConnectionUnblocked](c)
	c.eventually(1, "q", body)
	c.eventually(1, "q", body)
}
