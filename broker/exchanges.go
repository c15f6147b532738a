package broker

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/exchange"
)

// exchangeRef is an exchange that lives. Publishers keep it while it is not
// gone; routes is replaced as a whole under Broker.mu.
type exchangeRef struct {
	def       *meta.Exchange
	vhost     *vhost
	applied   *applied // nil: no policy
	counts    publishCounts
	alternate string
	routes    atomic.Pointer[routes]
	gone      atomic.Bool
	special   *special
	inert     bool // of a type that an import has kept and nobody here knows
}

// routes is one version of an exchange's bindings.
type routes struct{ exchange.Router }

// predeclared are the exchanges of every virtual host; read-only.
var predeclared = [...]meta.Exchange{
	{Name: "", Kind: "direct"}, {Name: "amq.direct", Kind: "direct"}, {Name: "amq.fanout", Kind: "fanout"}, {Name: "amq.topic", Kind: "topic"},
	{Name: "amq.headers", Kind: "headers"}, {Name: "amq.match", Kind: "headers"}, {Name: "amq.rabbitmq.trace", Kind: "topic", Internal: true},
}

// addVHost makes a virtual host with its exchanges; mu is held.
func (b *Broker) addVHost(def *meta.VHost) []meta.Change {
	b.vhosts[def.Name] = newVHost(def.Name)
	cs := b.storeVHost(def)
	for _, d := range predeclared {
		id, more := b.meta.NextID()
		d.ID, d.VHost, d.Durable = id, def.Name, true
		cs = append(append(cs, more...), b.meta.PutExchange(&d)...)
		b.raiseExchange(&d)
	}
	return cs
}

func (b *Broker) raiseExchange(def *meta.Exchange) {
	r, err := exchange.New(def.Kind, exchange.Options{Arguments: def.Arguments, Rand: b.random.next})
	if err != nil {
		r = nowhere{}
	}
	x := &exchangeRef{def: def, vhost: b.vhosts[def.VHost], inert: err != nil}
	x.govern()
	if x.special, err = b.newSpecial(def); err != nil {
		b.opt.Logger.Error("exchange keeps nothing", "vhost", def.VHost, "exchange", def.Name, "err", err)
		x.special = nil
	}
	x.routes.Store(&routes{r})
	x.vhost.exchanges[def.Name] = x
	b.exByID[def.ID] = x
}

// nowhere is the router of an exchange of an unknown type.
type nowhere struct{}

// Bind changes nothing.
func (n nowhere) Bind(exchange.Binding) exchange.Router { return n }

// Unbind changes nothing.
func (n nowhere) Unbind(exchange.Binding) exchange.Router { return n }

// Route finds nothing.
func (nowhere) Route(_ exchange.Message, out []exchange.Dest) []exchange.Dest { return out }

// KeyOnly is true of what never differs.
func (nowhere) KeyOnly() bool { return true }

// PerKey makes no difference.
func (nowhere) PerKey() bool { return false }

func (v *vhost) exchange(name string) (*exchangeRef, error) {
	if x := v.exchanges[name]; x != nil {
		return x, nil
	}
	return nil, wire.Errorf(wire.NotFound, "no exchange '%s' in vhost '%s'", name, v.name)
}

func notDefault(name string) error {
	if name == "" {
		return wire.Errorf(wire.AccessRefused, "operation not permitted on the default exchange")
	}
	return nil
}

// change runs a topology change under the lock, stores what it changed and
// replies when that is durable.
func (s *Session) change(reply func(error), f func() ([]meta.Change, error)) {
	s.b.mu.Lock()
	var cs []meta.Change
	err := s.vhost.open()
	if err == nil {
		done := s.b.acts(s.opt.User.Name())
		cs, err = f()
		done()
	}
	s.b.mu.Unlock()
	if err != nil {
		reply(err)
		return
	}
	s.b.commits.save(0, cs, reply)
}

// DeclareExchange is exchange.declare.
func (s *Session) DeclareExchange(m *wire.ExchangeDeclare, reply func(error)) {
	s.change(reply, func() ([]meta.Change, error) {
		if err := notDefault(m.Exchange); err != nil {
			return nil, err
		}
		if m.Passive {
			_, err := s.vhost.exchange(m.Exchange)
			return nil, err
		}
		return s.declareExchange(m)
	})
}

func (s *Session) declareExchange(m *wire.ExchangeDeclare) ([]meta.Change, error) {
	if err := s.may(Configure, "exchange", m.Exchange); err != nil {
		return nil, err
	}
	if err := s.checkExchange(m); err != nil {
		return nil, err
	}
	if x := s.vhost.exchanges[m.Exchange]; x != nil {
		return nil, x.inequivalent(m)
	}
	if strings.HasPrefix(m.Exchange, "amq.") {
		return nil, wire.Errorf(wire.AccessRefused, "exchange name '%s' contains reserved prefix 'amq.*'", m.Exchange)
	}
	if err := exchange.CheckDeclare(m.Type, m.Arguments); err != nil {
		return nil, err
	}
	if err := s.overExchanges(m.Exchange); err != nil {
		return nil, err
	}
	id, cs := s.b.meta.NextID()
	def := &meta.Exchange{ID: id, VHost: s.vhost.name, Name: m.Exchange, Kind: m.Type, Durable: m.Durable,
		AutoDelete: m.AutoDelete, Internal: m.Internal, Arguments: m.Arguments}
	s.b.raiseExchange(def)
	return append(cs, s.b.meta.PutExchange(def)...), nil
}

