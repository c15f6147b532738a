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

// A producer publishes on one connection. With confirms and no rate limit one
// goroutine does everything: before read waits for more confirms it pumps out
// what they made room for. Otherwise publish runs on a second goroutine. tmpl,
// limit, sent and the fields of assignment belong to whichever publishes.
type producer struct {
	conn   *conn
	tmpl   *template
	limit  *limiter
	window *window // nil: no confirms
	assignment
	sent uint64
	// wake holds a token after every confirm; for publish.
	wake chan struct{}

	published, returned, nacked, frames atomic.Uint64

	mu      sync.Mutex // held by read except while it waits for the socket
	latency histogram  // guarded by mu
	now     int64      // owned by read: when the octets at hand were read
}

// An assignment is what a producer has to do: publish messages (0: without end)
// until stop is done, then call idle, once, with the last ones perhaps
// unconfirmed.
type assignment struct {
	stop     context.Context
	messages uint64
	idle     func()
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

// pumps says whether read publishes too.
func (p *producer) pumps() bool { return p.window != nil && p.limit.rate == 0 }

// release runs before each read of the socket.
func (p *producer) release() error {
	p.mu.Unlock()
	if p.idle == nil || !p.pumps() {
		return nil
	}
	err := p.pump()
	if err != nil {
		p.mu.Lock() // no read follows, hence no acquire: read still unlocks
	}
	return err
}

func (p *producer) acquire() error {
	p.now = time.Now().UnixNano()
	p.mu.Lock()
	return nil
}

// pump sends what the window has room for.
func (p *producer) pump() error {
	for p.more() {
		room := p.window.room()
		if room == 0 {
			return nil
		}
		if err := p.emit(room); err != nil {
			return err
		}
	}
	p.idle()
	p.idle = nil
	return nil
}

// more says whether the assignment is not yet done.
func (p *producer) more() bool {
	return p.stop.Err() == nil && (p.messages == 0 || p.sent < p.messages)
}

// emit sends at most n messages with one write.
func (p *producer) emit(n int) error {
	if p.messages > 0 {
		n = int(min(uint64(n), p.messages-p.sent))
	}
	now := time.Now().UnixNano()
	octets, n := p.tmpl.cut(n, now)
	if p.window != nil {
		p.window.sent(n, now)
	}
	p.sent += uint64(n)
	p.published.Store(p.sent)
	return p.conn.write(octets)
}

// publish does the assignment where read does not.
func (p *producer) publish() error {
	defer p.idle()
	for p.more() {
		room, err := p.room(p.stop)
		if err == nil {
			room, err = p.limit.take(p.stop, room)
		}
		if err != nil {
			return nil // only the end of stop
		}
		if err := p.emit(room); err != nil {
			return err
		}
	}
	return nil
}

// room waits until something may be sent.
func (p *producer) room(stop context.Context) (int, error) {
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
