package crash

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	window   = 100 // unconfirmed messages per publisher
	prefetch = 60  // of each consumer
	markAt   = 20  // acks after which a consumer makes sure that they are on disk
)

// load is what the clients do to the broker in one round, until it dies.
type load struct {
	url     string
	seed    uint64
	ledger  *ledger
	clients sync.WaitGroup
}

// start starts one client. Its error is the end of the broker, or a fault when
// the broker still runs; the caller cannot tell here and need not.
func (l *load) start(number uint64, client func(channel *amqp.Channel, random *rand.Rand) error) error {
	connection, err := amqp.Dial(l.url)
	if err != nil {
		return err
	}
	channel, err := connection.Channel()
	if err != nil {
		return err
	}
	l.clients.Go(func() {
		defer connection.Close()
		_ = client(channel, rand.New(rand.NewPCG(l.seed, number)))
	})
	return nil
}

// publisher publishes to one queue with confirms; one message in ten is
// transient.
func (l *load) publisher(name, queue string) func(*amqp.Channel, *rand.Rand) error {
	return func(channel *amqp.Channel, random *rand.Rand) error {
		if err := channel.Confirm(false); err != nil {
			return err
		}
		var pending []unconfirmed
		for {
			m := amqp.Publishing{DeliveryMode: amqp.Persistent}
			if random.IntN(10) == 0 {
				m.DeliveryMode = amqp.Transient
			}
			id := l.ledger.publish(name, queue, m.DeliveryMode == amqp.Transient)
			m.Body = body(id, bodySize(random))
			confirm, err := channel.PublishWithDeferredConfirm("", queue, false, false, m)
			if err == nil {
				pending = append(pending, unconfirmed{id, confirm})
			}
			for len(pending) > 0 && (err != nil || len(pending) == window || pending[0].confirm.Acked()) {
				if pending[0].confirm.Wait() { // false when the channel has closed without it
					l.ledger.confirm(pending[0].id)
				}
				pending = pending[1:]
			}
			if err != nil {
				return err
			}
		}
	}
}

type unconfirmed struct {
	id      int
	confirm *amqp.DeferredConfirmation
}

// consumer acks most of what it gets, one by one and several at once, requeues
// some, and holds some back.
func (l *load) consumer(queue string) func(*amqp.Channel, *rand.Rand) error {
	return func(channel *amqp.Channel, random *rand.Rand) error {
		if err := channel.Qos(prefetch, 0, false); err != nil {
			return err
		}
		if err := channel.Confirm(false); err != nil {
			return err
		}
		deliveries, err := channel.Consume(queue, "", false, false, false, false, nil)
		if err != nil {
			return err
		}
		c := consumer{channel: channel, queue: queue, ledger: l.ledger, random: random}
		for d := range deliveries {
			if err := c.take(d); err != nil {
				return err
			}
		}
		return nil
	}
}

// consumer is one consumer's hands: what it holds and what it has acked since
// it last made sure.
type consumer struct {
	channel *amqp.Channel
	queue   string
	ledger  *ledger
	random  *rand.Rand
	held    []amqp.Delivery
	acked   []int
}

func (c *consumer) take(d amqp.Delivery) error {
	id, err := identify(d.Body)
	if err != nil {
		c.ledger.fault("from %s: %v", c.queue, err)
		return err
	}
	c.ledger.deliver(id, c.queue, d.Redelivered)
	c.held = append(c.held, d)
	switch n := c.random.IntN(20); {
	case n < 10:
		err = c.ack(c.random.IntN(len(c.held)))
	case n == 10:
		err = c.requeue(c.random.IntN(len(c.held)))
	case n == 11 || len(c.held) > prefetch/2:
		err = c.ackAll()
	}
	if err != nil || len(c.acked) < markAt {
		return err
	}
	return c.makeSure()
}

func (c *consumer) ack(n int) error {
	d := c.drop(n)
	c.note(d)
	return d.Ack(false)
}

func (c *consumer) requeue(n int) error {
	d := c.drop(n)
	return d.Nack(false, true)
}

// ackAll acks everything held with one frame. Tag 0 would not do: it acks what
// has arrived and was not taken yet as well.
func (c *consumer) ackAll() error {
	for _, d := range c.held {
		c.note(d)
	}
	last := c.held[len(c.held)-1]
	c.held = nil
	return last.Ack(true)
}

func (c *consumer) drop(n int) amqp.Delivery {
	d := c.held[n]
	c.held = append(c.held[:n], c.held[n+1:]...)
	return d
}

func (c *consumer) note(d amqp.Delivery) {
	id, _ := identify(d.Body) // it was taken, so it has one
	c.ledger.ack(id)
	c.acked = append(c.acked, id)
}

// makeSure waits until the acks so far are on disk: the answer to basic.qos
// says that the broker has taken them, and the confirm of a later publish that
// the log is durable beyond them.
func (c *consumer) makeSure() error {
	if err := c.channel.Qos(prefetch, 0, false); err != nil {
		return err
	}
	mark := amqp.Publishing{DeliveryMode: amqp.Persistent}
	confirm, err := c.channel.PublishWithDeferredConfirm("", marks, false, false, mark)
	if err != nil {
		return err
	}
	if !confirm.Wait() {
		return amqp.ErrClosed
	}
	c.ledger.settled(c.acked)
	c.acked = nil
	return nil
}

// bodySize is small for most, and larger than a frame for some.
func bodySize(random *rand.Rand) int {
	switch n := random.IntN(100); {
	case n == 0:
		return 200_000
	case n < 10:
		return random.IntN(20_000)
	default:
		return random.IntN(300)
	}
}

// body is an id, a filling that follows from it, and a checksum.
func body(id, size int) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(id))
	for n := range size {
		b = append(b, byte(id+n))
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// identify returns the id in a body that has come whole.
func identify(b []byte) (int, error) {
	if len(b) < 12 {
		return 0, fmt.Errorf("a body of %d octets was never sent", len(b))
	}
	data, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.ChecksumIEEE(data) != sum {
		return 0, fmt.Errorf("a body of %d octets came damaged", len(b))
	}
	return int(binary.BigEndian.Uint64(data)), nil
}
