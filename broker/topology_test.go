package broker

import (
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// wait runs a call that replies and returns its reply.
func wait(call func(reply func(error))) error {
	done := make(chan error, 1)
	call(func(err error) { done <- err })
	return <-done
}

func declare(t *testing.T, s *Session, name, kind string, args wire.Table) {
	t.Helper()
	m := &wire.ExchangeDeclare{Exchange: name, Type: kind, Arguments: args}
	if err := wait(func(reply func(error)) { s.DeclareExchange(m, reply) }); err != nil {
		t.Fatal(err)
	}
}

func declareQueue(t *testing.T, s *Session, name string) {
	t.Helper()
	m := &wire.QueueDeclare{Queue: name}
	if err := wait(func(reply func(error)) { s.DeclareQueue(m, func(_ QueueInfo, err error) { reply(err) }) }); err != nil {
		t.Fatal(err)
	}
}

func bind(t *testing.T, s *Session, source, queue, key string) {
	t.Helper()
	m := &wire.QueueBind{Exchange: source, Queue: queue, RoutingKey: key}
	if err := wait(func(reply func(error)) { s.BindQueue(m, reply) }); err != nil {
		t.Fatal(err)
	}
}

// publish publishes m as a channel does, by the exchange and key of its route.
func publish(t *testing.T, p *Publisher, m queue.Message) {
	t.Helper()
	view, err := wire.ScanProperties(m.Props)
	if err != nil {
		t.Fatal(err)
	}
	exchange, key := wire.SplitRoute(m.Route)
	pub := wire.Publish{Exchange: exchange, RoutingKey: key, Route: m.Route}
	if err := p.Publish(pub, m.Props, view, m.Body, m.Shared); err != nil {
		t.Fatal(err)
	}
}

// ready counts the ready messages of a queue.
func ready(t *testing.T, s *Session, name string) int {
	t.Helper()
	q, err := s.Queue(name, Read)
	if err != nil {
		t.Fatal(err)
	}
	n, _, _ := q.Counts()
	return n
}
