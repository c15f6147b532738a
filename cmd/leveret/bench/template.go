package bench

import (
	"fmt"

	"github.com/leveretmq/leveret/amqp/wire"
)

// batchBytes is the most that goes into one write, unless one message is longer.
const batchBytes = 64 << 10

// maxTemplate bounds the memory of one producer's prepared frames.
const maxTemplate = 64 << 20

// A template is a run of whole publishes laid out as they are written. Sending
// n of them is to stamp n bodies and to write one piece of it: no frame is
// built while the load runs. The keys take turns.
type template struct {
	buf   []byte
	slots []slot
	// batch is the most slots that go into one write.
	batch int
	// seqs counts per stream what has been cut.
	seqs []uint64
	pos  int
}

// A slot is one publish: buf up to end, with its stamp, if the body has one.
type slot struct{ end, stamp, stream int }

// newTemplate lays out publishes for keys (numbers in the plan), at least one
// each and every key equally often.
func newTemplate(l *LoadOptions, p *plan, producer int, keys []int, frameMax uint32) (*template, error) {
	t := &template{seqs: make([]uint64, len(keys))}
	body := make([]byte, l.Size)
	for i := range body {
		body[i] = byte('a' + i%26)
	}
	props := []byte{0, 0}
	if l.Persistent {
		props = []byte{wire.FlagDeliveryMode >> 8, 0, 2}
	}
	widest := 0
	for i := 0; i < len(keys) || i%len(keys) != 0 || len(t.buf)+widest*len(keys) <= batchBytes; i++ {
		stream := i % len(keys)
		if l.Size >= StampSize {
			stamp{run: p.run, producer: uint16(producer), stream: uint16(stream)}.put(body)
		}
		start := len(t.buf)
		t.buf = wire.AppendMethod(t.buf, 1, &wire.BasicPublish{Exchange: p.exchange, RoutingKey: p.keys[keys[stream]], Mandatory: l.Mandatory})
		t.buf = wire.AppendHeader(t.buf, 1, uint64(l.Size), props)
		s := slot{stream: stream, stamp: -1}
		if l.Size >= StampSize {
			s.stamp = len(t.buf) + frameHead
		}
		t.buf = wire.AppendBody(t.buf, 1, body, frameMax)
		s.end = len(t.buf)
		t.slots = append(t.slots, s)
		widest = max(widest, s.end-start)
		if len(t.buf) > maxTemplate {
			return nil, fmt.Errorf("%d routing keys with bodies of %d octets need more than %d MiB: use fewer or smaller ones", len(keys), l.Size, maxTemplate>>20)
		}
	}
	t.batch = max(batchBytes/widest, 1)
	return t, nil
}

// cut stamps up to n publishes and gives their octets, valid until the next
// call, and how many there are: fewer than n when the template's end or the
// batch limit comes first.
func (t *template) cut(n int, now int64) (octets []byte, count int) {
	first := t.pos
	count = min(n, t.batch, len(t.slots)-first)
	start := 0
	if first > 0 {
		start = t.slots[first-1].end
	}
	for i := first; i < first+count; i++ {
		s := &t.slots[i]
		if s.stamp >= 0 {
			putStamp(t.buf[s.stamp:], t.seqs[s.stream], now)
		}
		t.seqs[s.stream]++
	}
	t.pos = (first + count) % len(t.slots)
	return t.buf[start:t.slots[first+count-1].end], count
}
