package queue

// Kind says what a Command does.
type Kind uint8

// Commands of a State. What each one reads of Command stands behind it; Now is
// read by all.
const (
	Enqueue   Kind = iota + 1 // Loc, Size, Marks, TTL: effect Seq, or Refused
	Attach                    // Consumer: effect Holder, or Refused
	Open                      // Holder: started, or its sink has room again
	Block                     // Holder: its sink is full
	Sent                      // Holder, To (count), NoAck: the sink took the next To deliveries
	Settle                    // Holder, From, To (ids): acknowledged
	Discard                   // Holder, From, To (ids): rejected without requeue
	Requeue                   // Holder, From, To (ids): back to their places
	Nack                      // as Requeue, by basic.nack
	Reject                    // as Requeue, by basic.reject
	Checkout                  // Holder: basic.get takes the head: effects Seq and ID
	Recall                    // Holder: what is not sent goes back
	Detach                    // Holder: no more deliveries; what is not sent goes back
	Release                   // Holder: detached, all it holds goes back, the number is free
	Purge                     // From (seq): ready messages go, at most purgeStep entries: effects Seq and More
	Leave                     // From (seq): a leaving message is settled
	Withhold                  // From (seq): a message that was not sent cannot be read
	Touch                     // the lease of an expiring queue is renewed
	Tick                      // time passed: effects Dead, Gone, Lapsed, Overdue, More
	Watch                     // something is held: look for who is overdue
	Recover                   // all messages are restored: the first Tick
	Configure                 // Config: what holds from now on; the lease begins anew
	Drop                      // From (seq): delete, as Purge but whatever the status
)

// Command is the one input of a State.
type Command struct {
	Kind   Kind
	NoAck  bool
	Marks  uint32 // of the new entry: markPersistent, priority, headMark
	Holder uint32
	Size   uint32
	Now    int64 // nanoseconds since the queue's epoch
	From   uint64
	To     uint64
	Loc    uint64
	TTL    int64 // of the message, nanoseconds; negative: none
	Key    *Key  // of the message; nil: none, or nobody asks
	// Consumer is what Attach adds; nil adds a getter.
	Consumer *ConsumerSpec
	Config   *Config
}

// Key is what makes a message a duplicate of another.
type Key struct {
	Text  string
	Again bool // the message is the broker's own, never a duplicate itself
}

// ConsumerSpec is what the state machine knows of a consumer.
type ConsumerSpec struct {
	Prefetch  int // 0: unlimited
	Priority  int32
	NoAck     bool
	Exclusive bool
	Shared    bool   // ask the channel's prefetch before each message
	Patience  *int64 // its own timeout, nanoseconds; 0: none; nil: the queue's
}

// Gone is a message that left the queue for good.
type Gone struct {
	Seq   uint64
	Loc   uint64
	Size  uint32
	Marks uint32
}

// reason says why a message was dead-lettered, in RabbitMQ's words of x-death.
type reason uint8

// Reasons of dead-lettering.
const (
	reasonRejected reason = iota + 1
	reasonExpired
	reasonMaxLength
	reasonDeliveryLimit
)

// String returns the word used in x-death headers.
func (r reason) String() string {
	return [...]string{reasonRejected: "rejected", reasonExpired: "expired", reasonMaxLength: "maxlen",
		reasonDeliveryLimit: "delivery_limit"}[r]
}

// deadLetter is a message that leaves for the dead-letter exchange.
type deadLetter struct {
	Seq    uint64
	Reason reason
}

// Effects is what a command did, for the driver to carry out. The driver reuses
// one value; Apply resets it.
type Effects struct {
	Seq       uint64
	ID        uint64
	Holder    uint32
	N         int  // Purge: messages that went
	Duplicate bool // Enqueue: Refused because it is one of Seq, which may be gone
	Refused   bool // Attach: in exclusive use; Enqueue: over the limit, or a duplicate
	Unused    bool // the last consumer of an auto-delete queue left
	Lapsed    bool // the lease of an expiring queue ran out
	More      bool // bounded work is left: apply Tick, or the same command from Seq
	Touched   []uint32
	Gone      []Gone
	Dead      []deadLetter
	Back      []Back   // messages of a counting queue that came back
	Overdue   []uint32 // holders that have held a delivery for too long
}

func (fx *Effects) reset() {
	fx.Seq, fx.ID, fx.Holder, fx.N = 0, 0, 0, 0
	fx.Refused, fx.Duplicate, fx.Unused, fx.Lapsed, fx.More = false, false, false, false, false
	fx.Touched, fx.Gone, fx.Dead, fx.Back, fx.Overdue = fx.Touched[:0], fx.Gone[:0], fx.Dead[:0], fx.Back[:0], fx.Overdue[:0]
}

// rare says whether there are effects that most commands do not have.
func (fx *Effects) rare() bool {
	return len(fx.Dead)|len(fx.Back)|len(fx.Overdue) != 0 || fx.Unused || fx.Lapsed
}

// touch notes that a holder has something to send.
func (fx *Effects) touch(holder uint32) {
	if n := len(fx.Touched); n == 0 || fx.Touched[n-1] != holder {
		fx.Touched = append(fx.Touched, holder)
	}
}
