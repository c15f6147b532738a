package broker

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/queue"
)

const delayHeader = "x-delay"

// delayed holds the messages of an x-delayed-message exchange until they are
// due. Each lies on the exchange's shelf with a ticket that says when it is due
// and by which keys it is routed; memory has 16 octets of it, in a heap. A
// message that is due is rejected from the shelf and comes back by drain as a
// dead letter does: routed with the bindings of then, by one batch that settles
// it on the shelf and publishes it, so that a crash neither loses nor doubles
// it. There is one timer, for the earliest.
//
// Time is the wall clock's at the start plus what has passed since: a step of
// the clock makes nothing early or late, and while the node is down time runs
// on.
type delayed struct {
	shelf *shelf
	clock queue.Clock
	epoch time.Time
	wake  func() // has the broker come for what is due
	// loaded: what the shelf has kept from before the start is known.
	loaded atomic.Bool

	mu    sync.Mutex // guards what follows; after a queue's mutex
	due   dueHeap
	stop  func() bool // of the timer, nil when there is none
	armed int64       // when it comes
}

func (b *Broker) newDelayed(def *meta.Exchange) (*delayed, error) {
	d := &delayed{clock: b.opt.Clock, epoch: b.opt.Clock.Now()}
	var err error
	if d.shelf, err = b.newShelf(def, (*delayedSink)(d)); err != nil {
		return nil, err
	}
	d.wake = func() { b.host.Outside(d.shelf.Queue) }
	return d, nil
}

// now is the time as milliseconds since 1970, rounded up: what is due at a time
// is never early.
func (d *delayed) now() int64 {
	return d.epoch.UnixMilli() + int64((d.clock.Now().Sub(d.epoch)+time.Millisecond-1)/time.Millisecond)
}

// passed is the time that is over for certain.
func (d *delayed) passed() int64 {
	return d.epoch.UnixMilli() + int64(d.clock.Now().Sub(d.epoch)/time.Millisecond)
}

// defers says whether the exchange keeps a message for later, and then leaves
// it for the shelf.
func (d *delayed) defers(f *finder, x *exchangeRef, m routed, whole *queue.Message) bool {
	ms := min(delay(m.Headers), maxTTL) // more is refused where it is published
	if ms <= 0 {
		return false
	}
	if m.mandatory && !f.leads(x, m, whole) {
		return true // to nowhere: it is returned now and not kept
	}
	f.side.taken = true
	note := queue.Message{Content: whole.Content, Persistent: true, TTL: -1}
	if note.Shared != nil {
		note.Shared.Retain()
	}
	t := ticket{due: d.now() + ms, more: m.more}
	note.Props = t.append(nil, negated(whole.Props, ms))
	f.side.shelved = append(f.side.shelved, shelved{note, d.shelf.Queue})
	return true
}

// leads says whether a message would find a queue if it were not kept.
func (f *finder) leads(x *exchangeRef, m routed, whole *queue.Message) bool {
	probe := finder{probe: true}
	probe.reset(f.b)
	probe.route(x, m, whole)
	return len(probe.queues) > 0
}

// checkDelay refuses a delay of more than ten years.
func (x *exchangeRef) checkDelay(headers []byte) error {
	if x.special == nil || x.special.delayed == nil {
		return nil
	}
	if ms := delay(headers); ms > maxTTL {
		return wire.Errorf(wire.PreconditionFailed, "invalid x-delay '%d' for exchange '%s' in vhost '%s': more than ten years", ms, x.def.Name, x.def.VHost)
	}
	return nil
}

// delay is a message's x-delay in milliseconds, 0 when it has none: any number,
// or one in decimal digits.
func delay(headers []byte) (ms int64) {
	// The headers before an octet that does not decode count.
	_ = wire.ScanTable(headers, func(name []byte, typ byte, value []byte) bool {
		if string(name) != delayHeader {
			return true
		}
		ms = integer(decoded(typ, value))
		return false
	})
	return ms
}

// integer is a number without its fraction, 0 when v is none.
func integer(v any) int64 {
	switch v := v.(type) {
	case float32:
		return clamp(float64(v))
	case float64:
		return clamp(v)
	case wire.Decimal:
		return clamp(float64(v.Value) / math.Pow10(int(v.Scale)))
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0
		}
		return n // the nearest there is
	}
	n, _ := wire.Int(v)
	return n
}

func clamp(f float64) int64 {
	switch {
	case math.IsNaN(f):
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// negated gives the properties that the message will come with: x-delay turned
// around, so that to publish it again does not delay it again (the plugin).
func negated(props []byte, ms int64) []byte {
	return editProperties(props, func(p *wire.Properties) {
		for i := range p.Headers {
			if p.Headers[i].Name != delayHeader {
				continue
			}
			p.Headers[i].Value = -ms
			if ms <= math.MaxInt32 {
				p.Headers[i].Value = int32(-ms)
			}
		}
	})
}

// ticket is what the shelf keeps of a message before its properties.
type ticket struct {
	due  int64    // milliseconds since 1970
	more []string // keys of CC and BCC, of which BCC's are in no header any more
}

// append writes the ticket and the properties that follow it.
func (t *ticket) append(dst, props []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.due))
	dst = binary.AppendUvarint(dst, uint64(len(t.more)))
	for _, key := range t.more {
		dst = append(binary.AppendUvarint(dst, uint64(len(key))), key...)
	}
	return append(dst, props...)
}

