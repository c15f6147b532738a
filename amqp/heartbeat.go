package amqp

import "time"

// heartbeat watches both directions of a connection (spec: 4.2.7). It looks
// every half interval, as RabbitMQ does: if nothing was written since, a
// heartbeat goes out; if nothing came during four looks, the peer is dead after
// 2 to 2.5 intervals.
type heartbeat struct {
	half   time.Duration // half the interval; 0: off
	next   time.Time
	mark   uint64 // of outbound.heartbeat
	silent int    // looks in a row without an octet from the peer
}

const deadAfter = 4 // looks

func (h *heartbeat) begin(seconds uint16, now time.Time) {
	if seconds > 0 {
		h.half = time.Duration(seconds) * time.Second / 2
		h.next = now.Add(h.half)
	}
}

// look does what is due. heard says that octets came since the last call that
// was due; it is false afterwards. dead: the peer is silent for too long.
func (h *heartbeat) look(now time.Time, heard *bool, o *outbound) (dead bool) {
	if h.half == 0 || now.Before(h.next) {
		return false
	}
	h.next = now.Add(h.half)
	h.mark = o.heartbeat(h.mark)
	if *heard {
		*heard, h.silent = false, 0
		return false
	}
	h.silent++
	return h.silent >= deadAfter
}

// rest forgets the silence: the reader itself was not reading.
func (h *heartbeat) rest() { h.silent = 0 }
