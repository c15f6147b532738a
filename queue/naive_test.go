package queue

import (
	"slices"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// naive is the reference: one slice of messages and one of consumers. It knows
// nothing of locations, pages or runs, and does not predict which of several
// consumers gets a message, only which messages are delivered.
type naive struct {
	now       time.Duration
	messages  []*naiveMessage // in order, settled ones removed
	consumers []*naiveConsumer
	dead      []string
	deadTo    bool
	ttl       time.Duration // of the queue
	maxLength int           // negative: none
	maxBytes  int
	overflow  string
	quorum    bool
	retry     time.Duration  // first delay of nacks; 0: none
	anywhere  bool           // deadlines act anywhere
	single    *naiveConsumer // the active one of a queue that has one
	sac       bool
	highest   int             // priority
	limit     int             // of deliveries; negative: none
	first     []*naiveMessage // of a quorum queue: what came back to the head
}

const never = time.Hour

func newNaive(args wire.Table) *naive {
	n := &naive{now: time.Second, ttl: never, maxLength: -1, maxBytes: -1, limit: -1}
	for _, f := range args {
		switch f.Name {
		case "x-dead-letter-exchange":
			n.deadTo = true
		case "x-message-ttl":
			n.ttl = time.Duration(f.Value.(int32)) * time.Millisecond
		case "x-max-length":
			n.maxLength = int(f.Value.(int32))
		case "x-max-length-bytes":
			n.maxBytes = int(f.Value.(int32))
		case "x-overflow":
			n.overflow = f.Value.(string)
		case "x-single-active-consumer":
			n.sac = true
		case "x-delayed-retry-min":
			n.retry = time.Duration(f.Value.(int32)) * time.Millisecond
			if n.limit < 0 {
				n.limit = retryLimit
			}
		case "x-expire-anywhere":
			n.anywhere = true
		case "x-max-priority":
			n.highest = int(f.Value.(int32))
		case "x-queue-type":
			n.quorum = f.Value == "quorum"
		case "x-delivery-limit":
			n.limit = int(f.Value.(int32))
		}
	}
	return n
}

type naiveMessage struct {
	body       string
	persistent bool
	delivered  bool
	leaving    bool
	refused    bool
	due        time.Duration // waits until then; 0: does not
	serial     int
	priority   int
	count      int           // how often it came back
	out        bool          // the log has it with a consumer
	deadline   time.Duration // 0: none
	holder     *naiveConsumer
}

func (m *naiveMessage) ready() bool { return m.holder == nil && !m.leaving && m.due == 0 }

type naiveConsumer struct {
	c        *Consumer
	sink     *testSink
	prefetch int
	priority int32
	noAck    bool
	held     map[uint64]*naiveMessage
}

func (n *naive) head() *naiveMessage {
	for _, m := range n.first {
		if m.ready() {
			return m
		}
	}
	var head *naiveMessage
	for _, m := range n.messages {
		if m.ready() && (head == nil || m.priority > head.priority) {
			head = m
		}
	}
	return head
}

func (n *naive) remove(m *naiveMessage) {
	same := func(x *naiveMessage) bool { return x == m }
	n.messages, n.first = slices.DeleteFunc(n.messages, same), slices.DeleteFunc(n.first, same)
}

// handOut marks m as held; to whom is learned later.
func (n *naive) handOut(m *naiveMessage) {
	m.holder = someone
	n.first = slices.DeleteFunc(n.first, func(x *naiveMessage) bool { return x == m })
}

// comeBack returns a held message; again says that it was requeued, nack that
// it was so by basic.nack.
func (n *naive) comeBack(m *naiveMessage, again, nack bool) {
	m.holder = nil
	if (n.quorum || n.limit >= 0) && !n.count(m) {
		return
	}
	waits := nack && n.retry > 0
	if (waits || n.anywhere) && m.deadline != 0 && m.deadline <= n.now {
		n.bury(m, "expired")
		return
	}
	if waits {
		m.due = n.now + time.Duration(m.count)*n.retry
		if m.deadline != 0 {
			m.due = min(m.due, m.deadline)
		}
		return
	}
	n.place(m, again)
}

// place puts a message that came back into the order.
func (n *naive) place(m *naiveMessage, again bool) {
	if !n.quorum {
		return
	}
	if again && n.limit < 0 {
		n.remove(m)
		n.messages = append(n.messages, m)
	} else {
		n.first = append(n.first, m)
	}
}

// resume brings back what has waited.
func (n *naive) resume() {
	for {
		var first *naiveMessage
		for _, m := range n.messages {
			if m.due != 0 && m.due <= n.now && (first == nil || m.due < first.due || m.due == first.due && m.serial < first.serial) {
				first = m
			}
		}
		if first == nil {
			return
		}
		if first.due = 0; first.deadline != 0 && first.deadline <= n.now {
			n.bury(first, "expired")
		} else {
			n.place(first, false)
		}
	}
}

// count says whether m may be delivered again.
func (n *naive) count(m *naiveMessage) bool {
	if n.limit >= 0 && m.count == n.limit {
		n.bury(m, "delivery_limit")
		return false
	}
	m.count++
	m.out = false
	return true
}

// restart brings what is left in the order of publishing.
func (n *naive) restart() {
	n.first = nil
	slices.SortFunc(n.messages, func(a, b *naiveMessage) int { return a.serial - b.serial })
	for _, m := range slices.Clone(n.messages) {
		m.due = 0
		if (n.quorum || n.limit >= 0) && m.out {
			n.count(m)
		}
	}
}

func (n *naive) bury(m *naiveMessage, why string) {
	if n.deadTo {
		m.leaving = true
		n.dead = append(n.dead, m.body+" "+why)
	} else {
		n.remove(m)
	}
}

func (n *naive) expire() {
	for n.anywhere {
		var first *naiveMessage
		for _, m := range n.messages {
			ready := m.ready() && m.deadline != 0 && m.deadline <= n.now
			if ready && (first == nil || m.deadline < first.deadline || m.deadline == first.deadline && m.serial < first.serial) {
				first = m
			}
		}
		if first == nil {
			return
		}
		n.bury(first, "expired")
	}
	for m := n.head(); m != nil && m.deadline != 0 && m.deadline <= n.now; m = n.head() {
		n.bury(m, "expired")
	}
}

// credit is how many messages the consumers still take.
func (n *naive) credit() (credit int) {
	for _, c := range n.consumers {
		if n.sac && c != n.single {
			continue
		}
		if c.noAck || c.prefetch == 0 {
			return 1 << 30
		}
		credit += c.prefetch - len(c.held)
	}
	return credit
}

// activate chooses the single active consumer if there is none.
func (n *naive) activate() {
	if slices.Contains(n.consumers, n.single) {
		return
	}
	n.single = nil
	for _, c := range n.consumers {
		if n.single == nil || c.priority > n.single.priority {
			n.single = c
		}
	}
}

// someone marks a message as handed out, to whom is learned afterwards.
var someone = &naiveConsumer{}

// dispatch hands out from the head while there is credit.
func (n *naive) dispatch(credit int) (out []*naiveMessage) {
	for ; credit > 0; credit-- {
		n.expire()
		m := n.head()
		if m == nil {
			break
		}
		n.handOut(m)
		out = append(out, m)
	}
	return out
}

// over says whether the ready messages and one more of that size are too many.
func (n *naive) over(more, size int) bool {
	for _, m := range n.messages {
		if m.ready() {
			more++
			size += len(m.body)
		}
	}
	return n.maxLength >= 0 && more > n.maxLength || n.maxBytes >= 0 && size > n.maxBytes
}

func (n *naive) trim() {
	if n.overflow != "" || !n.over(0, 0) {
		return
	}
	for m := n.head(); m != nil && n.over(0, 0); m = n.head() {
		n.bury(m, "maxlen")
	}
	n.expire()
}

func (n *naive) publish(m *naiveMessage, credit int) []*naiveMessage {
	if n.overflow != "" && n.over(1, len(m.body)) {
		m.refused = true
		if n.overflow == "reject-publish-dlx" && n.deadTo {
			m.persistent = false
			n.messages = append(n.messages, m)
			n.bury(m, "maxlen")
		}
		return nil
	}
	alone := n.head() == nil
	n.messages = append(n.messages, m)
	if alone && credit > 0 {
		n.handOut(m)
		return []*naiveMessage{m}
	}
	if m.deadline != 0 {
		n.expire()
	}
	n.trim()
	return nil
}

func (n *naive) counts() (ready, unacked int) {
	for _, m := range n.messages {
		switch {
		case m.leaving || m.due != 0:
		case m.holder == nil:
			ready++
		default:
			unacked++
		}
	}
	return ready, unacked
}
