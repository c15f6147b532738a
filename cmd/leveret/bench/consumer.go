package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// A consumer takes deliveries of one or several queues on one connection. All
// of it belongs to the goroutine of read, except what is atomic or guarded.
type consumer struct {
	conn     *conn
	load     *LoadOptions
	queues   []int // numbers in the plan; consumer tags are places in here
	verifier *verifier

	acks    []byte // frames to be written before the next read
	tag     uint64 // of the delivery at hand, then the last one
	acked   uint64 // all up to here are acknowledged or held
	queue   int    // of the delivery at hand
	again   bool   // it is flagged redelivered
	left    uint64 // octets of its body that are to come
	fresh   bool   // its body has not begun
	ending  int    // consumers whose basic.cancel-ok is to come
	now     int64
	pending uint64 // deliveries not yet in delivered

	delivered atomic.Uint64

	mu      sync.Mutex // held by read except while it waits for the socket
	latency histogram  // guarded by mu
}

// Buffers for small and large bodies: a large one costs cache, a small one
// system calls.
const (
	consumerBuffer      = 128 << 10
	consumerBufferLarge = 1 << 20
	largeBody           = 16 << 10
)

// newConsumer connects the i-th of o's consumers; it does not consume yet.
func newConsumer(ctx context.Context, o *Options, p *plan, i int) (*consumer, error) {
	size := consumerBuffer
	if o.Load.Size >= largeBody {
		size = consumerBufferLarge
	}
	c, err := dial(ctx, o.Broker, size)
	if err != nil {
		return nil, err
	}
	co := &consumer{conn: c, load: &o.Load, queues: share(i, o.Load.Consumers, len(p.queues))}
	co.verifier = newVerifier(p.run, len(co.queues))
	if o.Length.Drain && !o.Length.Fill {
		co.verifier.run = 0
	}
	if err := co.open(); err != nil {
		c.net.Close()
		return nil, err
	}
	return co, nil
}

func (c *consumer) open() error {
	if err := c.conn.openChannel(); err != nil {
		return err
	}
	if c.load.Prefetch > 0 {
		if _, err := call[*wire.BasicQosOk](c.conn, 1, &wire.BasicQos{PrefetchCount: uint16(c.load.Prefetch)}); err != nil {
			return err
		}
	}
	c.conn.scan.before, c.conn.scan.after = c.release, c.acquire
	return nil
}

// consume asks for deliveries, which read must be ready to take.
func (c *consumer) consume(p *plan) error {
	for i, q := range c.queues {
		m := &wire.BasicConsume{Queue: p.queues[q], ConsumerTag: strconv.Itoa(i), NoAck: c.load.AutoAck, NoWait: true}
		if err := c.conn.send(1, m); err != nil {
			return err
		}
	}
	return nil
}

// cancel asks the broker to stop; read ends after the answers and the closes
// that follow, all within grace.
func (c *consumer) cancel(grace time.Duration) error {
	_ = c.conn.net.SetReadDeadline(time.Now().Add(grace)) // read reports it
	for i := range c.queues {
		if err := c.conn.send(1, &wire.BasicCancel{ConsumerTag: strconv.Itoa(i)}); err != nil {
			return err
		}
	}
	return nil
}

// release runs before each read of the socket: acks go out, counters are shown.
func (c *consumer) release() error {
	c.mu.Unlock()
	return c.flush()
}

func (c *consumer) flush() error {
	if c.pending > 0 {
		c.delivered.Add(c.pending)
		c.pending = 0
	}
	if len(c.acks) == 0 {
		return nil
	}
	err := c.conn.write(c.acks)
	c.acks = c.acks[:0]
	return err
}

func (c *consumer) acquire() error {
	c.now = time.Now().UnixNano()
	c.mu.Lock()
	return nil
}

