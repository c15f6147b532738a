package mgmt

import (
	"github.com/leveretmq/leveret/amqp/wire"
)

// property is one of the basic class's properties that is a text.
type property struct {
	name string
	flag uint16
	of   func(p *wire.Properties) *string
}

var textProperties = []property{ // read-only
	{"content_type", wire.FlagContentType, func(p *wire.Properties) *string { return &p.ContentType }},
	{"content_encoding", wire.FlagContentEncoding, func(p *wire.Properties) *string { return &p.ContentEncoding }},
	{"correlation_id", wire.FlagCorrelationID, func(p *wire.Properties) *string { return &p.CorrelationID }},
	{"reply_to", wire.FlagReplyTo, func(p *wire.Properties) *string { return &p.ReplyTo }},
	{"expiration", wire.FlagExpiration, func(p *wire.Properties) *string { return &p.Expiration }},
	{"message_id", wire.FlagMessageID, func(p *wire.Properties) *string { return &p.MessageID }},
	{"type", wire.FlagType, func(p *wire.Properties) *string { return &p.Type }},
	{"user_id", wire.FlagUserID, func(p *wire.Properties) *string { return &p.UserID }},
	{"app_id", wire.FlagAppID, func(p *wire.Properties) *string { return &p.AppID }},
	{"cluster_id", wire.FlagClusterID, func(p *wire.Properties) *string { return &p.ClusterID }},
}

// properties reads those of a message to be published; names that AMQP does not
// have are left out (RabbitMQ).
func properties(b body) (p wire.Properties, err error) {
	for _, t := range textProperties {
		if _, ok := b[t.name]; !ok {
			continue
		}
		text, err := b.text(t.name)
		if err != nil {
			return p, err
		}
		if len(text) > nameMost {
			return p, badRequest(list{"too_long", t.name})
		}
		*t.of(&p) = text
		p.Flags |= t.flag
	}
	if _, ok := b["headers"]; ok {
		if p.Headers, err = b.table("headers"); err != nil {
			return p, err
		}
		p.Flags |= wire.FlagHeaders
	}
	return p, numbers(b, &p)
}

// numbers reads the properties that are numbers.
func numbers(b body, p *wire.Properties) error {
	for _, n := range []struct {
		name string
		flag uint16
		most int64
		set  func(int64)
	}{
		{"delivery_mode", wire.FlagDeliveryMode, 255, func(n int64) { p.DeliveryMode = uint8(n) }},
		{"priority", wire.FlagPriority, 255, func(n int64) { p.Priority = uint8(n) }},
		{"timestamp", wire.FlagTimestamp, 1<<63 - 1, func(n int64) { p.Timestamp = wire.Timestamp(n) }},
	} {
		raw, ok := b[n.name]
		if !ok {
			continue
		}
		v, err := number(string(raw))
		whole, isWhole := v.(int64)
		if err != nil || !isWhole || whole < 0 || whole > n.most {
			return badRequest(list{"not_int", n.name})
		}
		n.set(whole)
		p.Flags |= n.flag
	}
	return nil
}

// propertiesObject shows properties in RabbitMQ's order. RabbitMQ: none are an
// empty array.
func propertiesObject(p *wire.Properties) any {
	o := object{}
	for i := len(textProperties) - 1; i >= 0; i-- {
		t := textProperties[i]
		if p.Has(t.flag) {
			o = append(o, field{t.name, *t.of(p)})
		}
	}
	for _, n := range []struct {
		name  string
		flag  uint16
		value any
	}{
		{"timestamp", wire.FlagTimestamp, p.Timestamp}, {"priority", wire.FlagPriority, int(p.Priority)},
		{"delivery_mode", wire.FlagDeliveryMode, int(p.DeliveryMode)}, {"headers", wire.FlagHeaders, p.Headers},
	} {
		if p.Has(n.flag) {
			o = append(o, field{n.name, n.value})
		}
	}
	if len(o) == 0 {
		return list{}
	}
	return o
}
