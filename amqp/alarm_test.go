package amqp

import (
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

func TestAlarmHoldsPublishesOnly(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s).open(0).channel(1).channel(2)
	c.declare(1, "q")
	c.write(appendPublish(nil, 1, "q", []byte("before")))
	c.send(1, &wire.BasicQos{})
	want[*wire.BasicQosOk](c)

	s.opt.Broker.SetAlarm(broker.MemoryAlarm, true)
	c.write(appendPublish(nil, 1, "q", []byte("held")))
	if m := want[*wire.ConnectionBlocked](c); m.Reason != "low on memory" {
		t.Errorf("reason %q", m.Reason)
	}
	c.write(appendPublish(nil, 1, "q", []byte("held too"))) // told once
	c.send(1, &wire.BasicQos{PrefetchCount: 1})             // waits behind it
	c.send(2, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"})
	want[*wire.BasicConsumeOk](c)
	d := want[*wire.BasicDeliver](c)
	if got := string(c.body()); got != "before" {
		t.Errorf("got %q", got)
	}
	c.send(2, &wire.BasicAck{DeliveryTag: d.DeliveryTag}, &wire.BasicQos{})
	want[*wire.BasicQosOk](c) // of channel 2: what drains goes on

	s.opt.Broker.SetAlarm(broker.MemoryAlarm, false)
	want[*wire.ConnectionUnblocked](c)
	qos, bodies := 0, ""
	for qos == 0 || bodies != "held|held too|" {
		_, m, err := c.receive()
		if err != nil {
			t.Fatalf("%v after %q", err, bodies)
		}
		switch m.(type) {
		case *wire.BasicQosOk:
			qos++
		case *wire.BasicDeliver:
			bodies += string(c.body()) + "|"
		}
	}
}

func TestAlarmIsNotToldToWhoDoesNotPublish(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s).open(0).channel(1)
	s.opt.Broker.SetAlarm(broker.DiskAlarm, true)
	c.declare(1, "q")
	s.opt.Broker.SetAlarm(broker.DiskAlarm, false)
	c.declare(1, "r")
}

func TestHeldBacklogIsBoundedAndLosesNothing(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s).open(0).channel(1)
	c.declare(1, "q")
	s.opt.Broker.SetAlarm(broker.MemoryAlarm, true)
	const n = 100
	body := make([]byte, 10_000) // 1 MB in all: more than is kept
	sent := make(chan struct{})
	go func() {
		for range n {
			c.write(appendPublish(nil, 1, "q", body))
		}
		close(sent)
	}()
	want[*wire.ConnectionBlocked](c)
	s.opt.Broker.SetAlarm(broker.MemoryAlarm, false)
	want[*wire.ConnectionUnblocked](c)
	<-sent
	c.send(1, &wire.QueueDeclare{Queue: "q", Passive: true})
	if m := want[*wire.QueueDeclareOk](c); m.MessageCount != n {
		t.Errorf("%d messages, want %d", m.MessageCount, n)
	}
}
