package broker

import (
	"errors"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// replyTo registers a channel and gives its name, the bodies that it got, and
// its end.
func replyTo(t *testing.T, s *Session) (name string, got *[]string, end func()) {
	t.Helper()
	got = new([]string)
	name, end = s.RegisterReplyTo(func(c queue.Content) bool {
		*got = append(*got, string(c.Body))
		return true
	})
	if !strings.HasPrefix(name, "amq.rabbitmq.reply-to.") {
		t.Fatalf("a channel's name is %q", name)
	}
	return name, got, end
}

func TestDirectReplies(t *testing.T) {
	n := newNode(t)
	s := n.client("guest", "/")
	a, gotA, endA := replyTo(t, s.Session)
	b, gotB, _ := replyTo(t, n.client("guest", "/").Session)
	if a == b {
		t.Fatal("two channels have one name")
	}
	r := &returns{}
	p := s.NewPublisher(1, r)
	reply := func(exchange, key, body string) {
		t.Helper()
		m, _ := message(exchange, key, body, nil)
		publish(t, p, m)
		p.Flush()
	}
	reply("", a, "1")
	reply("", b, "2")
	reply("", a, "3")
	reply("amq.direct", a, "by another exchange")
	reply("", a+"x", "nobody")
	reply("", "amq.rabbitmq.reply-to", "no name")
	endA()
	reply("", a, "too late")
	if g, h := strings.Join(*gotA, " "), strings.Join(*gotB, " "); g != "1 3" || h != "2" {
		t.Fatalf("got %q and %q, want 1 3 and 2", g, h)
	}
	s.send(p, "", b, true, 1)
	if p.Flush(); r.n != 1 || len(*gotB) != 2 {
		t.Fatalf("a mandatory reply came %d times and was returned %d times, want both once (RabbitMQ)", len(*gotB)-1, r.n)
	}
}

// The pseudo address in a request becomes the channel's own.
func TestReplyAddress(t *testing.T) {
	n := newNode(t)
	s := n.client("guest", "/")
	n.must(s.declare(wire.QueueDeclare{Queue: "q"}))
	p := s.NewPublisher(1, nil)
	ask := func(address string) error {
		x := wire.Properties{Flags: wire.FlagReplyTo | wire.FlagType, ReplyTo: address, Type: "kept"}
		props := x.Append(nil)
		view, err := wire.ScanProperties(props)
		n.must(err)
		route := wire.AppendRoute(nil, "", "q")
		err = p.Publish(wire.Publish{RoutingKey: []byte("q"), Route: route}, props, view, nil, nil)
		p.Flush()
		return err
	}
	refused(t, ask("amq.rabbitmq.reply-to"), wire.PreconditionFailed, "fast reply consumer does not exist")
	p.SetReplyTo("amq.rabbitmq.reply-to.mine")
	for _, address := range []string{"amq.rabbitmq.reply-to", "amq.rabbitmq.reply-to.other", "queue"} {
		n.must(ask(address))
	}
	p.SetReplyTo("")
	refused(t, ask("amq.rabbitmq.reply-to"), wire.PreconditionFailed, "fast reply consumer does not exist")
	q, err := s.Queue("q", Read)
	n.must(err)
	g := q.Getter()
	for _, want := range []string{"amq.rabbitmq.reply-to.mine", "amq.rabbitmq.reply-to.other", "queue"} {
		q.Get(g, true, func(d queue.Delivery, _ int, ok bool) {
			props, err := wire.ParseProperties(d.Props)
			if !ok || err != nil || props.ReplyTo != want || props.Type != "kept" {
				t.Errorf("reply-to %q, type %q, %v; want %q, kept", props.ReplyTo, props.Type, err, want)
			}
		})
	}
}

// The pseudo queue can be declared, passively or not, and so can the name of a
// channel that listens (RabbitMQ).
func TestReplyQueueIsDeclared(t *testing.T) {
	s := newNode(t).client("guest", "/")
	name, _, end := replyTo(t, s.Session)
	for _, k := range []struct {
		queue string
		found bool
	}{{"amq.rabbitmq.reply-to", true}, {name, true}, {name + "x", false}, {"amq.rabbitmq.reply-to.", false}} {
		s.DeclareQueue(&wire.QueueDeclare{Queue: k.queue, Passive: true}, func(info QueueInfo, err error) {
			want := QueueInfo{}
			if k.found {
				want = QueueInfo{Name: k.queue, Consumers: 1}
			}
			if info != want || (err == nil) != k.found {
				t.Errorf("%q: %+v, %v; want found %v", k.queue, info, err, k.found)
			}
		})
	}
	end()
	s.DeclareQueue(&wire.QueueDeclare{Queue: name}, func(_ QueueInfo, err error) {
		refused(t, err, wire.NotFound, "no queue '"+name+"' in vhost '/'")
	})
}

// brokenRand has run out of octets.
type brokenRand struct{}

func (brokenRand) Read([]byte) (int, error) { return 0, errors.New("no octets") }

// Without random octets there is no name; nothing is registered under "".
func TestReplyWithoutRandom(t *testing.T) {
	n := newNode(t)
	s := n.client("guest", "/")
	n.Broker.opt.Rand = brokenRand{}
	name, end := s.RegisterReplyTo(func(queue.Content) bool { return true })
	end()
	if name != "" {
		t.Fatalf("a channel's name is %q", name)
	}
	var e *wire.Error
	if err := s.declare(wire.QueueDeclare{}); !errors.As(err, &e) || e.Code != wire.InternalError || !e.Connection {
		t.Fatalf("a queue without a name is answered with %v, want 541", err)
	}
}
