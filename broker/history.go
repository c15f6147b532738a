package broker

import (
	"bytes"
	"slices"
	"sync"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/queue"
)

const (
	historyLength  = "x-recent-history-length"
	historyNoStore = "x-recent-history-no-store"
	historyDefault = 20
)

// history is the last messages of an x-recent-history exchange, copied. They
// live in memory only (RabbitMQ: they do not survive a restart).
type history struct {
	most int64

	mu   sync.Mutex // guards what follows; after Broker.mu
	last []kept     // a ring once it has most messages
	next int        // the oldest of the ring
}

// kept is a message with the further keys that it was published with: BCC's
// are in its properties no more.
type kept struct {
	queue.Message
	more []string
}

func newHistory(args wire.Table) *history {
	h := &history{most: historyDefault}
	if v, ok := args.Get(historyLength); ok {
		h.most, _ = wire.Int(v)
	}
	return h
}

// keep keeps a copy of a message, unless its publisher asks not to.
func (h *history) keep(m routed, whole *queue.Message) {
	if noStore(m.Headers) {
		return
	}
	k := kept{*whole, m.more}
	octets := slices.Concat(whole.Route, whole.Props)
	k.Route, k.Props = octets[:len(whole.Route)], octets[len(whole.Route):]
	k.Body, k.Shared = bytes.Clone(whole.Body), nil
	h.mu.Lock()
	defer h.mu.Unlock()
	if int64(len(h.last)) < h.most {
		h.last = append(h.last, k)
		return
	}
	h.last[h.next] = k
	h.next = (h.next + 1) % len(h.last)
}

// noStore says whether the header is there and true; other types do not count
// (RabbitMQ).
func noStore(headers []byte) (found bool) {
	// The headers before an octet that does not decode count.
	_ = wire.ScanTable(headers, func(name []byte, typ byte, value []byte) bool {
		if string(name) != historyNoStore {
			return true
		}
		found = typ == 't' && value[0] != 0
		return false
	})
	return found
}

// messages lists what is kept, the oldest first.
func (h *history) messages() []kept {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Concat(h.last[h.next:], h.last[:h.next])
}

// replay gives a new binding what its source keeps. mu is held, so a message
// that is being published reaches it either in this way or by its new route.
func (b *Broker) replay(h *history, d exchange.Dest) {
	var f finder
	batch := queue.NewBatch()
	for _, k := range h.messages() {
		f.reset(b)
		if d.Exchange {
			f.route(b.exByID[d.ID], k.routed(), &k.Message)
		} else {
			f.add(b.byID[d.ID])
		}
		f.send(batch, k.Message, f.queues)
	}
	f.committed(batch.Commit(b.log()))
}

// routed is what exchanges see of the message.
func (k *kept) routed() routed {
	_, key := wire.SplitRoute(k.Route)
	// It decoded when it was published.
	view, _ := wire.ScanProperties(k.Props)
	return routed{exchange.Message{Key: key, Headers: view.Headers, Props: k.Props}, k.more, false}
}