var errTicket = errors.New("the note of a delayed message does not decode")

// parseTicket reads what append wrote.
func parseTicket(b []byte) (t ticket, props []byte, err error) {
	if len(b) < 9 {
		return t, nil, errTicket
	}
	t.due = int64(binary.BigEndian.Uint64(b))
	n, size := binary.Uvarint(b[8:])
	if size <= 0 {
		return t, nil, errTicket
	}
	b = b[8+size:]
	for range n {
		length, size := binary.Uvarint(b)
		if size <= 0 || length > uint64(len(b)-size) {
			return t, nil, errTicket
		}
		t.more = append(t.more, string(b[size:size+int(length)]))
		b = b[size+int(length):]
	}
	return t, b, nil
}

// delayedSink takes what the shelf delivers: a message just kept, or one of
// before a restart.
type delayedSink delayed

// Deliver is as queue.Sink says.
func (s *delayedSink) Deliver(ds []queue.Delivery) int {
	d := (*delayed)(s)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shelf.delivered.Add(int64(len(ds)))
	for i := range ds {
		var at int64 // what does not decode is due: then it is told
		if len(ds[i].Props) >= 8 {
			at = int64(binary.BigEndian.Uint64(ds[i].Props))
		}
		d.due.push(due{at, ds[i].ID})
	}
	d.armLocked()
	return len(ds)
}

// Cancelled is as queue.Sink says: the exchange is deleted.
func (s *delayedSink) Cancelled() { (*delayed)(s).close() }

// Admit is as queue.Sink says.
func (s *delayedSink) Admit() bool { return true }

// armLocked keeps the timer at the earliest.
func (d *delayed) armLocked() {
	if len(d.due) == 0 || d.stop != nil && d.armed <= d.due[0].at {
		return
	}
	if d.stop != nil {
		d.stop()
	}
	d.armed = d.due[0].at
	at := d.epoch.Add(time.Duration(d.armed-d.epoch.UnixMilli()) * time.Millisecond)
	d.stop = d.clock.AfterFunc(at.Sub(d.clock.Now()), d.ring)
}

func (d *delayed) ring() {
	d.mu.Lock()
	d.stop = nil
	d.mu.Unlock()
	d.wake()
}

// close ends the timer and forgets what was due.
func (d *delayed) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.due = nil
	if d.stop != nil {
		d.stop()
		d.stop = nil
	}
}

// count is how many messages wait.
func (d *delayed) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.due)
}

// reject rejects what is due, at most drainAtOnce messages in their order. After
// a start it waits until all are known: the next to be delivered may be due
// first, and its delivery rings again.
func (d *delayed) reject(batch *queue.Batch) {
	if !d.loaded.Load() {
		if !d.shelf.loaded() {
			return
		}
		d.loaded.Store(true)
	}
	now := d.passed()
	d.mu.Lock()
	defer d.mu.Unlock()
	for n := 0; n < drainAtOnce && len(d.due) > 0 && d.due[0].at <= now; n++ {
		next := d.due.pop()
		batch.Discard(d.shelf.consumer, next.id, next.id)
	}
	d.armLocked()
}

// release adds a message that is due: its settle on the shelf and its publish.
func (b *Broker) release(f *finder, batch *queue.Batch, x *exchangeRef, w *queue.Outside) {
	q := x.special.delayed.shelf.Queue
	t, props, err := parseTicket(w.Content.Props)
	view, viewErr := wire.ScanProperties(props)
	if err = errors.Join(err, viewErr); err != nil {
		b.opt.Logger.Error("delayed message is dropped", "vhost", x.def.VHost, "exchange", x.def.Name, "seq", w.Seq, "err", err)
		batch.Dead(q, w.Seq)
		return
	}
	c := queue.Content{Route: w.Content.Route, Props: props, Body: w.Content.Body, Shared: w.Content.Shared}
	m := queue.Message{Content: c, Persistent: view.DeliveryMode == 2, Priority: view.Priority, TTL: -1, Again: true}
	if view.Flags&wire.FlagExpiration != 0 {
		m.TTL, _ = expiration(string(view.Expiration)) // checked when it was published
	}
	_, key := wire.SplitRoute(c.Route)
	b.mu.RLock()
	f.reset(b)
	f.route(x, routed{Message: exchange.Message{Key: key, Headers: view.Headers, Props: props}, more: t.more}, &m)
	b.mu.RUnlock()
	if !f.send(batch, m, f.queues) {
		b.drops.Add(1)
	}
	batch.Dead(q, w.Seq)
}
