package bench

import "math/bits"

// maxSeq bounds the memory that a damaged stamp can ask for.
const maxSeq = 1 << 36

// A verifier notes what one consumer received of each queue. It belongs to
// that consumer's reader until the run is over.
type verifier struct {
	// run is the only one whose messages count; 0 takes the first that comes.
	run uint32
	// queues, producers and streams are found by number, without a map.
	queues [][][]track
	Verification
}

// Verification is the sum of what went wrong; all zero is a clean run.
type Verification struct {
	// Checked counts messages whose stamp was looked at.
	Checked uint64 `json:"checked"`
	// Missing were published and not received; of an unknown publisher, what
	// is missing before the highest number received.
	Missing uint64 `json:"missing"`
	// Duplicates came twice without being flagged redelivered.
	Duplicates uint64 `json:"duplicates"`
	// Disordered came after a later one of the same stream.
	Disordered uint64 `json:"disordered"`
	// Redelivered carried the flag; they are no fault.
	Redelivered uint64 `json:"redelivered"`
	// Foreign had no stamp of this run.
	Foreign uint64 `json:"foreign"`
}

func (v *Verification) add(o *Verification) {
	v.Checked += o.Checked
	v.Missing += o.Missing
	v.Duplicates += o.Duplicates
	v.Disordered += o.Disordered
	v.Redelivered += o.Redelivered
	v.Foreign += o.Foreign
}

// A track is one stream in one queue as one consumer saw it.
type track struct {
	next uint64 // one above the highest received
	seen []uint64
}

func newVerifier(run uint32, queues int) *verifier {
	return &verifier{run: run, queues: make([][][]track, queues)}
}

// observe takes one delivery from the consumer's queue-th queue.
func (v *verifier) observe(queue int, s stamp, redelivered bool) {
	if v.run == 0 {
		v.run = s.run
	}
	if s.run != v.run || s.seq >= maxSeq || uint(queue) >= uint(len(v.queues)) {
		v.Foreign++
		return
	}
	v.Checked++
	t := v.track(queue, int(s.producer), int(s.stream))
	word, bit := s.seq>>6, uint64(1)<<(s.seq&63)
	if word >= uint64(len(t.seen)) {
		t.grow(word)
	}
	switch {
	case redelivered:
		v.Redelivered++
	case t.seen[word]&bit != 0:
		v.Duplicates++
	case s.seq < t.next:
		v.Disordered++
	}
	t.seen[word] |= bit
	t.next = max(t.next, s.seq+1)
}

// grow doubles, so that copying costs nothing per message.
func (t *track) grow(word uint64) {
	seen := make([]uint64, max(2*uint64(len(t.seen)), word+1, 8))
	copy(seen, t.seen)
	t.seen = seen
}

// track finds a stream, making room for producers and streams up to it.
func (v *verifier) track(queue, producer, stream int) *track {
	producers := v.queues[queue]
	if producer >= len(producers) {
		producers = append(producers, make([][]track, producer+1-len(producers))...)
		v.queues[queue] = producers
	}
	streams := producers[producer]
	if stream >= len(streams) {
		streams = append(streams, make([]track, stream+1-len(streams))...)
		producers[producer] = streams
	}
	return &streams[stream]
}

// at is track without making anything.
func (v *verifier) at(queue, producer, stream int) *track {
	if producer >= len(v.queues[queue]) || stream >= len(v.queues[queue][producer]) {
		return nil
	}
	return &v.queues[queue][producer][stream]
}

// union merges what several consumers saw of one stream in one queue: how many
// numbers below end came, how many came to more than one of them, and one above
// the highest.
func union(tracks []*track) (seen, twice, next uint64) {
	words := 0
	for _, t := range tracks {
		words = max(words, len(t.seen))
		next = max(next, t.next)
	}
	for w := range words {
		var all, again uint64
		for _, t := range tracks {
			if w < len(t.seen) {
				again |= all & t.seen[w]
				all |= t.seen[w]
			}
		}
		seen += uint64(bits.OnesCount64(all))
		twice += uint64(bits.OnesCount64(again))
	}
	return seen, twice, next
}