// checkExchange checks what a declare of any exchange, old or new, has to be.
func (s *Session) checkExchange(m *wire.ExchangeDeclare) error {
	if !exchange.Known(m.Type) {
		if s.b.level.unknownTypeHard {
			return wire.Errorf(wire.CommandInvalid, "unknown exchange type '%s'", m.Type)
		}
		return wire.Errorf(wire.PreconditionFailed, "unknown exchange type '%s'", m.Type)
	}
	a, ok := m.Arguments.Get("alternate-exchange")
	if !ok {
		return nil
	}
	name, ok := a.(string)
	if !ok {
		return wire.Errorf(wire.PreconditionFailed, "invalid type '%s' for arg 'alternate-exchange' in exchange '%s' in vhost '%s'", wire.TypeName(a), m.Exchange, s.vhost.name)
	}
	if err := s.may(Read, "exchange", m.Exchange); err != nil {
		return err
	}
	return s.may(Write, "exchange", name)
}

// inequivalent compares a declare with the exchange, in RabbitMQ's order.
func (x *exchangeRef) inequivalent(m *wire.ExchangeDeclare) error {
	d := x.def
	differs := func(arg string, received, current any) error {
		return wire.Errorf(wire.PreconditionFailed, "inequivalent arg '%s' for exchange '%s' in vhost '%s': received %v but current is %v", arg, d.Name, d.VHost, received, current)
	}
	quote := func(v any) string { return fmt.Sprintf("'%v'", v) }
	switch {
	case m.Type != d.Kind:
		return differs("type", quote(atom(m.Type)), quote(atom(d.Kind)))
	case m.Durable != d.Durable:
		return differs("durable", quote(m.Durable), quote(d.Durable))
	case m.AutoDelete != d.AutoDelete:
		return differs("auto_delete", quote(m.AutoDelete), quote(d.AutoDelete))
	case m.Internal != d.Internal:
		return differs("internal", quote(m.Internal), quote(d.Internal))
	}
	got, gotSet := m.Arguments.Get("alternate-exchange")
	have, haveSet := d.Arguments.Get("alternate-exchange")
	switch {
	case gotSet && haveSet && got != have:
		return differs("alternate-exchange", quote(got), quote(have))
	case gotSet && !haveSet:
		return differs("alternate-exchange", fmt.Sprintf("the value '%v' of type '%s'", got, wire.TypeName(got)), "none")
	case haveSet && !gotSet:
		return differs("alternate-exchange", "none", fmt.Sprintf("the value '%v' of type '%s'", have, wire.TypeName(have)))
	}
	return nil
}

// atom shows an exchange type as RabbitMQ does: those with a dash in quotes.
func atom(kind string) string {
	if strings.Contains(kind, "-") {
		return "'" + kind + "'"
	}
	return kind
}

// DeleteExchange is exchange.delete; one that is missing is deleted already.
func (s *Session) DeleteExchange(m *wire.ExchangeDelete, reply func(error)) {
	s.change(reply, func() ([]meta.Change, error) {
		if err := notDefault(m.Exchange); err != nil {
			return nil, err
		}
		if err := s.may(Configure, "exchange", m.Exchange); err != nil {
			return nil, err
		}
		if strings.HasPrefix(m.Exchange, "amq.") && s.vhost.exchanges[m.Exchange] != nil {
			return nil, wire.Errorf(wire.AccessRefused, "deletion of system exchange '%s' in vhost '%s' not allowed", m.Exchange, s.vhost.name)
		}
		x := s.vhost.exchanges[m.Exchange]
		if x == nil {
			return nil, nil
		}
		if m.IfUnused && s.b.meta.Bound(x.name()) {
			return nil, wire.Errorf(wire.PreconditionFailed, "exchange '%s' in vhost '%s' in use", m.Exchange, s.vhost.name)
		}
		return s.b.dropExchange(x), nil
	})
}

func (x *exchangeRef) name() meta.Name { return meta.Name{VHost: x.def.VHost, Name: x.def.Name} }

// dropExchange deletes x and, in turn, the auto-delete exchanges that lose
// their last binding by it; mu is held.
func (b *Broker) dropExchange(x *exchangeRef) []meta.Change {
	x.gone.Store(true)
	delete(x.vhost.exchanges, x.def.Name)
	delete(b.exByID, x.def.ID)
	if x.special != nil {
		b.dropShelf(x)
	}
	gone, cs := b.meta.DeleteExchange(x.name())
	return append(cs, b.unroute(gone, exchange.Dest{ID: x.def.ID, Exchange: true})...)
}
