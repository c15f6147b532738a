package amqp

import (
	"encoding/binary"

	"github.com/leveretmq/leveret/amqp/wire"
)

const (
	// backlogLimit bounds the frames a parked channel keeps; beyond it the
	// reader waits.
	backlogLimit = 1 << 20
	// heldLimit is that for a channel whose publishing is held by an alarm: it
	// may last, and memory may be what the alarm is about.
	heldLimit = 128 << 10
)

// park is a channel's answers to come, and the frames that wait for them.
type park struct {
	on      bool // frames go to the backlog
	held    bool // an alarm holds a publish at the head of the backlog
	listed  bool // in conn.turn.waiting
	answers []*answer
	backlog []byte // frames as kind, length (32 bit), payload
}

// answer is what a method that may take its time will say. Answers are given
// in the order of their methods.
type answer struct {
	ch            *channel
	class, method uint16
	noWait        bool // only an error is worth a word

	// Guarded by the socket's mutex, for the reader has to be woken.
	given   bool
	awaited bool // the reader goes on elsewhere and has to be woken
	m       wire.Method
	err     error
}

// answer opens a place for the answer to m. When the call that will give it
// has returned, settleAnswers has to be called.
func (ch *channel) answer(m wire.Method, noWait bool) *answer {
	a := &answer{ch: ch, noWait: noWait}
	a.class, a.method = m.ID()
	ch.park.answers = append(ch.park.answers, a)
	return a
}

// give gives the answer: m (nil: it is written already), or the error. Any
// goroutine may call it, once.
func (a *answer) give(m wire.Method, err error) {
	in := a.ch.conn.in
	in.mu.Lock()
	defer in.mu.Unlock()
	a.given, a.m, a.err = true, m, err
	if a.awaited {
		in.wakeLocked()
	}
}

// ready says whether the answer is given; if not, giving it wakes the reader.
func (a *answer) ready() bool {
	in := a.ch.conn.in
	in.mu.Lock()
	defer in.mu.Unlock()
	a.awaited = !a.given
	return a.given
}

// settleAnswers sends the answers that are given and have their turn.
func (ch *channel) settleAnswers() {
	p := &ch.park
	for len(p.answers) > 0 {
		a := p.answers[0]
		if !a.ready() {
			ch.await()
			return
		}
		p.answers = p.answers[1:]
		if a.err != nil {
			p.answers = nil // of a channel that ends nobody waits for
			ch.conn.fail(ch, a.class, a.method, a.err)
			return
		}
		if ok, is := a.m.(*wire.QueueDeclareOk); is {
			ch.last = ok.Queue
		}
		if a.m != nil && !a.noWait {
			ch.send(a.m)
		}
	}
	p.answers = nil
}

// delay puts an error behind the answers that come before it.
func (ch *channel) delay(class, method uint16, err error) bool {
	if len(ch.park.answers) == 0 {
		return false
	}
	ch.park.answers = append(ch.park.answers, &answer{ch: ch, class: class, method: method, given: true, err: err})
	ch.state = channelDoomed
	ch.await()
	return true
}

// await lists the channel for revisit.
func (ch *channel) await() {
	if !ch.park.listed {
		ch.park.listed = true
		ch.conn.turn.waiting = append(ch.conn.turn.waiting, ch)
	}
}

// mustWait says whether m has to wait for the answers before it. Changes of
// the topology go on, so that those of one read are committed together, unless
// they mean the queue that is being declared; so do acks, which have no answer.
func (ch *channel) mustWait(m wire.Method) bool {
	if len(ch.park.answers) == 0 {
		return false
	}
	switch m := m.(type) {
	case *wire.QueueBind:
		return m.Queue == ""
	case *wire.QueueUnbind:
		return m.Queue == ""
	case *wire.QueuePurge:
		return m.Queue == ""
	case *wire.QueueDelete:
		return m.Queue == ""
	}
	class, _ := m.ID()
	return class != 40 && class != 50 && !isSettle(m)
}

// putOff adds a frame to the backlog. When that is full the reader waits, once
// it is back in its loop.
func (ch *channel) putOff(kind uint8, payload []byte) {
	p := &ch.park
	p.backlog = append(p.backlog, kind)
	p.backlog = binary.BigEndian.AppendUint32(p.backlog, uint32(len(payload)))
	p.backlog = append(p.backlog, payload...)
	ch.await()
	if p.full() {
		ch.conn.turn.full = ch
	}
}

func (p *park) full() bool {
	if p.held {
		return len(p.backlog) > heldLimit
	}
	return len(p.backlog) > backlogLimit
}

// revisit goes on with a channel that waited, if it can.
func (ch *channel) revisit() error {
	p := &ch.park
	p.listed = false
	ch.settleAnswers()
	if ch.state == channelClosing || ch.conn.state != running {
		return nil
	}
	if len(p.answers) > 0 || p.held && ch.conn.srv.alarm.Load() != nil {
		ch.await()
		return nil
	}
	p.on, p.held = false, false
	return ch.replay()
}

// replay handles the backlog, up to a frame that has to wait again.
func (ch *channel) replay() error {
	b := ch.park.backlog
	ch.park.backlog = nil
	for len(b) > 0 && ch.state == channelOpen && ch.conn.state == running {
		kind, n := b[0], binary.BigEndian.Uint32(b[1:])
		payload := b[5 : 5+n]
		b = b[5+n:]
		if err := ch.frame(kind, payload); err != nil {
			return err
		}
		if ch.park.on {
			ch.park.backlog = append(ch.park.backlog, b...)
			return nil
		}
	}
	return nil
}
