package queue

import "math"

// Limit bounds the ready messages of a queue.
type Limit struct {
	Length   int64 // messages
	Bytes    int64 // octets of their bodies
	Overflow Overflow
}

// Overflow says which message goes when a queue is full.
type Overflow uint8

// Values of x-overflow.
const (
	DropHead Overflow = iota
	RejectPublish
	RejectPublishDLX // and the refused message is dead-lettered
)

// limit is what the settings say of it, nil when there is none.
func (s *Settings) limit() *Limit {
	if s.MaxLength == nil && s.MaxLengthBytes == nil {
		return nil
	}
	l := &Limit{Length: math.MaxInt64, Bytes: math.MaxInt64}
	if s.MaxLength != nil {
		l.Length = *s.MaxLength
	}
	if s.MaxLengthBytes != nil {
		l.Bytes = *s.MaxLengthBytes
	}
	switch s.Overflow {
	case "reject-publish":
		l.Overflow = RejectPublish
	case "reject-publish-dlx":
		l.Overflow = RejectPublishDLX
	}
	return l
}

// exceeded says whether n ready messages with bodies of that many octets are
// too many.
func (l *Limit) exceeded(n int, bytes int64) bool { return int64(n) > l.Length || bytes > l.Bytes }

// refuse says whether a full queue refuses a message, even when a consumer
// waits for it (RabbitMQ). With reject-publish-dlx it leaves for the broker
// without having been ready. It need not survive a restart: its publisher is
// told that it was not taken.
func (s *State) refuse(c *Command, fx *Effects) bool {
	l := s.config.Limit
	if l.Overflow == DropHead || !l.exceeded(s.ready+1, s.bytes+bodySize(c.Size, c.Marks)) {
		return false
	}
	fx.Refused = true
	if l.Overflow == RejectPublishDLX && s.config.DeadLetter {
		fx.Seq, _ = s.index.push(entry{c.Loc, c.Size, c.Marks&^markPersistent | statusLeaving}, noDeadline)
		s.leaving++
		fx.Dead = append(fx.Dead, deadLetter{fx.Seq, reasonMaxLength})
	}
	return true
}

// trim drops messages at the head, which may be of the highest priority, until
// the rest is within the limit (RabbitMQ: drop-head). What it leaves at the
// head may have expired.
func (s *State) trim(now int64, fx *Effects) {
	l := s.config.Limit
	if l == nil || l.Overflow != DropHead || !l.exceeded(s.ready, s.bytes) {
		return
	}
	for s.ready > 0 && l.exceeded(s.ready, s.bytes) {
		if len(fx.Gone)+len(fx.Dead) >= expireStep {
			fx.More = true
			return
		}
		seq := s.head()
		e := s.index.entry(seq)
		s.unready(seq, e, statusFree)
		s.bury(seq, e, reasonMaxLength, fx)
	}
	if s.timed > 0 {
		s.expire(now, fx)
	}
}
