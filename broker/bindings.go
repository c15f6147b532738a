package broker

import (
	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/exchange"
)

// route puts a binding in its source's routes; mu is held.
func (b *Broker) route(bd *meta.Binding) {
	v := b.vhosts[bd.VHost]
	x := v.exchanges[bd.Source]
	d, ok := v.dest(bd)
	if x == nil || !ok {
		return
	}
	x.routes.Store(&routes{x.routes.Load().Bind(exchange.Binding{Dest: d, Key: bd.Key, Args: bd.Arguments})})
	if x.special != nil && x.special.history != nil {
		b.replay(x.special.history, d)
	}
}

func (v *vhost) dest(bd *meta.Binding) (exchange.Dest, bool) {
	if bd.ToExchange {
		if x := v.exchanges[bd.Dest]; x != nil {
			return exchange.Dest{ID: x.def.ID, Exchange: true}, true
		}
		return exchange.Dest{}, false
	}
	if q := v.queues[bd.Dest]; q != nil {
		return exchange.Dest{ID: q.def.ID}, true
	}
	return exchange.Dest{}, false
}

// unroute takes removed bindings out of the routes of their sources, whose
// destination may be gone already and is d then; auto-delete sources that have
// lost their last binding go too. mu is held.
func (b *Broker) unroute(gone []*meta.Binding, d exchange.Dest) (cs []meta.Change) {
	for _, bd := range gone {
		v := b.vhosts[bd.VHost]
		x := v.exchanges[bd.Source]
		if x == nil {
			continue
		}
		dest, ok := v.dest(bd)
		if !ok {
			dest = d
		}
		x.routes.Store(&routes{x.routes.Load().Unbind(exchange.Binding{Dest: dest, Key: bd.Key, Args: bd.Arguments})})
		if x.def.AutoDelete && !b.meta.Bound(x.name()) {
			cs = append(cs, b.dropExchange(x)...)
		}
	}
	return cs
}

// BindQueue is queue.bind.
func (s *Session) BindQueue(m *wire.QueueBind, reply func(error)) {
	bd := &meta.Binding{VHost: s.vhost.name, Source: m.Exchange, Dest: m.Queue, Key: m.RoutingKey, Arguments: m.Arguments}
	s.change(reply, func() ([]meta.Change, error) { return s.bind(bd) })
}

// BindExchange is exchange.bind.
func (s *Session) BindExchange(m *wire.ExchangeBind, reply func(error)) {
	bd := &meta.Binding{VHost: s.vhost.name, Source: m.Source, Dest: m.Destination, Key: m.RoutingKey, ToExchange: true, Arguments: m.Arguments}
	s.change(reply, func() ([]meta.Change, error) { return s.bind(bd) })
}

// UnbindQueue is queue.unbind; a binding that is missing is unbound already.
func (s *Session) UnbindQueue(m *wire.QueueUnbind, reply func(error)) {
	bd := &meta.Binding{VHost: s.vhost.name, Source: m.Exchange, Dest: m.Queue, Key: m.RoutingKey, Arguments: m.Arguments}
	s.change(reply, func() ([]meta.Change, error) { return s.unbind(bd) })
}

// UnbindExchange is exchange.unbind.
func (s *Session) UnbindExchange(m *wire.ExchangeUnbind, reply func(error)) {
	bd := &meta.Binding{VHost: s.vhost.name, Source: m.Source, Dest: m.Destination, Key: m.RoutingKey, ToExchange: true, Arguments: m.Arguments}
	s.change(reply, func() ([]meta.Change, error) { return s.unbind(bd) })
}

// mayBind checks names and rights of both ends: write on the destination, read
// on the source (RabbitMQ: access control).
func (s *Session) mayBind(bd *meta.Binding) error {
	kind := "queue"
	if bd.ToExchange {
		kind = "exchange"
		if err := notDefault(bd.Dest); err != nil {
			return err
		}
	}
	if err := notDefault(bd.Source); err != nil {
		return err
	}
	if err := s.may(Write, kind, bd.Dest); err != nil {
		return err
	}
	return s.may(Read, "exchange", bd.Source)
}

func (s *Session) bind(bd *meta.Binding) ([]meta.Change, error) {
	if err := s.mayBind(bd); err != nil {
		return nil, err
	}
	if !bd.ToExchange {
		if _, err := s.find(bd.Dest); err != nil {
			return nil, err
		}
	}
	x, err := s.vhost.exchange(bd.Source)
	if err != nil {
		return nil, err
	}
	if bd.ToExchange {
		if _, err := s.vhost.exchange(bd.Dest); err != nil {
			return nil, err
		}
	}
	if err := s.mayTopic(Read, x.def, bd.Key); err != nil {
		return nil, err
	}
	b := exchange.Binding{Dest: exchange.Dest{Exchange: bd.ToExchange}, Key: bd.Key, Args: bd.Arguments}
	if err := exchange.CheckBinding(x.def.Kind, x.def.Arguments, b); err != nil {
		return nil, err
	}
	cs, added := s.b.meta.PutBinding(bd)
	if added {
		s.b.route(bd)
	}
	return cs, nil
}

func (s *Session) unbind(bd *meta.Binding) ([]meta.Change, error) {
	if err := s.mayBind(bd); err != nil {
		return nil, err
	}
	if x := s.vhost.exchanges[bd.Source]; x != nil {
		if err := s.mayTopic(Read, x.def, bd.Key); err != nil {
			return nil, err
		}
	}
	if q := s.vhost.queues[bd.Dest]; !bd.ToExchange && q != nil {
		if err := s.unlocked(q); err != nil {
			return nil, err
		}
	}
	cs, removed := s.b.meta.DeleteBinding(bd)
	if removed {
		cs = append(cs, s.b.unroute([]*meta.Binding{bd}, exchange.Dest{})...)
	}
	return cs, nil
}
