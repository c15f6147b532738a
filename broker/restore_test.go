package broker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// Some queues are over as soon as they are ready; others are not ready yet.
func TestQueuesExpireWhileOthersAreRestored(t *testing.T) {
	clock := newFakeClock()
	n := newNode(t, func(o *Options) { o.Clock = clock })
	c := n.client("guest", "/")
	for i := range 500 {
		n.must(c.declare(wire.QueueDeclare{Queue: fmt.Sprint(i), Durable: true, Arguments: wire.Table{{Name: "x-expires", Value: int32(1)}}}))
	}
	n.restart()
	clock.advance(time.Second)
	n.Restored(true)
}

// Records whose queue is unknown keep its id: a queue that is declared now must
// not find them at the next start.
func TestUnknownGroupsKeepTheirIDs(t *testing.T) {
	n := newNode(t)
	free := uint64(1 << 20)
	calls := []func(id uint64) bool{
		func(id uint64) bool { return n.Stored(1, 10, 0, id, 1, nil) },
		func(id uint64) bool { n.Settled(id, 1, 2); return false },
		func(id uint64) bool { n.Fact(1, id, 1, 2); return false },
	}
	for i, call := range calls {
		id := free << i
		if call(id) {
			t.Fatalf("call %d: takes what belongs to no queue", i)
		}
		c := n.client("guest", "/")
		n.must(c.declare(wire.QueueDeclare{Queue: fmt.Sprint(i), Durable: true}))
		q, err := c.Queue(fmt.Sprint(i), Read)
		n.must(err)
		if q.ID() <= id {
			t.Fatalf("call %d: a new queue has id %d, and %d was in use", i, q.ID(), id)
		}
	}
}

// What the log says of one durable queue, in its order: "s3" is message 3,
// "d2-4" that 2 to 4 are gone, "c5" all up to 5, "x2" anything about another
// queue.
func TestRestoredMessages(t *testing.T) {
	for _, k := range []struct {
		script string
		want   string // what is live, by number
	}{
		{"", ""},
		{"s1 s2 s3", "1 2 3"},
		{"s1 s2 s3 d2-2", "1 3"},
		{"s1 s2 s3 d1-2 d2-3", ""},         // settled twice
		{"s1 s2 s3 d1-1 d1-1 d1-1", "2 3"}, // and again
		{"s1 s2 d1-9 s10", "10"},           // more than there was
		{"d1-5 s6 s7", "6 7"},              // what is settled went with older segments
		{"s5 s9 s5 d9-9", "5"},             // copied forward
		{"s5 d5-5 s6 s5", "5 6"},           // the log never says so; it would count
		{"s1 s2 s3 c2", "3"},
		{"s1 s2 s3 c2 c2 d1-3", ""},
		{"s1 x2 s2 x1", "1 2"},
		{"s18446744073709551614", "18446744073709551614"}, // no memory for what lies before
	} {
		t.Run(k.script, func(t *testing.T) {
			n := newNode(t)
			c := n.client("guest", "/")
			n.must(c.declare(wire.QueueDeclare{Queue: "q", Durable: true}))
			n.restart()
			q, err := n.client("guest", "/").Queue("q", Read)
			n.must(err)
			places := map[uint64]uint64{} // number by position
			for i, word := range strings.Fields(k.script) {
				var a, b uint64
				pos := uint64(1000 + i)
				switch word[0] {
				case 's':
					fmt.Sscanf(word, "s%d", &a)
					if !n.Stored(pos, 10, 0, q.ID(), a, nil) {
						t.Fatalf("%s: not taken", word)
					}
					places[pos] = a
				case 'd':
					fmt.Sscanf(word, "d%d-%d", &a, &b)
					n.Settled(q.ID(), a, b)
				case 'c':
					fmt.Sscanf(word, "c%d", &a)
					n.Fact(queue.FactCut, q.ID(), a, 0)
				default:
					n.Settled(q.ID()+1000, 1, 100)
					n.Fact(queue.FactTombstone, q.ID()+1000, 0, 0)
				}
			}
			n.Restored(true)
			var live []uint64
			n.Live(func(pos uint64, _ uint32) { live = append(live, places[pos]) })
			slices.Sort(live)
			if got := strings.Trim(fmt.Sprint(live), "[]"); got != k.want {
				t.Fatalf("live are %q, want %q", got, k.want)
			}
			if ready, _, _ := q.Counts(); ready != len(live) {
				t.Fatalf("%d ready, %d live", ready, len(live))
			}
		})
	}
}
