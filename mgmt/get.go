package mgmt

import (
	"encoding/base64"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/queue"
)

// getMost bounds the messages, and getOctets their payloads, of one answer.
const (
	getMost   = 10_000
	getOctets = 64 << 20
)

// wish is what a client wants to get.
type wish struct {
	count    int64
	mode     string // ackmode
	base64   bool
	truncate int // octets of a payload that are shown; negative: all
}

var ackModes = []string{"ack_requeue_true", "ack_requeue_false", "reject_requeue_true", "reject_requeue_false"} // read-only

func (c *call) get() error {
	w, err := c.wish()
	if err != nil {
		return err
	}
	s, err := c.session()
	if err != nil {
		return err
	}
	defer s.Close()
	q, err := s.Queue(c.vars["queue"], broker.Read)
	if err == nil {
		err = q.Gettable()
	}
	if err != nil {
		return c.getProblem(err)
	}
	all, err := c.fetch(s, q, w)
	if err != nil {
		return err
	}
	return c.answer(all)
}

// getProblem: RabbitMQ words a missing queue in a way of its own.
func (c *call) getProblem(err error) error {
	var w *wire.Error
	if errors.As(err, &w) && w.Code == wire.NotFound {
		return missingFor(w.Error())
	}
	return codeAndText(err)
}

func (c *call) wish() (w wish, err error) {
	b, err := c.object("ackmode", "count", "encoding")
	if err != nil {
		return w, err
	}
	if err := c.inside(); err != nil {
		return w, err
	}
	if w.count, err = b.whole("count"); err != nil {
		return w, badRequest(list{"not_integer", b["count"]})
	}
	if w.mode, err = b.text("ackmode"); err != nil || !slices.Contains(ackModes, w.mode) {
		return w, badRequest("Unsupported ackmode. Please use ack_requeue_true, ack_requeue_false, reject_requeue_true or reject_requeue_false.")
	}
	encoding, err := b.text("encoding")
	if err != nil || encoding != "auto" && encoding != "base64" {
		return w, badRequest("Unsupported encoding. Please use auto or base64.")
	}
	w.base64, w.truncate = encoding == "base64", -1
	if _, ok := b["truncate"]; ok {
		n, err := b.whole("truncate")
		if err != nil || n < 0 {
			return w, badRequest(list{"not_integer", b["truncate"]})
		}
		w.truncate = int(min(n, getOctets))
	}
	return w, nil
}

// fetch gets messages one by one, and then does with them what the mode says.
func (c *call) fetch(s *broker.Session, q *queue.Queue, w wish) ([]object, error) {
	g := q.Getter()
	defer s.Release(g)
	noAck := w.mode == "ack_requeue_false"
	all, last, octets := []object{}, uint64(0), 0
	if w.count < 0 || w.count > getMost { // RabbitMQ: a negative count is all
		w.count = getMost
	}
	for int64(len(all)) < w.count && octets < getOctets {
		m, err := c.getOne(q, g, noAck, w)
		if err != nil {
			return nil, err
		}
		if m == nil {
			break
		}
		all, last, octets = append(all, m.object), m.id, octets+m.octets
	}
	if last > 0 && !noAck {
		b := queue.NewBatch()
		if w.mode == "reject_requeue_false" {
			b.Discard(g, 1, last)
		} else {
			b.Requeue(g, 1, last)
		}
		b.Commit(nil) // to the queue's own log
	}
	return all, nil
}

// got is a message that was got.
type got struct {
	object
	id     uint64
	octets int
}

// getOne gets a message, nil when there is none.
func (c *call) getOne(q *queue.Queue, g *queue.Consumer, noAck bool, w wish) (*got, error) {
	done := make(chan *got, 1)
	q.Get(g, noAck, func(d queue.Delivery, remaining int, ok bool) {
		if !ok {
			done <- nil
			return
		}
		done <- &got{w.show(&d, remaining), d.ID, len(d.Body)}
	})
	select {
	case m := <-done:
		return m, nil
	case <-c.r.Context().Done():
		return nil, c.r.Context().Err()
	}
}

// show copies a message out of the views of a delivery.
func (w *wish) show(d *queue.Delivery, remaining int) object {
	exchange, key := wire.SplitRoute(d.Route)
	p, _ := wire.ParseProperties(slices.Clone(d.Props)) // checked when it was published
	body := d.Body
	if w.truncate >= 0 && len(body) > w.truncate {
		body = body[:w.truncate]
	}
	text, encoding := string(body), "string"
	if w.base64 || !utf8.Valid(body) {
		text, encoding = base64.StdEncoding.EncodeToString(body), "base64"
	}
	return object{
		{"payload_bytes", len(d.Body)}, {"redelivered", d.Redelivered}, {"exchange", string(exchange)}, {"routing_key", string(key)},
		{"message_count", remaining}, {"properties", propertiesObject(&p)}, {"payload", text}, {"payload_encoding", encoding},
	}
}
