package amqp

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/queue"
)

// channelState is what becomes of a channel's frames.
type channelState uint8

const (
	channelOpen    channelState = iota
	channelDoomed               // an error waits for its turn: frames are dropped
	channelClosing              // channel.close is sent: all is dropped until close-ok
)

// mode of a channel: they exclude each other.
type mode uint8

const (
	plainMode mode = iota
	confirmMode
	txMode
)

// channel is one channel. It belongs to the connection's reader, except where a
// mutex is named.
type channel struct {
	conn      *conn
	id        uint16
	state     channelState
	mode      mode
	touched   bool // in conn.turn.touched
	publisher *broker.Publisher
	asm       assembly
	park      park
	last      string // the queue declared last
	acks      acks
	getters   map[*queue.Queue]*consumer
	reply     replyConsumer
	credit    credit
	confirms  confirming

	mu        sync.Mutex // guards what follows
	muted     bool       // nothing is sent any more; written with outbound.mu held too
	unacked   unacked    // also the delivery tags
	holders   holders
	consumers map[string]*consumer
	listing   listing
}

// channels finds channels by number.
type channels struct {
	max  uint16
	mu   sync.Mutex // guards open; the reader, who alone changes it, looks without
	open map[uint16]*channel
	last *channel // found last: most connections use one channel at a time
}

func (cs *channels) add(ch *channel) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open == nil {
		cs.open = make(map[uint16]*channel)
	}
	cs.open[ch.id] = ch
}

func (cs *channels) clear() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.open, cs.last = nil, nil
}

// list is for others than the reader.
func (cs *channels) list() []*channel {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.Collect(maps.Values(cs.open))
}

// count is for others than the reader.
func (cs *channels) count() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.open)
}

func (cs *channels) find(id uint16) *channel {
	if cs.last != nil && cs.last.id == id {
		return cs.last
	}
	ch := cs.open[id]
	if ch != nil {
		cs.last = ch
	}
	return ch
}

func (cs *channels) remove(ch *channel) {
	cs.mu.Lock()
	delete(cs.open, ch.id)
	cs.mu.Unlock()
	cs.last = nil
}

// open handles the first frame on a channel number. RabbitMQ: anything but
// channel.open is an error of the connection, and the limit is on the count of
// channels, not on their numbers.
func (c *conn) open(h wire.Head, payload []byte) error {
	if n := len(c.channels.open); n >= int(c.channels.max) {
		c.fail(nil, 0, 0, wire.Errorf(wire.NotAllowed,
			"number of channels opened (%d) has reached the negotiated channel_max (%d)", n, c.channels.max))
		return nil
	}
	if h.Type != wire.FrameMethod {
		c.fail(nil, 0, 0, errNotMethod())
		return nil
	}
	m, err := wire.ParseMethod(payload)
	if err != nil {
		return c.undecodable(nil, err)
	}
	if _, ok := m.(*wire.ChannelOpen); !ok {
		class, method := m.ID()
		c.fail(nil, class, method, wire.Errorf(wire.ChannelError, "expected 'channel.open'"))
		return nil
	}
	if err := c.session.MayOpenChannel(); err != nil {
		c.fail(nil, 0, 0, err)
		return nil
	}
	ch := &channel{conn: c, id: h.Channel, consumers: make(map[string]*consumer)}
	ch.publisher = c.session.NewPublisher(ch.id, ch)
	c.channels.add(ch)
	c.srv.churn.channelsOpened.Add(1)
	c.out.reply(ch.id, &wire.ChannelOpenOk{})
	return nil
}

// frame handles a frame of the channel.
func (ch *channel) frame(kind uint8, payload []byte) error {
	switch {
	case ch.state != channelOpen:
		return ch.frameAtEnd(kind, payload)
	case ch.park.on:
		ch.putOff(kind, payload)
	case kind == wire.FrameMethod && !ch.asm.busy():
		return ch.method(payload)
	default:
		ch.contentFrame(kind, payload)
	}
	return nil
}

// frameAtEnd drops what comes between our channel.close and close-ok.
func (ch *channel) frameAtEnd(kind uint8, payload []byte) error {
	if kind != wire.FrameMethod || ch.state != channelClosing {
		return nil
	}
	class, method, _ := wire.MethodID(payload)
	switch {
	case class == 20 && method == 41: // channel.close-ok
		ch.conn.channels.remove(ch)
	case class == 20 && method == 40: // both closed at once
		ch.conn.out.reply(ch.id, &wire.ChannelCloseOk{})
	}
	return nil
}

