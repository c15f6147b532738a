package broker

import (
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/queue"
)

// commit commits a transaction that settles nothing.
func commit(t *testing.T, p *Publisher) {
	t.Helper()
	if err := wait(func(reply func(error)) { p.Commit(func(*queue.Batch) {}, reply) }); err != nil {
		t.Fatal(err)
	}
}

// What comes from the socket is overwritten before the commit.
func TestTransactionsCopy(t *testing.T) {
	s := guestSession(t)
	declareQueue(t, s, "q")
	p := s.NewPublisher(1, nil)
	p.SelectTx()
	for _, body := range []string{"first", "second"} {
		m, buffer := message("", "q", body, wire.Table{{Name: "h", Value: body}})
		publish(t, p, m)
		for i := range buffer {
			buffer[i] = 0xEE
		}
	}
	if n := ready(t, s, "q"); n != 0 || p.Uncommitted() != 2 {
		t.Fatalf("%d messages arrived, %d wait; want none and 2", n, p.Uncommitted())
	}
	commit(t, p)
	headers := expectTaken(t, s, "q", "first", "second")
	if h, _ := headers["second"].Get("h"); h != "second" || p.Uncommitted() != 0 {
		t.Fatalf("headers %v, %d wait", headers, p.Uncommitted())
	}
	commit(t, p) // nothing comes twice
	expectTaken(t, s, "q")
}

// What an exchange remembers of messages it remembers at the commit: nobody
// waits for a transaction that stays open, and a rollback leaves no trace.
func TestTransactionsBySpecialExchanges(t *testing.T) {
	s := guestSession(t)
	declare(t, s, "x", "x-message-deduplication", wire.Table{{Name: "x-cache-size", Value: int32(10)}})
	declare(t, s, "before", "fanout", nil)
	declareQueue(t, s, "q")
	bind(t, s, "x", "q", "")
	if err := wait(func(reply func(error)) { s.BindExchange(&wire.ExchangeBind{Source: "before", Destination: "x"}, reply) }); err != nil {
		t.Fatal(err)
	}
	plain, tx := s.NewPublisher(1, nil), s.NewPublisher(2, nil)
	tx.SelectTx()
	send := func(p *Publisher, exchange, body, key string) {
		t.Helper()
		m, _ := message(exchange, "", body, wire.Table{{Name: "x-deduplication-header", Value: key}})
		publish(t, p, m)
		p.Flush()
	}
	for _, exchange := range []string{"x", "before"} {
		send(tx, exchange, "rolled back", "same")
		tx.Rollback()
	}
	for _, exchange := range []string{"x", "before"} {
		send(tx, exchange, "late", "same")
		send(tx, exchange, "by "+exchange, exchange)
	}
	send(plain, "x", "first", "same")
	commit(t, tx)
	expectTaken(t, s, "q", "first", "by x", "by before")
}

// The exchange of the last message that a commit sends is not taken for one that
// the next publish has been checked for.
func TestTransactionsAndRights(t *testing.T) {
	n := newNode(t)
	n.user("u", "/")
	c := n.client("u", "/")
	for _, x := range []string{"a", "b"} {
		n.must(c.declareExchange(wire.ExchangeDeclare{Exchange: x, Type: "fanout"}))
	}
	n.must(c.declare(wire.QueueDeclare{Queue: "q"}))
	n.must(c.bind("q", "a", ""))
	p := c.NewPublisher(1, nil)
	p.SelectTx()
	n.must(publishTo(p, "b", ""))
	n.must(publishTo(p, "a", "")) // allowed when it was published
	_, err := n.PutPermission(t.Context(), meta.Permission{User: "u", VHost: "/", Configure: ".*", Write: "^b$", Read: ".*"})
	n.must(err)
	n.must(p.Check([]byte("b")))
	commit(t, p)
	if n := ready(t, c.Session, "q"); n != 1 {
		t.Fatalf("%d messages arrived, want the one that was allowed", n)
	}
	refused(t, publishTo(p, "a", ""), wire.AccessRefused, "access to exchange 'a' in vhost '/' refused for user 'u'")
}
