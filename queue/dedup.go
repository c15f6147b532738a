package queue

import (
	"crypto/sha256"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// A queue with x-message-deduplication takes a message only if none with its
// key is there; with a cache size or time, if none with its key came lately,
// whatever became of that. A duplicate counts as taken.

// Deduplication are the message-deduplication settings.
type Deduplication struct {
	On     bool
	Header string        // that holds the key; "" is x-deduplication-header, message-id the property
	Size   int64         // keys remembered after their messages are gone; 0: see TTL
	TTL    time.Duration // how long they are; 0 with Size 0: not at all
}

const (
	dedupHeader   = "x-deduplication-header" // of messages, and the argument that names another
	dedupProperty = "message-id"
)

func readDedup(t wire.Table) (d Deduplication) {
	on, _ := t.Get("x-message-deduplication")
	d.On = on == true
	if v, ok := t.Get(dedupHeader); ok {
		d.Header, _ = v.(string)
	}
	if n := number(t, "x-cache-size"); n != nil {
		d.Size = *n
	}
	if ms := number(t, "x-cache-ttl"); ms != nil {
		d.TTL = time.Duration(*ms) * time.Millisecond
	}
	return d
}

// keyMost is the longest key that is kept as it is; of a longer one, its hash.
const keyMost = 64

// key returns the key of a message, "" when it has none: such a message is
// never a duplicate.
func (d *Deduplication) key(props []byte) string {
	v, err := wire.ScanProperties(props)
	if err != nil {
		return ""
	}
	if d.Header == dedupProperty {
		if v.Flags&wire.FlagMessageID == 0 {
			return ""
		}
		return shorten(v.MessageID)
	}
	name := d.Header
	if name == "" {
		name = dedupHeader
	}
	key := ""
	// A table that does not scan has no key; the error says nothing more.
	_ = wire.ScanTable(v.Headers, func(have []byte, typ byte, value []byte) bool {
		if string(have) == name && typ != 'V' {
			key = shorten(append([]byte{typ}, value...))
		}
		return key == ""
	})
	return key
}

func shorten(key []byte) string {
	if len(key) <= keyMost {
		return string(key)
	}
	sum := sha256.Sum256(key)
	return "#" + string(sum[:])
}

// dedup is what the state machine remembers of keys.
type dedup struct {
	size, ttl int64            // of the window; both 0: a key ends with its message
	seen      map[string]sight // by key
	keys      map[uint64]string
	window    deque[sighting] // by time, when there is a window
}

// sight is the first message with a key, and when it came.
type sight struct {
	seq uint64
	at  int64
}

type sighting struct {
	key string
	seq uint64
	at  int64
}

// deduplicate begins or ends the remembering of keys. Messages that are there
// already have none.
func (s *State) deduplicate(d Deduplication) {
	switch {
	case !d.On:
		s.dedup = nil
		return
	case s.dedup == nil:
		s.dedup = &dedup{seen: map[string]sight{}, keys: map[uint64]string{}}
	}
	s.dedup.size, s.dedup.ttl = d.Size, int64(d.TTL)
}

// isDuplicate says, and notes for the driver, that a message is not taken.
func (s *State) isDuplicate(c *Command, fx *Effects) bool {
	if s.dedup != nil && !c.Key.Again {
		fx.Seq, fx.Duplicate = s.dedup.duplicate(c.Key.Text, c.Now)
		fx.Refused = fx.Duplicate
	}
	return fx.Duplicate
}

func (d *dedup) windowed() bool { return d.size > 0 || d.ttl > 0 }

// duplicate says whether a message with the key is there or came lately.
func (d *dedup) duplicate(key string, now int64) (first uint64, yes bool) {
	f, yes := d.seen[key]
	if yes && d.ttl > 0 && f.at+d.ttl <= now {
		return 0, false
	}
	return f.seq, yes
}

// remember notes the key of a message that came.
func (d *dedup) remember(seq uint64, key string, at int64) {
	d.keys[seq] = key
	if _, known := d.seen[key]; known && !d.windowed() {
		return // by the broker's own hand: the first stays the first
	}
	d.seen[key] = sight{seq, at}
	if !d.windowed() {
		return
	}
	d.window.push(sighting{key, seq, at})
	for d.window.n > 0 {
		f := d.window.front()
		if !(d.size > 0 && int64(d.window.n) > d.size) && !(d.ttl > 0 && f.at+d.ttl <= at) {
			return
		}
		if d.seen[f.key].seq == f.seq { // else it came again since
			delete(d.seen, f.key)
		}
		d.window.pop()
	}
}

// forget ends the key of a message that left.
func (d *dedup) forget(seq uint64) {
	key, ok := d.keys[seq]
	if !ok {
		return
	}
	delete(d.keys, seq)
	if !d.windowed() && d.seen[key].seq == seq {
		delete(d.seen, key)
	}
}

// duplicate counts a duplicate. It is confirmed when the first is durable.
func (q *Queue) duplicate(w *work) {
	q.counters.Deduplicated++
	if e := q.state.index.entry(w.fx.Seq); e != nil && inLog(e.loc) {
		w.after = max(w.after, e.loc)
	}
}

// key returns the key that is remembered for a message.
func (s *State) key(seq uint64) string {
	if s.dedup == nil {
		return ""
	}
	return s.dedup.keys[seq]
}
