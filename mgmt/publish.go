package mgmt

import (
	"encoding/base64"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/queue"
)

func (c *call) publish() error {
	b, err := c.object("routing_key", "properties", "payload", "payload_encoding")
	if err != nil {
		return err
	}
	m, err := c.message(b)
	if err != nil {
		return err
	}
	s, err := c.session()
	if err != nil {
		return err
	}
	defer s.Close()
	routed, err := c.deliver(s, m)
	if err != nil {
		return err
	}
	return c.answer(object{{"routed", routed}})
}

// message is one to be published.
type message struct {
	exchange, key string
	properties    []byte // encoded
	payload       []byte
}

func (c *call) message(b body) (m message, err error) {
	m.exchange = c.exchangeName()
	if m.key, err = b.text("routing_key"); err != nil {
		return m, err
	}
	if len(m.key) > nameMost || len(m.exchange) > nameMost {
		return m, badRequest("routing_key is longer than 255 octets")
	}
	given := body{}
	if string(b["properties"]) != "[]" {
		if given, err = parseObject(b["properties"]); err != nil {
			return m, err
		}
	}
	p, err := properties(given)
	if err != nil {
		return m, err
	}
	m.properties = p.Append(nil)
	m.payload, err = payload(b)
	return m, err
}

func payload(b body) ([]byte, error) {
	text, err := b.text("payload")
	if err != nil {
		return nil, badRequest("payload_not_string")
	}
	encoding, err := b.text("payload_encoding")
	switch {
	case err != nil:
		return nil, err
	case encoding == "string":
		return []byte(text), nil
	case encoding != "base64":
		return nil, badRequest(list{"unsupported_encoding", encoding})
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, badRequest(list{"not_base64", text})
	}
	return raw, nil
}

// returned notes that a message came back.
type returned bool

// Return implements broker.Returner.
func (r *returned) Return(wire.Code, string, queue.Content) { *r = true }

// deliver publishes a message and waits for its confirm; routed is false when no
// queue got it.
func (c *call) deliver(s *broker.Session, m message) (routed bool, err error) {
	var back returned
	ready := make(chan struct{}, 1)
	p := s.NewPublisher(1, &back)
	defer p.Close()
	p.SelectConfirms(func() {
		select {
		case ready <- struct{}{}:
		default:
		}
	})
	view, err := wire.ScanProperties(m.properties)
	if err != nil {
		return false, codeAndText(err)
	}
	pub := wire.Publish{Exchange: []byte(m.exchange), RoutingKey: []byte(m.key), Route: wire.AppendRoute(nil, m.exchange, m.key), Mandatory: true}
	if err := p.Publish(pub, m.properties, view, m.payload, nil); err != nil {
		return false, codeAndText(err)
	}
	if !p.Flush() {
		select {
		case <-ready:
		case <-c.r.Context().Done():
			return false, c.r.Context().Err()
		}
	}
	taken := false
	p.Confirms().Take(func(_ uint64, _, ack bool) { taken = ack })
	if !taken {
		return false, badRequest("rejected Unable to publish message. Check queue limits.")
	}
	return !bool(back), nil
}