// read takes deliveries until the connection has ended; nil when cancel was
// called.
func (c *consumer) read() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = len(c.queues)
	for {
		err := c.whole()
		var f frame
		if err == nil {
			f, err = c.conn.scan.next()
		}
		if err == nil {
			err = c.take(f)
		}
		if errors.Is(err, errEnded) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (c *consumer) take(f frame) error {
	switch f.kind {
	case wire.FrameMethod:
		if methodID(f.data) == idBasicDeliver {
			return c.deliver(f.data)
		}
		return c.method(f)
	case wire.FrameHeader:
		return c.header(f.data)
	case wire.FrameBody:
		return c.body(f)
	}
	_, err := c.conn.housekeeping(f)
	return err
}

// deliver reads consumer tag, delivery tag and redelivered; the route is of no
// interest.
func (c *consumer) deliver(payload []byte) error {
	args := payload[4:]
	if len(args) == 0 || len(args) < int(args[0])+10 {
		return errors.New("the broker sent a basic.deliver cut short")
	}
	n := 1 + int(args[0])
	c.queue = 0
	for _, digit := range args[1:n] {
		c.queue = c.queue*10 + int(digit-'0')
	}
	tag := binary.BigEndian.Uint64(args[n:])
	if tag != c.tag+1 {
		return fmt.Errorf("the broker sent delivery tag %d after %d", tag, c.tag)
	}
	c.tag, c.again = tag, args[n+8]&1 != 0
	return nil
}

func (c *consumer) header(payload []byte) error {
	if len(payload) < 14 {
		return errors.New("the broker sent a content header cut short")
	}
	c.left, c.fresh = binary.BigEndian.Uint64(payload[4:]), true
	if c.left != uint64(c.load.Size) {
		c.verifier.Foreign++
	}
	if c.left == 0 {
		return c.complete()
	}
	return nil
}

func (c *consumer) body(f frame) error {
	if uint64(f.size) > c.left {
		return fmt.Errorf("the broker sent %d octets of body more than announced", uint64(f.size)-c.left)
	}
	if c.fresh && len(f.data) >= StampSize {
		c.observe(f.data)
	}
	c.fresh = false
	if c.left -= uint64(f.size); c.left == 0 {
		return c.complete()
	}
	return nil
}

func (c *consumer) observe(body []byte) {
	s := readStamp(body)
	c.verifier.observe(c.queue, s, c.again)
	c.latency.record(c.now-s.time, 1)
}

// complete acknowledges the delivery at hand when its turn has come.
func (c *consumer) complete() error {
	c.pending++
	if c.load.ConsumerLatency > 0 {
		time.Sleep(c.load.ConsumerLatency)
	}
	if c.load.AutoAck || c.load.HoldFirst && c.tag == 1 {
		c.acked = c.tag
		return nil
	}
	if c.tag-c.acked < uint64(c.load.MultiAck) {
		return nil
	}
	c.acks = wire.AppendAck(c.acks, 1, c.tag, c.load.MultiAck > 1)
	c.acked = c.tag
	if c.load.ConsumerLatency > 0 {
		return c.flush() // a slow consumer does not keep its acks back
	}
	return nil
}

// method takes what is not a delivery.
func (c *consumer) method(f frame) error {
	switch methodID(f.data) {
	case idBasicCancel:
		return fmt.Errorf("the broker cancelled a consumer of %d queues (queue deleted?)", len(c.queues))
	case idCancelOk:
		if c.ending--; c.ending == 0 {
			return c.leave()
		}
		return nil
	}
	_, err := c.conn.housekeeping(f)
	return err
}

// leave acknowledges what multi-ack left over and closes the channel.
func (c *consumer) leave() error {
	if c.tag > c.acked {
		c.acks = wire.AppendAck(c.acks, 1, c.tag, c.load.MultiAck > 1)
		c.acked = c.tag
	}
	c.acks = wire.AppendMethod(c.acks, 1, &wire.ChannelClose{ReplyCode: uint16(wire.ReplySuccess), ReplyText: "done"})
	return nil
}
