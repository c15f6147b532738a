package crash

import (
	"fmt"
	"sync"
	"time"
)

// ledger is what the clients know about every message, over all rounds.
type ledger struct {
	forgets  bool // the broker is one that forgets what it has delivered, as RabbitMQ 3.10 does now and then
	mu       sync.Mutex
	next     int
	messages map[int]*message // those not known to be settled for good
	began    time.Time        // this round
	slowest  time.Duration    // confirm of this round
	sure     int              // messages whose acks are known to be on disk
	faults   []string
}

// message is what one publisher and the consumers know about one message.
type message struct {
	id         int
	publisher  string
	queue      string
	transient  bool
	sent       time.Time
	confirmed  bool
	delivered  bool      // to any consumer, at any time
	acked      time.Time // when the ack was written; zero before
	generation int       // of the broker process that has last shown it at a look
}

func newLedger() *ledger { return &ledger{messages: map[int]*message{}} }

// publish enters a message that is about to be sent and returns its id.
func (l *ledger) publish(publisher, queue string, transient bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	l.messages[l.next] = &message{id: l.next, publisher: publisher, queue: queue, transient: transient, sent: time.Now()}
	return l.next
}

func (l *ledger) confirm(id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.messages[id]
	if m == nil { // consumed and settled before its confirm was looked at
		return
	}
	m.confirmed = true
	l.slowest = max(l.slowest, time.Since(m.sent))
}

// deliver notes a delivery under load.
func (l *ledger) deliver(id int, queue string, redelivered bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.known(id, queue)
	if m == nil {
		return
	}
	switch {
	case !m.acked.IsZero():
		l.faultf("%s is delivered again by the same process", m)
	case m.delivered && !redelivered && !l.forgets:
		l.faultf("%s was delivered before and is not flagged as redelivered", m)
	}
	m.delivered = true
}

func (l *ledger) ack(id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.messages[id]; m != nil {
		m.acked = time.Now()
	}
}

// settled strikes messages whose acks are known to be on disk: a confirm came
// for a publish that the broker took after them.
func (l *ledger) settled(ids []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		delete(l.messages, id)
	}
	l.sure += len(ids)
}

// round begins a round.
func (l *ledger) round() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began, l.slowest = time.Now(), 0
}

// killed takes note of the moment of the kill: an ack that is old enough has
// been written, since a settle waits at most 200 ms for a sync and a sync takes
// no longer than the slowest confirm, so its message must not come back.
func (l *ledger) killed(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.messages {
		if !m.confirmed && m.sent.After(l.began) {
			l.slowest = max(l.slowest, at.Sub(m.sent))
		}
	}
	for id, m := range l.messages {
		if !m.acked.IsZero() && at.Sub(m.acked) > 300*time.Millisecond+l.slowest {
			delete(l.messages, id)
		}
	}
}

// show notes that a look at a queue after the restart has shown a message, and
// returns the publisher, or "" for a message that should not be there.
func (l *ledger) show(id int, queue string, redelivered bool, generation int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.known(id, queue)
	if m == nil {
		return ""
	}
	switch {
	case m.generation == generation:
		l.faultf("%s is there twice", m)
	case m.transient:
		l.faultf("%s outlived the broker", m)
	case m.delivered && !redelivered && !l.forgets:
		l.faultf("%s was delivered before the kill and is not flagged as redelivered", m)
	}
	m.generation, m.delivered = generation, true
	return m.publisher
}

// close ends a look: what a confirm promised must have been shown, unless it
// was acked.
func (l *ledger) close(generation int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, m := range l.messages {
		if m.generation == generation {
			m.acked = time.Time{} // an ack that the kill undid
			continue
		}
		if m.confirmed && !m.transient && m.acked.IsZero() {
			l.faultf("%s was confirmed and is lost", m)
		}
		delete(l.messages, id)
	}
}

// known finds a message, in the queue it was sent to.
func (l *ledger) known(id int, queue string) *message {
	m := l.messages[id]
	if m == nil {
		l.faultf("message %d came back to %s after it was settled, or was never sent", id, queue)
		return nil
	}
	if m.queue != queue {
		l.faultf("%s came from %s", m, queue)
	}
	return m
}

func (l *ledger) fault(format string, arguments ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faultf(format, arguments...)
}

func (l *ledger) faultf(format string, arguments ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, arguments...))
}

func (m *message) String() string {
	text := fmt.Sprintf("message %d of %s in %s", m.id, m.publisher, m.queue)
	for _, fact := range []struct {
		holds bool
		name  string
	}{
		{m.transient, "transient"},
		{m.confirmed, "confirmed"},
		{m.delivered, "delivered"},
		{!m.acked.IsZero(), "acked"},
	} {
		if fact.holds {
			text += ", " + fact.name
		}
	}
	return text
}
