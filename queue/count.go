package queue

import (
	"bytes"
	"encoding/binary"

	"github.com/leveretmq/leveret/amqp/wire"
)

// A counting queue keeps how often each message came back to it. Most never do,
// so the counts are aside, and a mark says that there is one.

// Back is a message that came back for the count-th time.
type Back struct {
	Seq   uint64
	Count uint32
}

// comeBack returns a held message to the order, or ends it when it came back
// too often: a limit of n means n+1 deliveries (RabbitMQ).
func (s *State) comeBack(seq uint64, how comeback, fx *Effects) {
	e := s.index.entry(seq)
	s.held--
	free := how == unsent || how == nacked && s.config.FreeNacks && s.config.Retry == nil
	if !free && s.config.Counting && !s.count(seq, e, fx) {
		s.bury(seq, e, reasonDeliveryLimit, fx)
		return
	}
	r := s.config.Retry
	waits := r != nil && r.waits(how)
	if (waits || s.config.ExpireAnywhere) && s.index.deadline(seq, e) <= s.now {
		s.bury(seq, e, reasonExpired, fx)
		return
	}
	if waits {
		s.wait(seq, e, r)
		return
	}
	e.meta = e.meta&^statusMask | statusReady
	s.ready++
	s.bytes += e.body()
	s.rejoin(seq, e, how)
}

// count adds one to the returns of a message and says whether it may be
// delivered again.
func (s *State) count(seq uint64, e *entry, fx *Effects) bool {
	n := s.counts[seq] + 1
	if s.config.DeliveryLimit >= 0 && int64(n) > s.config.DeliveryLimit {
		return false
	}
	s.setCount(seq, e, n)
	fx.Back = append(fx.Back, Back{seq, n})
	return true
}

func (s *State) setCount(seq uint64, e *entry, n uint32) {
	if s.counts == nil {
		s.counts = make(map[uint64]uint32)
	}
	s.counts[seq] = n
	e.meta = e.meta&^markOut | markCounted
}

// logBack notes in the log how often messages came back.
func (q *Queue) logBack(w *work, back []Back) {
	for _, b := range back {
		if e := q.state.index.entry(b.Seq); e != nil && inLog(e.loc) && e.meta&markPersistent != 0 {
			w.append().Fact(FactReturn, q.opt.ID, b.Seq, uint64(b.Count))
		}
	}
}

// logSent notes in the log the messages of a counting queue that were sent and
// are still there, so that a crash counts as a return. It comes after their
// records.
func (q *Queue) logSent(w *work) {
	for _, s := range q.sent {
		w.append().Fact(FactSent, q.opt.ID, s.from, s.to-s.from)
	}
	q.sent = q.sent[:0]
}

// noteSent adds the first n of the deliveries just sent to c to what logSent
// writes.
func (q *Queue) noteSent(h *holder, n int) {
	if !q.logged || h.noAck {
		return
	}
	for id := h.sent + 1; id <= h.sent+uint64(n); id++ {
		seq := h.seq(id)
		if e := q.state.index.entry(seq); e.meta&(markPersistent|markOut) != markPersistent {
			continue
		} else {
			e.meta |= markOut
		}
		if last := len(q.sent) - 1; last >= 0 && q.sent[last].to+1 == seq {
			q.sent[last].to = seq
			continue
		}
		q.sent = append(q.sent, span{seq, seq})
	}
}

const countHeader = "x-delivery-count"

// showCount writes the count into the headers of a delivery; zero only if
// always says so: RabbitMQ shows it to basic.get, not to consumers.
func (q *Queue) showCount(w *work, seq uint64, d *Delivery, always bool) {
	n := q.state.counts[seq]
	if n == 0 && !(always && q.quorum()) {
		return
	}
	at := len(w.buf)
	w.buf = appendCounted(w.buf, d.Props, int64(n))
	d.Props = w.buf[at:len(w.buf):len(w.buf)]
}

// appendCounted appends props with a header x-delivery-count: n.
func appendCounted(dst, props []byte, n int64) []byte {
	flags := binary.BigEndian.Uint16(props)
	at := 2
	for _, f := range []uint16{wire.FlagContentType, wire.FlagContentEncoding} {
		if flags&f != 0 {
			at += 1 + int(props[at])
		}
	}
	dst = binary.BigEndian.AppendUint16(dst, flags|wire.FlagHeaders)
	dst = append(dst, props[2:at]...)
	var headers []byte
	rest := props[at:]
	if flags&wire.FlagHeaders != 0 {
		size := 4 + binary.BigEndian.Uint32(rest)
		headers, rest = withoutCount(rest[4:size]), rest[size:]
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(headers)+1+len(countHeader)+9))
	dst = append(append(append(dst, byte(len(countHeader))), countHeader...), 'l')
	dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	return append(append(dst, headers...), rest...)
}

// withoutCount leaves out a publisher's own x-delivery-count.
func withoutCount(headers []byte) []byte {
	if !bytes.Contains(headers, []byte(countHeader)) {
		return headers
	}
	t, err := wire.ParseFields(headers)
	if err != nil {
		return headers
	}
	kept := t[:0]
	for _, f := range t {
		if f.Name != countHeader {
			kept = append(kept, f)
		}
	}
	return wire.AppendTable(nil, kept)[4:]
}
