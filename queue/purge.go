package queue

// purgeStep bounds the entries that one Apply of Purge or Drop looks at.
const purgeStep = 4096

// purge ends messages from c.From on: all ready ones, or with statusFree all
// there are. The driver repeats it from fx.Seq while fx.More.
func (s *State) purge(c *Command, fx *Effects, which uint32) {
	seq, e := s.index.nextLive(c.From)
	for ; e != nil && seq-c.From < purgeStep && len(fx.Gone) < purgeStep; seq, e = s.index.nextLive(seq + 1) {
		status := e.meta & statusMask
		if which != statusFree && which != status {
			continue
		}
		if status == statusReady {
			fx.N++
		}
		s.uncount(status, e)
		s.gone(seq, e, fx)
	}
	fx.Seq, fx.More = seq, e != nil
	if !fx.More {
		s.order.reset(s.index.tail)
	}
}

func (s *State) uncount(status uint32, e *entry) {
	switch status {
	case statusReady:
		s.ready--
		s.bytes -= e.body()
	case statusHeld:
		s.held--
	case statusLeaving:
		if e.meta&markWaiting != 0 {
			s.waiting--
		} else {
			s.leaving--
		}
	}
}

// leave settles a message that was dead-lettered.
func (s *State) leave(seq uint64, fx *Effects) {
	e := s.index.entry(seq)
	if e == nil || e.meta&(statusMask|markWaiting) != statusLeaving {
		return
	}
	s.leaving--
	s.gone(seq, e, fx)
}

// withhold takes a message that nobody was sent out of the order without
// settling it: its contents cannot be read, and only a repair of the log may
// decide about it. What its holder was given with it is given anew.
func (s *State) withhold(c *Command, fx *Effects) {
	e := s.index.entry(c.From)
	if e == nil {
		return
	}
	if e.meta&statusMask == statusHeld {
		s.recallOf(c.From, fx)
	}
	if e.meta&statusMask == statusReady {
		s.uncount(statusReady, e)
		s.leaving++
		e.meta |= statusLeaving
	}
	s.dispatch(c.Now, fx)
}

// recallOf recalls the holder that was given seq and has not sent it.
func (s *State) recallOf(seq uint64, fx *Effects) {
	for _, h := range s.holders {
		if h == nil {
			continue
		}
		for id := h.sent + 1; id <= h.last; id++ {
			if h.seq(id) == seq {
				s.recall(h, fx)
				return
			}
		}
	}
}
