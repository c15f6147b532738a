package amqp

import (
	"net"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// bare makes a connection without a reader, so that the test is the reader.
func bare(t *testing.T, s *Server) (*channel, *client) {
	t.Helper()
	a, b := net.Pipe()
	c := newConn(s, b)
	user, err := s.opt.Broker.Authenticate("guest", "guest", true)
	if err != nil {
		t.Fatal(err)
	}
	if c.session, err = s.opt.Broker.OpenSession(broker.SessionOptions{User: user, VHost: "/", Close: c.force}); err != nil {
		t.Fatal(err)
	}
	c.state = running
	ch := &channel{conn: c, id: 1, consumers: map[string]*consumer{}}
	ch.publisher = c.session.NewPublisher(ch.id, ch)
	c.channels.max, c.channels.open = 1, map[uint16]*channel{1: ch}
	t.Cleanup(func() { a.Close(); c.end(errEnded) })
	return ch, &client{t, a, wire.NewReader(a)}
}

// woken runs revisit if somebody woke the reader.
func (c *conn) woken() bool {
	c.in.mu.Lock()
	was := c.in.pending
	c.in.pending = false
	c.in.mu.Unlock()
	if was {
		c.revisit()
	}
	c.in.flush()
	return was
}

func TestAnswersKeepTheirOrder(t *testing.T) {
	cases := []struct {
		name  string
		order []int // in which four answers are given
		fail  int   // which is an error; -1: none
		want  []string
	}{
		{"in order", []int{0, 1, 2, 3}, -1, []string{"0", "1", "2", "3"}},
		{"backwards", []int{3, 2, 1, 0}, -1, []string{"0", "1", "2", "3"}},
		{"mixed", []int{2, 0, 3, 1}, -1, []string{"0", "1", "2", "3"}},
		{"an error ends the channel", []int{3, 1, 0, 2}, 2, []string{"0", "1", "channel.close"}},
		{"the first is an error", []int{3, 2, 1, 0}, 0, []string{"channel.close"}},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			ch, c := bare(t, startServer(t, Options{}))
			var answers []*answer
			for range 4 {
				answers = append(answers, ch.answer(&wire.QueueDeclare{}, false))
				ch.settleAnswers()
			}
			for _, i := range k.order {
				var err error
				if i == k.fail {
					err = wire.Errorf(wire.NotFound, "no")
				}
				answers[i].give(&wire.QueueDeclareOk{Queue: string(rune('0' + i))}, err)
				ch.conn.woken()
			}
			var got []string
			for range k.want {
				_, m, err := c.receive()
				if err != nil {
					t.Fatal(err)
				}
				if ok, is := m.(*wire.QueueDeclareOk); is {
					got = append(got, ok.Queue)
				} else {
					got = append(got, m.Name())
				}
			}
			if !slices.Equal(got, k.want) {
				t.Errorf("got %v, want %v", got, k.want)
			}
		})
	}
}

func TestFramesWaitForTheAnswersBeforeThem(t *testing.T) {
	ch, c := bare(t, startServer(t, Options{}))
	conn := ch.conn
	a := ch.answer(&wire.QueueDeclare{}, false)
	ch.settleAnswers()
	handle := func(m wire.Method) {
		payload := wire.AppendMethod(nil, 1, m)[7:]
		if err := conn.handle(wire.Head{Type: wire.FrameMethod, Channel: 1}, payload[:len(payload)-1]); err != nil {
			t.Fatal(err)
		}
	}
	handle(&wire.QueueDeclare{Queue: "q"}) // goes on: committed together
	if ch.park.on || len(ch.park.answers) != 2 {
		t.Fatalf("a declare behind a declare waits: %+v", ch.park)
	}
	handle(&wire.QueueBind{Exchange: "amq.fanout"}) // means the queue being declared
	handle(&wire.BasicQos{})
	if !ch.park.on || len(ch.park.backlog) == 0 {
		t.Fatal("a bind of the queue that is being declared does not wait")
	}
	if conn.woken() {
		t.Fatal("woken before the answer is given")
	}
	a.give(&wire.QueueDeclareOk{Queue: "first"}, nil)
	if !conn.woken() {
		t.Fatal("not woken by the answer")
	}
	if m := want[*wire.QueueDeclareOk](c); m.Queue != "first" {
		t.Errorf("got %+v", m)
	}
	if m := want[*wire.QueueDeclareOk](c); m.Queue != "q" {
		t.Errorf("got %+v", m)
	}
	want[*wire.QueueBindOk](c)
	want[*wire.BasicQosOk](c)
	if ch.park.on {
		t.Error("still parked")
	}
}

func TestErrorWaitsForTheAnswersBeforeIt(t *testing.T) {
	ch, c := bare(t, startServer(t, Options{}))
	a := ch.answer(&wire.QueueDeclare{}, false)
	ch.settleAnswers()
	if err := ch.ack(wire.AppendAck(nil, 1, 5, false)[7:20]); err != nil {
		t.Fatal(err)
	}
	if ch.state != channelDoomed {
		t.Fatalf("state %d", ch.state)
	}
	a.give(&wire.QueueDeclareOk{Queue: "q"}, nil)
	ch.conn.woken()
	want[*wire.QueueDeclareOk](c)
	if m := want[*wire.ChannelClose](c); m.ReplyCode != 406 || m.MethodID != 80 {
		t.Errorf("got %+v", m)
	}
}
