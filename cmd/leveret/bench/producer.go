package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// A producer publishes on one connection. publish runs on one goroutine (it
// owns tmpl and limit), read on another.
type producer struct {
	conn   *conn
	tmpl   *template
	limit  *limiter
	window *window // nil: no confirms
	// wake holds a token after every confirm.
	wake chan struct{}

	published, returned, nacked, frames atomic.Uint64

	mu      sync.Mutex // held by read except while it waits for the socket
	latency histogram  // guarded by mu
	now     int64      // owned by read: when the octets at hand were read
}

const producerBuffer = 32 << 10

// newProducer connects the i-th of o's producers.
func newProducer(ctx context.Context, o *Options, p *plan, i int) (*producer, error) {
	c, err := dial(ctx, o.Broker, producerBuffer)
	if err != nil {
		return nil, err
	}
	pr := &producer{conn: c, limit: newLimiter(o.Load.Rate, wallClock{}), wake: make(chan struct{}, 1)}
	if err := pr.open(&o.Load, p, i, o.Load.Producers); err != nil {
		c.net.Close()
		return nil, err
	}
	return pr, nil
}

func (p *producer) open(l *LoadOptions, pl *plan, i, n int) (err error) {
	if p.tmpl, err = newTemplate(l, pl, i, pl.producerKeys(i, n), p.conn.frameMax); err != nil {
		return err
	}
	if err := p.conn.openChannel(); err != nil {
		return err
	}
	if l.Confirm > 0 {
		p.window = newWindow(l.Confirm)
		if _, err := call[*wire.ConfirmSelectOk](p.conn, 1, &wire.ConfirmSelect{}); err != nil {
			return err
		}
	}
	p.conn.scan.before, p.conn.scan.after = p.release, p.acquire
	return nil
}

func (p *producer) release() error {
	p.mu.Unlock()
	return nil
}

func (p *producer) acquire() error {
	p.now = time.Now().UnixNano()
	p.mu.Lock()
	return nil
}

// publish sends messages (0: without end) until stop is done; then it returns
// nil, with the last ones perhaps unconfirmed.
func (p *producer) publish(stop context.Context, messages uint64) error {
	var sent uint64
	for messages == 0 || sent < messages {
		room, err := p.room(stop)
		if messages > 0 {
			room = int(min(uint64(room), messages-sent))
		}
		if err == nil {
			room, err = p.limit.take(stop, room)
		}
		if err != nil {
			return nil // only the end of stop
		}
		now := time.Now().UnixNano()
		octets, n := p.tmpl.cut(room, now)
		if p.window != nil {
			p.window.sent(n, now)
		}
		if err := p.conn.write(octets); err != nil {
			return err
		}
		sent += uint64(n)
		p.published.Store(sent)
	}
	return nil
}

// room waits until something may be sent.
func (p *producer) room(stop context.Context) (int, error) {
	if stop.Err() != nil {
		return 0, stop.Err()
	}
	if p.window == nil {
		return p.tmpl.batch, nil
	}
	for {
		if n := p.window.room(); n > 0 {
			return n, nil
		}
		select {
		case <-p.wake:
		case <-stop.Done():
			return 0, stop.Err()
		}
	}
}

// read takes confirms and returns until the connection has ended; nil when it
// was ended by finish.
func (p *producer) read() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		f, err := p.conn.receive()
		if err == nil && f.kind == wire.FrameMethod {
			err = p.method(f.data)
		}
		if errors.Is(err, errEnded) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (p *producer) method(payload []byte) error {
	switch methodID(payload) {
	case idBasicAck, idBasicNack:
		return p.confirm(payload)
	case idBasicReturn:
		p.returned.Add(1)
	}
	return nil
}

// Class and method numbers of the frames that come per message.
const (
	idBasicDeliver = 60<<16 | 60
	idBasicReturn  = 60<<16 | 50
	idBasicAck     = 60<<16 | 80
	idBasicNack    = 60<<16 | 120
	idBasicCancel  = 60<<16 | 30
	idCancelOk     = 60<<16 | 31
)

// confirm takes basic.ack or basic.nack: both begin with tag and multiple.
func (p *producer) confirm(payload []byte) error {
	if p.window == nil || len(payload) < 13 {
		return errors.New("the broker sent a confirm that was not asked for, or one cut short")
	}
	n, err := p.window.settle(binary.BigEndian.Uint64(payload[4:]), payload[12]&1 != 0, p.now, &p.latency)
	if err != nil {
		return err
	}
	p.frames.Add(1)
	if methodID(payload) == idBasicNack {
		p.nacked.Add(n)
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

// confirmed counts settled publishes; without confirms all that were sent.
func (p *producer) confirmed() uint64 {
	if p.window == nil {
		return 0
	}
	return p.window.settled.Load()
}
