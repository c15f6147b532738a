package crash

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/test/harness/client"
)

// The queues of the transactions of one round: groups are published to entry
// and twin, and single messages are moved from entry to exit.
const (
	entry = "crash.tx.entry"
	twin  = "crash.tx.twin"
	exit  = "crash.tx.exit"
)

// transactions is what the clients know about the transactions of one round.
type transactions struct {
	mu     sync.Mutex
	next   int
	groups []*group
	moved  map[int]bool // ids whose move was tried; true when commit-ok came
}

// group is one transaction that publishes ids first to last, to two queues.
type group struct {
	first, last int
	outcome     outcome
}

type outcome int

const (
	unknown    outcome = iota // no answer came: all or nothing
	committed                 // all
	rolledBack                // nothing
)

func newTransactions() *transactions { return &transactions{moved: map[int]bool{}} }

// publish runs transactions that publish a group each and now and then roll
// back.
func (x *transactions) publish(channel *amqp.Channel, random *rand.Rand) error {
	if err := channel.Tx(); err != nil {
		return err
	}
	for {
		g := x.group(1 + random.IntN(5))
		for id := g.first; id <= g.last; id++ {
			for _, queue := range []string{entry, twin} {
				if err := channel.Publish("", queue, false, false, txMessage(id, random)); err != nil {
					return err
				}
			}
		}
		if random.IntN(8) == 0 {
			x.settle(g, rolledBack)
			if err := channel.TxRollback(); err != nil {
				return err
			}
			continue
		}
		if err := channel.TxCommit(); err != nil {
			return err
		}
		x.settle(g, committed)
	}
}

// move runs transactions that take a message from one queue and publish it to
// another; some are rolled back and the message returned.
func (x *transactions) move(channel *amqp.Channel, random *rand.Rand) error {
	if err := channel.Tx(); err != nil {
		return err
	}
	for {
		d, ok, err := channel.Get(entry, false)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if random.IntN(8) == 0 {
			err = x.undo(channel, d)
		} else {
			err = x.moveOne(channel, d)
		}
		if err != nil {
			return err
		}
	}
}

func (x *transactions) moveOne(channel *amqp.Channel, d amqp.Delivery) error {
	id := txID(d.Body)
	x.note(id, false)
	if err := channel.Publish("", exit, false, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: d.Body}); err != nil {
		return err
	}
	if err := d.Ack(false); err != nil {
		return err
	}
	if err := channel.TxCommit(); err != nil {
		return err
	}
	x.note(id, true)
	return nil
}

// undo rolls a move back and gives the message back in a transaction of its own.
func (x *transactions) undo(channel *amqp.Channel, d amqp.Delivery) error {
	if err := channel.Publish("", exit, false, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: d.Body}); err != nil {
		return err
	}
	if err := d.Ack(false); err != nil {
		return err
	}
	if err := channel.TxRollback(); err != nil {
		return err
	}
	if err := d.Reject(true); err != nil {
		return err
	}
	return channel.TxCommit()
}

func (x *transactions) group(size int) *group {
	x.mu.Lock()
	defer x.mu.Unlock()
	g := &group{first: x.next + 1, last: x.next + size}
	x.next += size
	x.groups = append(x.groups, g)
	return g
}

func (x *transactions) settle(g *group, o outcome) {
	x.mu.Lock()
	defer x.mu.Unlock()
	g.outcome = o
}

func (x *transactions) note(id int, done bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.moved[id] = done
}

// check drains the queues after the restart and looks for transactions done in
// part.
func (x *transactions) check(t *testing.T, url string, l *ledger) {
	t.Helper()
	channel := client.Open(t, url)
	in, twins, out := drained(channel, entry, l), drained(channel, twin, l), drained(channel, exit, l)
	for id := range in {
		if out[id] {
			l.fault("transaction: message %d is in both %s and %s", id, entry, exit)
		}
	}
	for id, done := range x.moved {
		if done && (in[id] || !out[id]) {
			l.fault("transaction: message %d was moved, and is in %s %v, in %s %v", id, entry, in[id], exit, out[id])
		}
	}
	for id := range out {
		if _, tried := x.moved[id]; !tried {
			l.fault("transaction: message %d was never moved and is in %s", id, exit)
		}
		in[id] = true
	}
	for _, g := range x.groups {
		x.checkGroup(g, in, twins, l)
	}
	channel.Close()
}

func (x *transactions) checkGroup(g *group, moved, twins map[int]bool, l *ledger) {
	size, here, there := g.last-g.first+1, 0, 0
	for id := g.first; id <= g.last; id++ {
		if moved[id] {
			here++
		}
		if twins[id] {
			there++
		}
	}
	whole, none := here == size && there == size, here == 0 && there == 0
	if (g.outcome == committed && !whole) || (g.outcome == rolledBack && !none) || (!whole && !none) {
		l.fault("transaction of %d messages to 2 queues from id %d, outcome %d: %d and %d are there", size, g.first, g.outcome, here, there)
	}
}

// drained empties a queue and returns the ids it had.
func drained(channel *client.Channel, queue string, l *ledger) map[int]bool {
	ids := map[int]bool{}
	for _, d := range channel.Drain(queue) {
		id := txID(d.Body)
		if ids[id] {
			l.fault("transaction: message %d is in %s twice", id, queue)
		}
		ids[id] = true
	}
	return ids
}

func txMessage(id int, random *rand.Rand) amqp.Publishing {
	b := binary.BigEndian.AppendUint64(nil, uint64(id))
	return amqp.Publishing{DeliveryMode: amqp.Persistent, Body: append(b, make([]byte, random.IntN(500))...)}
}

func txID(body []byte) int {
	if len(body) < 8 {
		return 0 // no id of a message
	}
	return int(binary.BigEndian.Uint64(body))
}
