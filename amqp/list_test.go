package amqp

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// TestListsOfConnections: a connection is listed from open-ok on, and gone when
// its client knows that it is closed.
func TestListsOfConnections(t *testing.T) {
	s := startServer(t, Options{})
	early := dial(t, s)
	early.login(nil)
	if n := len(s.Connections()); n != 0 {
		t.Fatalf("%d connections before open", n)
	}
	c := dial(t, s).open(20).channel(1).channel(7)
	all := s.Connections()
	if len(all) != 1 {
		t.Fatalf("%d connections", len(all))
	}
	v := all[0]
	name := c.nc.LocalAddr().String() + " -> " + c.nc.RemoteAddr().String()
	if v.Name != name || v.User != "guest" || v.VHost != "/" || v.State != "running" || v.Mechanism != "PLAIN" || v.Channels != 2 ||
		v.ChannelMax != 2047 || v.FrameMax != 131072 || v.Heartbeat != 20*time.Second || v.TLS != nil || v.Since.IsZero() {
		t.Errorf("%+v", v)
	}
	if w := v.Wire; w.Received == 0 || w.Sent == 0 || w.Reads == 0 || w.Writes == 0 {
		t.Errorf("octets %+v", w)
	}
	if _, ok := v.Properties.Get("capabilities"); !ok {
		t.Error("no client properties")
	}
	c.send(0, &wire.ConnectionClose{})
	want[*wire.ConnectionCloseOk](c)
	if n := len(s.Connections()); n != 0 {
		t.Errorf("%d connections after close-ok", n)
	}
	churn := s.Churn()
	churn.Gone = broker.WireCounts{}
	if got, want := churn, (broker.ConnectionChurn{Opened: 1, Closed: 1, ChannelsOpened: 2, ChannelsClosed: 2, Logins: 2}); got != want {
		t.Errorf("churn %+v, want %+v", got, want)
	}
}

func TestCloseConnection(t *testing.T) {
	s := startServer(t, Options{})
	if s.CloseConnection("nobody", "x") {
		t.Error("closed a connection that does not exist")
	}
	c := dial(t, s).open(0)
	if !s.CloseConnection(s.Connections()[0].Name, "go away") {
		t.Error("not found")
	}
	if m := want[*wire.ConnectionClose](c); m.ReplyCode != 320 || m.ReplyText != "CONNECTION_FORCED - go away" {
		t.Errorf("%+v", m)
	}
}

// TestListsOfChannels follows a channel through all that is counted.
func TestListsOfChannels(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s).open(0).channel(1).channel(2)
	c.declare(1, "q")
	c.send(1, &wire.BasicQos{PrefetchCount: 5}, &wire.BasicConsume{Queue: "q", ConsumerTag: "tag", Arguments: wire.Table{{Name: "x-priority", Value: int32(3)}}})
	want[*wire.BasicQosOk](c)
	want[*wire.BasicConsumeOk](c)
	c.send(2, &wire.ConfirmSelect{}, &wire.BasicQos{PrefetchCount: 9, Global: true}, &wire.BasicGet{Queue: "q"})
	want[*wire.ConfirmSelectOk](c)
	want[*wire.BasicQosOk](c)
	want[*wire.BasicGetEmpty](c)
	c.write(appendPublish(appendPublish(appendPublish(nil, 2, "q", []byte("a")), 2, "q", []byte("b")), 2, "nowhere", []byte("c")))
	tags := map[uint64]bool{}
	for acked := uint64(0); acked < 3 || len(tags) < 2; {
		switch _, m, err := c.receive(); m := m.(type) {
		case *wire.BasicDeliver:
			c.body()
			tags[m.DeliveryTag] = true
		case *wire.BasicAck:
			acked = m.DeliveryTag
		default:
			t.Fatal(m, err)
		}
	}
	c.send(1, &wire.BasicAck{DeliveryTag: 1}, &wire.BasicNack{DeliveryTag: 2, Requeue: true}, &wire.ChannelFlow{Active: true})
	for redelivered, flowed := false, false; !redelivered || !flowed; {
		switch _, m, err := c.receive(); m := m.(type) {
		case *wire.BasicDeliver:
			c.body()
			redelivered = m.Redelivered
		case *wire.ChannelFlowOk:
			flowed = true
		default:
			t.Fatal(m, err)
		}
	}
	all := s.Channels()
	if len(all) != 2 || all[0].Number != 1 || all[1].Number != 2 || all[0].Connection.Name != s.Connections()[0].Name {
		t.Fatalf("%+v", all)
	}
	in, out := all[1], all[0]
	if in.Confirm != true || in.Transactional || in.GlobalPrefetch != 9 || in.Unconfirmed != 0 ||
		in.Publish != (broker.PublishCounts{Published: 3, Routed: 2, Awaited: 3, Confirmed: 3, Dropped: 1}) {
		t.Errorf("publisher %+v", in)
	}
	if got := in.Deliveries["q"]; got != (broker.DeliverCounts{GotNothing: 1}) {
		t.Errorf("getter %+v", got)
	}
	if out.Confirm || out.Prefetch != 5 || out.Unacked != 1 {
		t.Errorf("consumer %+v", out)
	}
	if got := out.Deliveries["q"]; got != (broker.DeliverCounts{Delivered: 3, Redelivered: 1, Acknowledged: 1}) {
		t.Errorf("deliveries %+v", got)
	}
	k := out.Consumers
	if len(k) != 1 || k[0].Queue != "q" || k[0].Tag != "tag" || k[0].NoAck || k[0].Exclusive || k[0].Prefetch != 5 || k[0].Priority != 3 || k[0].Channel != out {
		t.Errorf("consumers %+v", k)
	}
}

