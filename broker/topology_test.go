package broker

import (
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
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
