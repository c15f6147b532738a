package server

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/broker/meta"
)

// TestDeletedVHostLeavesNothing: the messages of a deleted virtual host are gone
// from the log too, its clients are told, and a new one of that name is empty.
func TestDeletedVHostLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	vhost(t, s, "v")
	conn, err := amqp.Dial(s.URL() + "v")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	ch := channel(t, conn)
	confirms := ch.NotifyPublish(make(chan amqp.Confirmation, 10))
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := ch.PublishWithContext(t.Context(), "", "q", false, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("m")}); err != nil {
			t.Fatal(err)
		}
		<-confirms
	}
	if err := s.broker.DeleteVHost(t.Context(), "v"); err != nil {
		t.Fatal(err)
	}
	if e := <-closed; e == nil || e.Code != 320 || e.Reason != "CONNECTION_FORCED - vhost 'v' is deleted" {
		t.Fatal(e)
	}
	s = restart(t, s, dir)
	if n := s.log.Stats().Orphans; n != 0 {
		t.Fatalf("%d records of unknown queues", n)
	}
	vhost(t, s, "v")
	conn, err = amqp.Dial(s.URL() + "v")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var missing *amqp.Error
	if _, err := channel(t, conn).QueueDeclarePassive("q", true, false, false, false, nil); !errors.As(err, &missing) || missing.Code != 404 {
		t.Fatal(err)
	}
}

// TestPolicyGovernsRestoredQueue: policies hold for what comes back from the
// disk.
func TestPolicyGovernsRestoredQueue(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	conn, err := amqp.Dial(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	ch := channel(t, conn)
	for _, q := range []string{"q", "dead"} {
		if _, err := ch.QueueDeclare(q, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.broker.PutPolicy(t.Context(), meta.Policy{PolicyName: meta.PolicyName{VHost: "/", Name: "p"}, Pattern: "^q$", ApplyTo: "queues",
		Definition: json.RawMessage(`{"dead-letter-exchange":"","dead-letter-routing-key":"dead"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.PublishWithContext(t.Context(), "", "q", false, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("m")}); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	s = restart(t, s, dir)
	if conn, err = amqp.Dial(s.URL()); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch = channel(t, conn)
	dead, err := ch.Consume("dead", "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	d, ok, err := ch.Get("q", false)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := d.Reject(false); err != nil {
		t.Fatal(err)
	}
	if m := <-dead; string(m.Body) != "m" {
		t.Fatalf("%q", m.Body)
	}
}

func start(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := Start(t.Context(), Options{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Shutdown(context.Background()) })
	return s
}

func restart(t *testing.T, s *Server, dir string) *Server {
	t.Helper()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	return start(t, dir)
}

func vhost(t *testing.T, s *Server, name string) {
	t.Helper()
	if _, err := s.broker.PutVHost(t.Context(), broker.VHostOptions{Name: name}); err != nil {
		t.Fatal(err)
	}
	_, err := s.broker.PutPermission(t.Context(), meta.Permission{User: "guest", VHost: name, Configure: ".*", Write: ".*", Read: ".*"})
	if err != nil {
		t.Fatal(err)
	}
}