func TestListsOfTransactions(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s).open(0).channel(1)
	c.declare(1, "q")
	c.write(appendPublish(nil, 1, "q", []byte("a")))
	c.send(1, &wire.TxSelect{}, &wire.BasicGet{Queue: "q"})
	want[*wire.TxSelectOk](c)
	want[*wire.BasicGetOk](c)
	c.body()
	c.write(appendPublish(nil, 1, "q", []byte("b")))
	c.send(1, &wire.BasicAck{DeliveryTag: 1}, &wire.ChannelFlow{Active: true})
	want[*wire.ChannelFlowOk](c)
	v := s.Channels()[0]
	if !v.Transactional || v.UncommittedPublishes != 1 || v.UncommittedSettles != 1 || v.Unacked != 1 || v.Deliveries["q"].Acknowledged != 0 {
		t.Errorf("open transaction: %+v", v)
	}
	c.send(1, &wire.TxCommit{})
	want[*wire.TxCommitOk](c)
	v = s.Channels()[0]
	if v.UncommittedPublishes != 0 || v.UncommittedSettles != 0 || v.Unacked != 0 || v.Deliveries["q"] != (broker.DeliverCounts{Got: 1, Acknowledged: 1}) {
		t.Errorf("committed: %+v", v)
	}
}

// TestManyQueuesAreBounded: a channel that gets from ever new queues does not
// grow with them.
func TestManyQueuesAreBounded(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s).open(0).channel(1)
	for i := range countedMost + 2 {
		name := fmt.Sprint("q", i)
		c.declare(1, name)
		c.send(1, &wire.BasicGet{Queue: name})
		want[*wire.BasicGetEmpty](c)
	}
	if v := s.Channels()[0]; len(v.Deliveries) != countedMost || v.DeliveriesOfOthers.GotNothing != 2 {
		t.Errorf("%d queues, %+v of others", len(v.Deliveries), v.DeliveriesOfOthers)
	}
}

// TestListsWhileAllMoves is for the race detector.
func TestListsWhileAllMoves(t *testing.T) {
	s := startServer(t, Options{})
	stop := make(chan struct{})
	var lists sync.WaitGroup
	lists.Go(func() { // until stop
		for {
			select {
			case <-stop:
				return
			default:
				s.Connections()
				s.Channels()
			}
		}
	})
	for range 5 {
		c := dial(t, s).open(0).channel(1)
		c.declare(1, "q")
		c.send(1, &wire.BasicConsume{Queue: "q", NoAck: true}, &wire.ConfirmSelect{}, &wire.BasicQos{PrefetchCount: 1})
		want[*wire.BasicConsumeOk](c)
		want[*wire.ConfirmSelectOk](c)
		want[*wire.BasicQosOk](c)
		c.write(appendPublish(nil, 1, "q", []byte("a")))
		for range 2 {
			if _, m, err := c.receive(); err != nil {
				t.Fatal(m, err)
			} else if m.HasContent() {
				c.body()
			}
		}
		c.channel(2)
		c.send(2, &wire.TxSelect{}, &wire.ChannelClose{})
		want[*wire.TxSelectOk](c)
		want[*wire.ChannelCloseOk](c)
		c.send(0, &wire.ConnectionClose{})
		want[*wire.ConnectionCloseOk](c)
	}
	close(stop)
	lists.Wait()
}
