package broker

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
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

const (
	dedupHeader = "x-deduplication-header"
	dedupTTL    = "x-cache-ttl"
)

// dedup is the cache of an x-message-deduplication exchange: the keys that it
// has routed, for a time and up to a number. A key counts as soon as a message
// is routed, and is given up again when the message finds no queue. With
// x-cache-persistence disk the keys are on a shelf, each in the batch of its
// message.
type dedup struct {
	most  int64
	ttl   time.Duration // 0: no end
	clock queue.Clock
	epoch time.Time
	shelf *shelf // nil: in memory only
	drops atomic.Uint64

	mu    sync.Mutex // guards what follows; after a queue's mutex
	cond  *sync.Cond // a key was committed, or the shelf has delivered
	seen  map[string]*seen
	order list.List // of *seen, the oldest first
	stale []uint64  // what is on the shelf of keys that are forgotten
}

// seen is one key.
type seen struct {
	key       string
	until     int64  // nanoseconds since the epoch
	id        uint64 // its delivery from the shelf; 0: none yet
	pos       uint64 // where its message is in the log, once committed
	committed bool
	forgotten bool
	place     *list.Element
}

// mark is a key that a message on its way has, first or again.
type mark struct {
	d     *dedup
	key   *seen
	fresh bool
}

const forever = math.MaxInt64

func (b *Broker) newDedup(def *meta.Exchange) (*dedup, error) {
	d := &dedup{clock: b.opt.Clock, epoch: b.opt.Clock.Now(), seen: map[string]*seen{}}
	d.cond = sync.NewCond(&d.mu)
	d.most = argument(def.Arguments, "x-cache-size")
	d.ttl = milliseconds(argument(def.Arguments, dedupTTL))
	if mode, _ := def.Arguments.Get("x-cache-persistence"); mode != "disk" || !def.Durable {
		return d, nil
	}
	var err error
	d.shelf, err = b.newShelf(def, (*dedupSink)(d))
	return d, err
}

func argument(args wire.Table, name string) int64 {
	v, _ := args.Get(name)
	n, _ := exchange.Number(v) // checked at declare
	return n
}

// milliseconds is n ms, but never more than ten years.
func milliseconds(n int64) time.Duration { return time.Duration(min(n, maxTTL)) * time.Millisecond }

// duplicate says whether the key of m was seen before. Either way it leaves a
// mark; messages without a key leave none.
func (d *dedup) duplicate(f *finder, m routed) bool {
	key, ttl := dedupKey(m.Headers)
	if key == "" {
		return false
	}
	if ttl < 0 {
		ttl = d.ttl
	}
	e, fresh := d.enter(key, ttl)
	f.side.marks = append(f.side.marks, mark{d, e, fresh})
	if !fresh {
		d.drops.Add(1)
		return true
	}
	if d.shelf != nil {
		f.side.shelved = append(f.side.shelved, shelved{d.note(e), d.shelf.Queue})
		f.side.removed = d.takeStale(f.side.removed)
	}
	return false
}

// enter finds a key or adds it; ttl 0 has no end, and a key whose time is over
// is as good as unseen.
func (d *dedup) enter(key string, ttl time.Duration) (e *seen, fresh bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if e := d.seen[key]; e != nil {
		if e.until > now {
			return e, false
		}
		d.forget(e)
	}
	until := int64(forever)
	if ttl > 0 {
		until = now + int64(ttl)
	}
	return d.add(key, until, now), true
}

func (d *dedup) now() int64 { return int64(d.clock.Now().Sub(d.epoch)) }

// add adds a key and makes room for it: what is over goes, and then the oldest.
func (d *dedup) add(key string, until, now int64) *seen {
	for first := d.order.Front(); first != nil; first = d.order.Front() {
		if old := first.Value.(*seen); old.until > now && int64(len(d.seen)) < d.most {
			break
		}
		d.forget(first.Value.(*seen))
	}
	e := &seen{key: key, until: until}
	e.place = d.order.PushBack(e)
	d.seen[key] = e
	return e
}

// forget takes a key out; mu is held.
func (d *dedup) forget(e *seen) {
	if e.forgotten {
		return
	}
	e.forgotten = true
	d.order.Remove(e.place)
	delete(d.seen, e.key)
	if e.id != 0 {
		d.stale = append(d.stale, e.id)
	}
}

// forget gives up the keys of a message that found no queue.
func forget(marks []mark) {
	for _, m := range marks {
		if m.fresh {
			m.d.mu.Lock()
			m.d.forget(m.key)
			m.d.commit(m.key, 0)
			m.d.mu.Unlock()
		}
	}
}

// settle commits the keys that are new at pos.
func settle(marks []mark, pos uint64) {
	for _, m := range marks {
		if m.fresh {
			m.d.mu.Lock()
			m.d.commit(m.key, pos)
			m.d.mu.Unlock()
		}
	}
}

