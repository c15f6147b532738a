package mgmt

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/broker/meta"
)

var bindingColumns = []column[*meta.Binding]{ // read-only
	{"source", func(b *meta.Binding) any { return b.Source }},
	{"vhost", func(b *meta.Binding) any { return b.VHost }},
	{"destination", func(b *meta.Binding) any { return b.Dest }},
	{"destination_type", func(b *meta.Binding) any { return destinationType(b) }},
	{"routing_key", func(b *meta.Binding) any { return b.Key }},
	{"arguments", func(b *meta.Binding) any { return b.Arguments }},
	{"properties_key", func(b *meta.Binding) any { return propertiesKey(b) }},
}

func destinationType(b *meta.Binding) string {
	if b.ToExchange {
		return "exchange"
	}
	return "queue"
}

// propertiesKey names a binding among those of the same two ends: its key, and
// behind a tilde a hash of its arguments.
func propertiesKey(b *meta.Binding) string {
	key := strings.ReplaceAll(url.QueryEscape(b.Key), "~", "%7E")
	switch {
	case len(b.Arguments) > 0:
		return key + "~" + argumentsHash(b.Arguments)
	case key == "":
		return "~"
	}
	return key
}

// argumentsHash does not depend on the order of the arguments.
func argumentsHash(t wire.Table) string {
	t = slices.Clone(t)
	slices.SortFunc(t, func(x, y wire.Field) int { return strings.Compare(x.Name, y.Name) })
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE(wire.AppendTable(nil, t)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// named says whether a properties key of a path, decoded once, names b.
func named(b *meta.Binding, props string) bool {
	key, hash, _ := strings.Cut(props, "~")
	if unquoted, err := url.QueryUnescape(key); err == nil && unquoted == b.Key {
		key = b.Key
	}
	want := ""
	if len(b.Arguments) > 0 {
		want = argumentsHash(b.Arguments)
	}
	return key == b.Key && hash == want
}

// bindingsWhere lists the bindings that keep picks.
func (c *call) bindingsWhere(keep func(*meta.Binding) bool) error {
	if _, ofOne := c.vars["vhost"]; ofOne {
		if err := c.inside(); err != nil {
			return err
		}
	}
	return rows(c, bindingColumns, c.pickBindings(keep))
}

func (c *call) pickBindings(keep func(*meta.Binding) bool) []*meta.Binding {
	all := pointers(c.broker().Bindings(c.within()))
	return slices.DeleteFunc(all, func(b *meta.Binding) bool { return !keep(b) })
}

func (c *call) bindings() error { return c.bindingsWhere(func(*meta.Binding) bool { return true }) }

func (c *call) queueBindings() error {
	return c.bindingsWhere(func(b *meta.Binding) bool { return !b.ToExchange && b.Dest == c.vars["queue"] })
}

func (c *call) bindingsFrom() error {
	return c.bindingsWhere(func(b *meta.Binding) bool { return b.Source == c.exchangeName() })
}

func (c *call) bindingsTo() error {
	return c.bindingsWhere(func(b *meta.Binding) bool { return b.ToExchange && b.Dest == c.exchangeName() })
}

// ends gives the two ends of the path: source, and destination of kind q or e.
func (c *call) ends() (meta.Binding, error) {
	b := meta.Binding{VHost: c.vhost(), Source: c.exchangeName(), Dest: c.vars["destination"], ToExchange: c.vars["kind"] == "e"}
	if kind := c.vars["kind"]; kind != "q" && kind != "e" {
		return b, missing()
	}
	if b.ToExchange && b.Dest == defaultExchange {
		b.Dest = ""
	}
	return b, nil
}

func sameEnds(x, y *meta.Binding) bool {
	return x.Source == y.Source && x.Dest == y.Dest && x.ToExchange == y.ToExchange
}

func (c *call) bindingsBetween() error {
	ends, err := c.ends()
	if err != nil {
		return err
	}
	return c.bindingsWhere(func(b *meta.Binding) bool { return sameEnds(b, &ends) })
}

// binding finds the one that the path names.
func (c *call) binding() (*meta.Binding, error) {
	ends, err := c.ends()
	if err != nil {
		return nil, err
	}
	found := c.pickBindings(func(b *meta.Binding) bool { return sameEnds(b, &ends) && named(b, c.vars["props"]) })
	if len(found) == 0 {
		return nil, missing()
	}
	return found[0], nil
}

func (c *call) oneBinding() error {
	b, err := c.binding()
	if err != nil {
		return err
	}
	return row(c, bindingColumns, b)
}

func (c *call) bind() error {
	in, err := c.object()
	if err != nil {
		return err
	}
	b, err := c.ends()
	if err != nil {
		return err
	}
	if b.Key, err = in.text("routing_key"); err != nil {
		return err
	}
	if b.Arguments, err = in.table("arguments"); err != nil {
		return err
	}
	if len(b.Key) > nameMost {
		return badRequest("routing_key is longer than 255 octets")
	}
	err = c.perform(func(s *broker.Session, reply func(error)) { bind(s, &b, reply) })
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", url.QueryEscape(c.vars["destination"])+"/"+url.QueryEscape(propertiesKey(&b)))
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

func bind(s *broker.Session, b *meta.Binding, reply func(error)) {
	if b.ToExchange {
		s.BindExchange(&wire.ExchangeBind{Source: b.Source, Destination: b.Dest, RoutingKey: b.Key, Arguments: b.Arguments}, reply)
		return
	}
	s.BindQueue(&wire.QueueBind{Exchange: b.Source, Queue: b.Dest, RoutingKey: b.Key, Arguments: b.Arguments}, reply)
}

func (c *call) unbind() error {
	b, err := c.binding()
	if err != nil {
		return err
	}
	return c.deleted(c.perform(func(s *broker.Session, reply func(error)) {
		if b.ToExchange {
			s.UnbindExchange(&wire.ExchangeUnbind{Source: b.Source, Destination: b.Dest, RoutingKey: b.Key, Arguments: b.Arguments}, reply)
			return
		}
		s.UnbindQueue(&wire.QueueUnbind{Exchange: b.Source, Queue: b.Dest, RoutingKey: b.Key, Arguments: b.Arguments}, reply)
	}))
}
