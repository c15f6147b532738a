package mgmt

import (
	"fmt"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/exchange"
)

// defaultExchange stands for the exchange without a name in paths.
const defaultExchange = "amq.default"

// exchangeName is the exchange of the path.
func (c *call) exchangeName() string {
	if name := c.vars["exchange"]; name != defaultExchange {
		return name
	}
	return ""
}

type exchangeRow struct {
	broker.ExchangeView
	look *look
}

var exchangeColumns = []column[*exchangeRow]{ // read-only
	{"name", func(x *exchangeRow) any { return x.Name }},
	{"vhost", func(x *exchangeRow) any { return x.VHost }},
	{"type", func(x *exchangeRow) any { return x.Kind }},
	{"durable", func(x *exchangeRow) any { return x.Durable }},
	{"auto_delete", func(x *exchangeRow) any { return x.AutoDelete }},
	{"internal", func(x *exchangeRow) any { return x.Internal }},
	{"arguments", func(x *exchangeRow) any { return x.Arguments }},
	{"policy", func(x *exchangeRow) any {
		if x.Policy == "" {
			return absent{}
		}
		return x.Policy
	}},
	{"message_stats", func(x *exchangeRow) any { return x.stats() }},
	{"user_who_performed_action", func(x *exchangeRow) any { return x.maker() }},
}

// exchangeDetails are what a single exchange shows beside.
var exchangeDetails = joined(exchangeColumns, []column[*exchangeRow]{ // read-only
	{"incoming", func(*exchangeRow) any { return list{} }},
	{"outgoing", func(*exchangeRow) any { return list{} }},
})

var exchangeStats = []stat{ // read-only
	{"publish_in", []int{ofPublish}}, {"publish_out", []int{ofRouted}},
}

func (x *exchangeRow) stats() object {
	p := x.look.c.srv.samples.past(series{anExchange, x.ID, ""}, exchangeVector(&x.PublishCounts), x.look.ages)
	return p.stats(x.look.ages.messages, exchangeStats)
}

// maker is who declared the exchange, as far as that is known.
func (x *exchangeRow) maker() string {
	if x.Name == "" || strings.HasPrefix(x.Name, "amq.") {
		return "rmq-internal"
	}
	return "unknown"
}

func (c *call) exchanges() error {
	if _, ofOne := c.vars["vhost"]; ofOne {
		if err := c.inside(); err != nil {
			return err
		}
	}
	l := c.look()
	var all []exchangeRow
	for _, x := range c.broker().Exchanges(c.within()) {
		all = append(all, exchangeRow{x, l})
	}
	return rows(c, exchangeColumns, pointers(all))
}

// pointers spares the columns from copying rows.
func pointers[T any](all []T) []*T {
	out := make([]*T, len(all))
	for i := range all {
		out[i] = &all[i]
	}
	return out
}

func (c *call) oneExchange() error {
	x, ok := c.broker().Exchange(c.vhost(), c.exchangeName())
	if !ok {
		return missing()
	}
	return row(c, exchangeDetails, &exchangeRow{x, c.look()})
}

func (c *call) putExchange() error {
	m, err := c.exchangeDeclare()
	if err != nil {
		return err
	}
	_, exists := c.broker().Exchange(c.vhost(), m.Exchange)
	return c.put(!exists, c.perform(func(s *broker.Session, reply func(error)) { s.DeclareExchange(m, reply) }))
}

func (c *call) exchangeDeclare() (*wire.ExchangeDeclare, error) {
	b, err := c.object()
	if err != nil {
		return nil, err
	}
	if err := c.inside(); err != nil {
		return nil, err
	}
	m := &wire.ExchangeDeclare{Exchange: c.exchangeName(), Type: "direct"}
	if _, ok := b["type"]; ok {
		if m.Type, err = b.text("type"); err != nil {
			return nil, err
		}
	}
	if !exchange.Known(m.Type) {
		return nil, badRequest(fmt.Sprintf("invalid exchange type '%s'", m.Type))
	}
	if err := b.flags(map[string]*bool{"durable": &m.Durable, "auto_delete": &m.AutoDelete, "internal": &m.Internal}); err != nil {
		return nil, err
	}
	m.Arguments, err = b.table("arguments")
	if n := len(m.Exchange); err == nil && n > nameMost {
		err = badRequest(fmt.Sprintf("exchange should be less than 255 bytes, actually was %d\n", n))
	}
	return m, err
}

// flags reads several flags.
func (b body) flags(into map[string]*bool) (err error) {
	for name, to := range into {
		if *to, err = b.flag(name); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) deleteExchange() error {
	m := &wire.ExchangeDelete{Exchange: c.exchangeName(), IfUnused: c.query.Get("if-unused") == "true"}
	if _, ok := c.broker().Exchange(c.vhost(), m.Exchange); !ok {
		return missing()
	}
	return c.deleted(c.perform(func(s *broker.Session, reply func(error)) { s.DeleteExchange(m, reply) }))
}
