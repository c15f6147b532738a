package queue

// expireStep bounds the messages that expire in one Apply.
const expireStep = 4096

// expire ends the messages at the head whose time is over. RabbitMQ's classic
// queues look at the head only: a shorter TTL behind a longer one waits.
func (s *State) expire(now int64, fx *Effects) {
	if s.config.ExpireAnywhere {
		s.expireAnywhere(now, fx)
		return
	}
	for s.ready > 0 {
		seq := s.head()
		e := s.index.entry(seq)
		if s.index.deadline(seq, e) > now {
			return
		}
		if len(fx.Gone)+len(fx.Dead) >= expireStep {
			fx.More = true
			return
		}
		s.unready(seq, e, statusFree)
		s.bury(seq, e, reasonExpired, fx)
	}
}

// tick lets time pass: what it ends, it ends in order.
func (s *State) tick(now int64, fx *Effects) {
	if len(s.retries) > 0 {
		s.resume(fx)
	}
	s.trim(now, fx)
	if s.timed > 0 {
		s.expire(now, fx)
	}
	s.dispatch(now, fx)
	if s.looks.next != 0 && s.looks.next <= now {
		s.watch(now, fx)
	}
	if s.leaseEnd() <= now {
		fx.Lapsed = true
		s.idleSince = now // said once; again after another lease if it still exists
	}
}

// leaseEnd is when an unused queue expires, noDeadline while it is used.
func (s *State) leaseEnd() int64 {
	if s.config.Lease <= 0 || s.consumers > 0 {
		return noDeadline
	}
	return s.idleSince + s.config.Lease
}

// Deadline is when the next Tick is due, noDeadline when never: the head's
// while it is ready, the end of the lease, or the next look at what is held.
func (s *State) Deadline() int64 {
	at := s.leaseEnd()
	if s.looks.next != 0 {
		at = min(at, s.looks.next)
	}
	if len(s.retries) > 0 {
		at = min(at, s.retries[0].at)
	}
	if len(s.expiries) > 0 {
		at = min(at, s.expiries[0].at)
	} else if s.timed > 0 && s.ready > 0 && !s.config.ExpireAnywhere {
		seq := s.head()
		at = min(at, s.index.deadline(seq, s.index.entry(seq)))
	}
	return at
}

// Timed says whether every command needs the time.
func (s *State) Timed() bool {
	return s.timed > 0 || s.config.TTL >= 0 || s.config.Lease > 0 || s.config.Retry != nil || s.waiting > 0 || s.config.Dedup.TTL > 0
}
