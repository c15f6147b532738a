package queue

import (
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// Settings are what may change in a living queue: x-arguments that a policy
// may set too. A queue begins with its arguments'; Configure changes them.
type Settings struct {
	TTL                  time.Duration // message-ttl, if HasTTL: 0 is legal
	HasTTL               bool
	Expires              time.Duration // expires; 0: none
	DeadLetterExchange   *string       // "" is the default exchange
	DeadLetterRoutingKey *string
	MaxLength            *int64 // max-length, of ready messages; nil: none
	MaxLengthBytes       *int64 // max-length-bytes, of their bodies; nil: none
	Overflow             string // overflow; "" is drop-head
	DeliveryLimit        *int64 // delivery-limit; nil or negative: none
	ExpireAnywhere       bool   // expire-anywhere
	Retry                DelayedRetry
	Dedup                Deduplication
	ConsumerTimeout      *time.Duration // consumer-timeout; 0: none; nil: the node's
}

// readSettings takes the values out of a checked table.
func readSettings(t wire.Table) (s Settings) {
	if v, ok := t.Get("x-message-ttl"); ok {
		n, _ := wire.Int(v)
		s.TTL, s.HasTTL = time.Duration(n)*time.Millisecond, true
	}
	if v, ok := t.Get("x-expires"); ok {
		n, _ := wire.Int(v)
		s.Expires = time.Duration(n) * time.Millisecond
	}
	s.MaxLength, s.MaxLengthBytes = number(t, "x-max-length"), number(t, "x-max-length-bytes")
	if v, ok := t.Get("x-overflow"); ok {
		s.Overflow = v.(string)
	}
	s.DeliveryLimit = number(t, "x-delivery-limit")
	s.Retry, s.Dedup = readRetry(t), readDedup(t)
	anywhere, _ := t.Get("x-expire-anywhere")
	s.ExpireAnywhere = anywhere == true
	if ms := timeout(t); ms != nil {
		d := time.Duration(*ms) * time.Millisecond
		s.ConsumerTimeout = &d
	}
	s.DeadLetterExchange = optional(t, "x-dead-letter-exchange")
	s.DeadLetterRoutingKey = optional(t, "x-dead-letter-routing-key")
	return s
}

func optional(t wire.Table, key string) *string {
	if v, ok := t.Get(key); ok {
		s := v.(string)
		return &s
	}
	return nil
}

func number(t wire.Table, key string) *int64 {
	v, _ := t.Get(key)
	if n, ok := wire.Int(v); ok {
		return &n
	}
	return nil
}

// timeout is an x-consumer-timeout in milliseconds. A value that makes no sense
// is none: older versions of RabbitMQ do not know the argument.
func timeout(t wire.Table) *int64 {
	if ms := number(t, "x-consumer-timeout"); ms != nil && *ms >= 0 && *ms <= maxTTL {
		return ms
	}
	return nil
}

// config is what the settings mean to the state machine, and to the driver's
// short ways.
func (q *Queue) config() Config {
	s := &q.settings
	c := Config{TTL: -1, Lease: int64(s.Expires), DeadLetter: s.DeadLetterExchange != nil, AutoDelete: q.opt.AutoDelete,
		Limit: s.limit(), Quorum: q.quorum(), Single: q.opt.Arguments.SingleActive, Priorities: q.opt.Arguments.MaxPriority, DeliveryLimit: -1,
		ExpireAnywhere: s.ExpireAnywhere, Retry: s.Retry.active(), FreeNacks: q.opt.FreeNacks, Dedup: s.Dedup, Patience: int64(q.opt.ConsumerTimeout)}
	if s.HasTTL {
		c.TTL = int64(s.TTL)
	}
	if s.ConsumerTimeout != nil {
		c.Patience = int64(*s.ConsumerTimeout)
	}
	if c.Retry != nil {
		c.DeliveryLimit = retryLimit
	}
	if s.DeliveryLimit != nil {
		c.DeliveryLimit = *s.DeliveryLimit
	}
	c.Counting = c.Quorum || c.DeliveryLimit >= 0 || c.Retry != nil
	q.counting, q.plain = c.Counting, !c.Quorum && c.Priorities == 0 && !c.Dedup.On && s.MaxLengthBytes == nil
	return c
}

// quorum says whether the queue has the semantics of a quorum queue: on one
// node the engine is the same.
func (q *Queue) quorum() bool { return q.opt.Arguments.Type == "quorum" }

// Settings returns what holds now.
func (q *Queue) Settings() Settings {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.settings
}

// Configure changes the settings. They hold for what happens from now on;
// messages keep the deadline that they were given.
func (q *Queue) Configure(s Settings) {
	q.locked(func(w *work) {
		q.settings = s
		config := q.config()
		q.apply(w, &Command{Kind: Configure, Now: q.time(w), Config: &config})
	})
}
