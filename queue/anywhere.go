package queue

// A queue with x-expire-anywhere ends a ready message at its own deadline,
// wherever it stands. What is held never expires; it does when it comes back
// too late.

// appointment is a time at which something is due for a message.
type appointment struct {
	at  int64
	seq uint64
}

func (a appointment) before(b appointment) bool {
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

// appointments is a heap, the earliest first. Messages that end before their
// time leave theirs behind; tidy drops those when they are the most.
type appointments []appointment

func (p *appointments) push(a appointment) {
	*p = append(*p, a)
	p.up(len(*p) - 1)
}

func (p *appointments) pop() {
	h := *p
	last := len(h) - 1
	h[0] = h[last]
	*p = h[:last]
	p.down(0)
	if last == 0 && cap(h) > windowKeep {
		*p = nil
	}
}

func (p appointments) up(i int) {
	for i > 0 {
		up := (i - 1) / 2
		if !p[i].before(p[up]) {
			return
		}
		p[i], p[up] = p[up], p[i]
		i = up
	}
}

func (p appointments) down(i int) {
	for {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < len(p); c++ {
			if p[c].before(p[least]) {
				least = c
			}
		}
		if least == i {
			return
		}
		p[i], p[least] = p[least], p[i]
		i = least
	}
}

// tidy drops the appointments that keep does not want, if there are many more
// than live ones.
func (p *appointments) tidy(live int, keep func(seq uint64) bool) {
	if len(*p) < 2*live+windowKeep {
		return
	}
	kept := (*p)[:0]
	for _, a := range *p {
		if keep(a.seq) {
			kept = append(kept, a)
		}
	}
	*p = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		kept.down(i)
	}
}

// expireAnywhere ends the ready messages whose time is over, in the order of
// their deadlines.
func (s *State) expireAnywhere(now int64, fx *Effects) {
	for len(s.expiries) > 0 && s.expiries[0].at <= now {
		if len(fx.Gone)+len(fx.Dead) >= expireStep {
			fx.More = true
			return
		}
		seq := s.expiries[0].seq
		s.expiries.pop()
		if s.isReady(seq) {
			e := s.index.entry(seq)
			s.displace(e, statusFree)
			s.bury(seq, e, reasonExpired, fx)
		}
	}
}

// displace takes a ready message out from wherever it stands: the lists of the
// order skip it, and are tidied when too much of them is like that.
func (s *State) displace(e *entry, status uint32) {
	s.uncount(statusReady, e)
	e.meta = e.meta&^statusMask | status
	if s.stale++; s.stale > s.ready+windowKeep {
		s.stale = 0
		s.tidy(s.isReady)
	}
}

// appoint notes the deadline of a message, if deadlines act anywhere.
func (s *State) appoint(seq uint64, deadline int64) {
	if !s.config.ExpireAnywhere || deadline == noDeadline {
		return
	}
	s.expiries.push(appointment{deadline, seq})
	s.expiries.tidy(s.timed, func(seq uint64) bool { return s.index.entry(seq) != nil })
}

// appointAll begins or ends the acting of deadlines anywhere.
func (s *State) appointAll() {
	s.expiries = nil
	if !s.config.ExpireAnywhere || s.timed == 0 {
		return
	}
	for seq, e := s.index.nextLive(1); e != nil; seq, e = s.index.nextLive(seq + 1) {
		s.appoint(seq, s.index.deadline(seq, e))
	}
}
