package queue

// attach adds a consumer, or a getter. RabbitMQ: an exclusive consumer has the
// queue to itself; getters do not count. Of a queue with a single active
// consumer the first to come is active, whatever its priority.
func (s *State) attach(c *Command, fx *Effects) {
	spec := c.Consumer
	if spec != nil && (s.exclusive || spec.Exclusive && (s.consumers > 0 || s.config.Single)) {
		fx.Refused = true
		return
	}
	h := &holder{slot: s.number()}
	s.holders[h.slot] = h
	fx.Holder = h.slot
	if spec == nil {
		s.allow(h)
		return
	}
	h.noAck, h.shared, h.prefetch, h.own = spec.NoAck, spec.Shared, spec.Prefetch, spec.Patience
	s.allow(h)
	h.passive = s.config.Single && s.consumers > 0
	s.rota.attach(h, spec.Priority)
	s.consumers++
	s.exclusive = spec.Exclusive
}

// number returns a free holder number.
func (s *State) number() uint32 {
	if n := len(s.spare); n > 0 {
		slot := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return slot
	}
	s.holders = append(s.holders, nil)
	return uint32(len(s.holders) - 1)
}

// detach ends a consumer; what it holds it may still settle.
func (s *State) detach(h *holder, now int64, fx *Effects) {
	s.recall(h, fx)
	if h.level == nil {
		return
	}
	s.rota.detach(h)
	s.consumers--
	if s.config.Single && !h.passive {
		s.promote()
	}
	s.exclusive = false
	if s.consumers == 0 {
		s.idleSince = now
		fx.Unused = s.config.AutoDelete
	}
}

// promote makes another consumer the single active one: of those of the highest
// priority the one that came first (seen on RabbitMQ).
func (s *State) promote() {
	var next *holder
	for _, h := range s.holders {
		if h == nil || h.level == nil {
			continue
		}
		if next == nil || h.level.priority > next.level.priority || h.level == next.level && h.born < next.born {
			next = h
		}
	}
	if next != nil {
		next.passive = false
		s.rota.review(next)
	}
}