// await gives the position, pos or later, at which all keys are safe. Another
// publisher may be about to commit one: that takes no longer than its commit,
// and it waits for nobody, for its own keys it commits before it waits.
func await(marks []mark, pos uint64) uint64 {
	for _, m := range marks {
		m.d.mu.Lock()
		for !m.key.committed {
			m.d.cond.Wait()
		}
		pos = max(pos, m.key.pos)
		m.d.mu.Unlock()
	}
	return pos
}

func (d *dedup) commit(e *seen, pos uint64) {
	e.committed, e.pos = true, pos
	d.cond.Broadcast()
}

// note is what the shelf keeps of a key: its end as milliseconds since 1970,
// 0 for none, and the key.
func (d *dedup) note(e *seen) queue.Message {
	var ms int64
	if e.until != forever {
		ms = d.epoch.UnixMilli() + e.until/1e6
	}
	body := append(binary.LittleEndian.AppendUint64(nil, uint64(ms)), e.key...)
	return queue.Message{Content: queue.Content{Route: wire.AppendRoute(nil, "", ""), Body: body}, Persistent: true, TTL: -1}
}

// takeStale moves what is to leave the shelf to out.
func (d *dedup) takeStale(out []removed) []removed {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range d.stale {
		out = append(out, removed{d.shelf.consumer, id})
	}
	d.stale = d.stale[:0]
	return out
}

// restored waits until the keys that the shelf has kept are known again: until
// then a duplicate would pass.
func (d *dedup) restored() {
	if d.shelf == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.loaded() {
		d.cond.Wait()
	}
}

// loaded asks the queue, whose mutex comes before mu.
func (d *dedup) loaded() bool {
	d.mu.Unlock()
	defer d.mu.Lock()
	return d.shelf.loaded()
}

// stirred says that a note cannot be read, so that nobody waits for it.
func (d *dedup) stirred() {
	d.mu.Lock()
	d.cond.Broadcast()
	d.mu.Unlock()
}

// dedupSink takes what the shelf delivers: a note just made, or one of before a
// restart.
type dedupSink dedup

// Deliver is as queue.Sink says.
func (s *dedupSink) Deliver(ds []queue.Delivery) int {
	d := (*dedup)(s)
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	d.shelf.delivered.Add(int64(len(ds)))
	for i := range ds {
		d.noted(ds[i].ID, ds[i].Body, now)
	}
	d.cond.Broadcast()
	return len(ds)
}

func (d *dedup) noted(id uint64, note []byte, now int64) {
	if len(note) < 8 {
		d.stale = append(d.stale, id)
		return
	}
	until, key := int64(forever), string(note[8:])
	if ms := int64(binary.LittleEndian.Uint64(note)); ms != 0 {
		until = (ms - d.epoch.UnixMilli()) * 1e6
	}
	e := d.seen[key]
	switch {
	case e != nil && e.id == 0:
	case until <= now || e != nil:
		d.stale = append(d.stale, id)
		return
	default:
		e = d.add(key, until, now)
		e.committed = true
	}
	e.id = id
}

// Cancelled is as queue.Sink says: the exchange is deleted.
func (s *dedupSink) Cancelled() {}

// Admit is as queue.Sink says.
func (s *dedupSink) Admit() bool { return true }

// longKey is from where on a key is kept as its hash.
const longKey = 64

// dedupKey reads a message's key, "" when it has none, and the milliseconds it
// is to be remembered, negative when the message does not say. Integers of all
// widths are one type.
func dedupKey(headers []byte) (key string, ttl time.Duration) {
	ttl = -1
	// The headers before an octet that does not decode count.
	_ = wire.ScanTable(headers, func(name []byte, typ byte, value []byte) bool {
		switch string(name) {
		case dedupHeader:
			key = normal(typ, value)
		case dedupTTL:
			ttl = headerTTL(typ, value)
		}
		return true
	})
	return key, ttl
}

func normal(typ byte, value []byte) string {
	if typ == 'V' {
		return ""
	}
	if n, ok := wire.Int(decoded(typ, value)); ok {
		return "l" + strconv.FormatInt(n, 10)
	}
	if len(value) > longKey {
		sum := sha256.Sum256(value)
		return string(typ) + "#" + string(sum[:])
	}
	return string(typ) + "=" + string(value)
}

func headerTTL(typ byte, value []byte) time.Duration {
	n, ok := exchange.Number(decoded(typ, value))
	switch {
	case !ok:
		return -1
	case n <= 0:
		return 1 // over at once
	}
	return milliseconds(n)
}

// decoded is the value of a header as its Go type, nil when it has none.
func decoded(typ byte, value []byte) any {
	t, err := wire.ParseFields(append([]byte{1, 'k', typ}, value...))
	if err != nil {
		return nil
	}
	return t[0].Value
}