// method handles a method frame: the two that come per message by themselves.
func (ch *channel) method(payload []byte) error {
	switch {
	case wire.IsPublish(payload):
		return ch.publish(payload)
	case wire.IsAck(payload):
		return ch.ack(payload)
	}
	m, err := wire.ParseMethod(payload)
	if err != nil {
		return ch.conn.undecodable(ch, err)
	}
	if ch.mustWait(m) {
		ch.park.on = true
		ch.putOff(wire.FrameMethod, payload)
		return nil
	}
	if !isSettle(m) {
		ch.flush()
	}
	if err := ch.dispatch(m); err != nil {
		class, method := m.ID()
		ch.conn.fail(ch, class, method, err)
	}
	return nil
}

// ack handles basic.ack.
func (ch *channel) ack(payload []byte) error {
	tag, multiple, err := wire.ParseAck(payload)
	if err != nil {
		return ch.conn.undecodable(ch, err)
	}
	if err := ch.settle(tag, multiple, queue.Settle); err != nil {
		ch.conn.fail(ch, 60, 80, err)
	}
	return nil
}

// isSettle tells the methods that need not see what came before them: they
// take their turn at the end of the read.
func isSettle(m wire.Method) bool {
	switch m.(type) {
	case *wire.BasicNack, *wire.BasicReject:
		return true
	}
	return false
}

// touch makes sure that endRead looks at the channel.
func (ch *channel) touch() {
	if !ch.touched {
		ch.touched = true
		ch.conn.turn.touched = append(ch.conn.turn.touched, ch)
	}
}

// flush makes the channel's publishes and acks visible before what follows.
func (ch *channel) flush() {
	if !ch.touched {
		return
	}
	ch.commitPublishes()
	ch.gatherSettles()
	ch.conn.commitSettles()
	ch.feedStarved()
}

// send sends a method of the channel; the reader calls it.
func (ch *channel) send(m wire.Method) { ch.conn.out.reply(ch.id, m) }

// close sends channel.close. What was published before stands; what was not
// acknowledged goes back.
func (ch *channel) close(class, method uint16, e *wire.Error) {
	ch.release(&wire.ChannelClose{ReplyCode: uint16(e.Code), ReplyText: replyText(e), ClassID: class, MethodID: method})
	ch.state = channelClosing
}

// closedByClient answers channel.close.
func (ch *channel) closedByClient() {
	ch.release(nil)
	ch.send(&wire.ChannelCloseOk{})
	ch.conn.channels.remove(ch)
}

// release frees what the channel has and sends last as its last frame.
func (ch *channel) release(last wire.Method) {
	ch.flush()
	ch.mute(last)
	ch.endReplies()
	ch.publisher.Close()
	ch.conn.srv.churn.channelsClosed.Add(1)
	ch.asm, ch.park, ch.acks, ch.getters = assembly{}, park{}, acks{}, nil
	ch.mu.Lock()
	all := ch.holders.slots
	ch.consumers, ch.holders, ch.unacked = nil, holders{}, unacked{}
	ch.mu.Unlock()
	for _, k := range all {
		if k != nil {
			ch.conn.session.Release(k.qc)
		}
	}
}

// mute sends m, if any, as the last frame of the channel that is not an answer
// to its close.
func (ch *channel) mute(m wire.Method) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	s := ch.conn.out.lock()
	if m != nil && !ch.muted {
		s.method(ch.id, m)
	}
	ch.muted = true
	ch.conn.out.unlock()
}

// releaseChannels frees all channels. They are muted first: what one returns
// must not be delivered to another that is about to go.
func (c *conn) releaseChannels() {
	c.flush()
	for _, ch := range c.channels.open {
		ch.mute(nil)
	}
	for _, ch := range c.channels.open {
		if ch.state != channelClosing {
			ch.release(nil)
		}
	}
	c.channels.clear()
	c.turn.touched, c.turn.waiting = nil, nil
}

// credit is the prefetch that the consumers of a channel share (qos
// global=true). used counts what they hold or are about to be sent.
type credit struct {
	each    uint16       // prefetch of every consumer to come (global=false); written with channel.mu
	limit   atomic.Int64 // 0: none
	used    atomic.Int64
	starved []*consumer // refused for lack of it; guarded by channel.mu
}
