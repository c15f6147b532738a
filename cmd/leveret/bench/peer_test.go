package bench

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// A peer is as much of a broker as the tool needs: it completes handshakes,
// answers requests, and hands what is published to the consumers of the queues.
// Its knobs make it misbehave.
type peer struct {
	t        *testing.T
	listener net.Listener

	// deliver says what becomes of the n-th message to a queue (from 0): one
	// copy of it, none or several; nil delivers faithfully.
	deliver func(n int, body []byte) [][]byte
	// confirm says whether the n-th publish of a connection is acked (true),
	// nacked (false) or left alone (mute).
	nack, mute func(n uint64) bool
	// refuse answers the first method of that name with a close.
	refuse      string
	refuseScope string

	wg       sync.WaitGroup
	mu       sync.Mutex
	queues   map[string]*peerQueue
	bound    map[string][]string // exchange to queues
	declared []string            // in order
	acks     []wire.BasicAck
}

type peerQueue struct {
	bodies [][]byte // waiting
	routed int
	next   int // consumer whose turn it is
	to     []peerConsumer
}

type peerConsumer struct {
	conn *peerConn
	tag  string
}

// newPeer listens until the test ends.
func newPeer(t *testing.T) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, listener: l, queues: map[string]*peerQueue{}, bound: map[string][]string{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.wg.Wait()
	})
	return p
}

func (p *peer) uri() string { return "amqp://guest:guest@" + p.listener.Addr().String() + "/" }

func (p *peer) accept() {
	for {
		nc, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() {
			defer nc.Close()
			(&peerConn{peer: p, net: nc, r: wire.NewReader(nc)}).serve()
		})
	}
}

// A peerConn is one connection; out is guarded by mu.
type peerConn struct {
	peer *peer
	net  net.Conn
	r    *wire.Reader

	mu  sync.Mutex
	out uint64 // delivery tags given

	confirms        bool
	published       uint64
	exchange, route string // of the publish at hand
	want            int    // octets of its body
	body            []byte
}

func (c *peerConn) send(ch uint16, m wire.Method) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.net.Write(wire.AppendMethod(nil, ch, m)) // a test that hangs up sees its own error
}

func (c *peerConn) serve() {
	head := make([]byte, 8)
	if _, err := io.ReadFull(c.net, head); err != nil {
		return
	}
	c.send(0, &wire.ConnectionStart{VersionMinor: 9, Mechanisms: "PLAIN AMQPLAIN", Locales: "en_US"})
	c.r.SetFrameMax(1 << 20)
	for {
		h, err := c.r.Head()
		if err != nil {
			return
		}
		payload, err := c.r.Payload()
		if err != nil || !c.frame(h, payload) {
			return
		}
	}
}

func (c *peerConn) frame(h wire.Head, payload []byte) bool {
	switch h.Type {
	case wire.FrameMethod:
		m, err := wire.ParseMethod(payload)
		if err != nil {
			c.peer.t.Errorf("peer: %v", err)
			return false
		}
		return c.method(h.Channel, m)
	case wire.FrameHeader:
		header, err := wire.ParseHeader(payload)
		if err != nil {
			c.peer.t.Errorf("peer: %v", err)
			return false
		}
		c.want, c.body = int(header.BodySize), nil
		if c.want == 0 {
			c.publish()
		}
	case wire.FrameBody:
		if c.body = append(c.body, payload...); len(c.body) == c.want {
			c.publish()
		}
	}
	return true
}

func (c *peerConn) method(ch uint16, m wire.Method) bool {
	if m.Name() == c.peer.refuse {
		class, method := m.ID()
		if c.peer.refuseScope == "channel" {
			c.send(ch, &wire.ChannelClose{ReplyCode: 406, ReplyText: "PRECONDITION_FAILED - no", ClassID: class, MethodID: method})
			return true
		}
		c.send(0, &wire.ConnectionClose{ReplyCode: 530, ReplyText: "NOT_ALLOWED - no", ClassID: class, MethodID: method})
		return true
	}
	switch m := m.(type) {
	case *wire.BasicPublish:
		c.exchange, c.route = m.Exchange, m.RoutingKey
	case *wire.BasicConsume:
		c.consume(m)
	case *wire.BasicAck:
		c.peer.ack(m)
	case *wire.ConfirmSelect:
		c.confirms = true
		c.send(ch, &wire.ConfirmSelectOk{})
	case *wire.QueueDeclare:
		c.send(ch, c.peer.declare(m))
	case *wire.QueueBind:
		c.peer.bind(m)
		if !m.NoWait {
			c.send(ch, &wire.QueueBindOk{})
		}
	default:
		if answer := answerTo(m); answer != nil {
			c.send(ch, answer)
		}
	}
	return true
}

// answerTo is the answer of the requests that change nothing here.
func answerTo(m wire.Method) wire.Method {
	switch m := m.(type) {
	case *wire.ConnectionStartOk:
		return &wire.ConnectionTune{ChannelMax: 50, FrameMax: 1 << 16, Heartbeat: 60}
	case *wire.ConnectionOpen:
		return &wire.ConnectionOpenOk{}
	case *wire.ConnectionClose:
		return &wire.ConnectionCloseOk{}
	case *wire.ChannelOpen:
		return &wire.ChannelOpenOk{}
	case *wire.ChannelClose:
		return &wire.ChannelCloseOk{}
	case *wire.ExchangeDeclare:
		return &wire.ExchangeDeclareOk{}
	case *wire.ExchangeDelete:
		return &wire.ExchangeDeleteOk{}
	case *wire.QueueDelete:
		return &wire.QueueDeleteOk{}
	case *wire.QueuePurge:
		return &wire.QueuePurgeOk{}
	case *wire.BasicQos:
		return &wire.BasicQosOk{}
	case *wire.BasicCancel:
		return &wire.BasicCancelOk{ConsumerTag: m.ConsumerTag}
	}
	return nil
}

func (p *peer) queue(name string) *peerQueue {
	if p.queues[name] == nil {
		p.queues[name] = &peerQueue{}
	}
	return p.queues[name]
}

func (p *peer) ack(m *wire.BasicAck) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acks = append(p.acks, *m)
}

func (p *peer) declare(m *wire.QueueDeclare) wire.Method {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.declared = append(p.declared, m.Queue)
	return &wire.QueueDeclareOk{Queue: m.Queue, MessageCount: uint32(len(p.queue(m.Queue).bodies))}
}

func (p *peer) bind(m *wire.QueueBind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bound[m.Exchange] = append(p.bound[m.Exchange], m.Queue)
}

func (c *peerConn) consume(m *wire.BasicConsume) {
	c.peer.mu.Lock()
	defer c.peer.mu.Unlock()
	q := c.peer.queue(m.Queue)
	q.to = append(q.to, peerConsumer{c, m.ConsumerTag})
	for _, b := range q.bodies {
		q.hand(b)
	}
	q.bodies = nil
}

// publish routes a message that is complete and confirms it: every second
// confirm covers two publishes, so that both kinds are seen.
func (c *peerConn) publish() {
	p := c.peer
	p.mu.Lock()
	targets := []string{c.route}
	if c.exchange != "" {
		targets = p.bound[c.exchange]
	}
	for _, name := range targets {
		p.enqueue(p.queue(name), c.body)
	}
	p.mu.Unlock()
	c.published++
	if !c.confirms || p.mute != nil && p.mute(c.published) {
		return
	}
	if p.nack != nil && p.nack(c.published) {
		c.send(1, &wire.BasicNack{DeliveryTag: c.published})
		return
	}
	c.send(1, &wire.BasicAck{DeliveryTag: c.published, Multiple: c.published%2 == 0})
}

func (p *peer) enqueue(q *peerQueue, body []byte) {
	copies := [][]byte{body}
	if p.deliver != nil {
		copies = p.deliver(q.routed, body)
	}
	q.routed++
	for _, b := range copies {
		if len(q.to) == 0 {
			q.bodies = append(q.bodies, b)
			continue
		}
		q.hand(b)
	}
}

// hand delivers to the consumers in turn.
func (q *peerQueue) hand(body []byte) {
	to := q.to[q.next%len(q.to)]
	q.next++
	c := to.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out++
	b := wire.AppendDeliver(nil, 1, to.tag, c.out, false, wire.AppendRoute(nil, "", "key"))
	b = wire.AppendHeader(b, 1, uint64(len(body)), []byte{0, 0})
	_, _ = c.net.Write(wire.AppendBody(b, 1, body, 1<<16)) // as in send
}

// deliveries is one read's worth of deliveries for benchmarks: n messages of
// stream 0 of producer 0 of a run, from seq on.
func deliveries(run uint32, seq uint64, n, size int) []byte {
	var b []byte
	body := make([]byte, size)
	route := wire.AppendRoute(nil, "", "bench-0")
	for i := range uint64(n) {
		if size >= StampSize {
			stamp{run: run, seq: seq + i, time: 1}.put(body)
		}
		b = wire.AppendDeliver(b, 1, "0", seq+i+1, false, route)
		b = wire.AppendHeader(b, 1, uint64(size), []byte{0, 0})
		b = wire.AppendBody(b, 1, body, 0)
	}
	return b
}

// appendReturn adds n returned messages.
func appendReturn(dst []byte, n int) []byte {
	for range n {
		dst = wire.AppendMethod(dst, 1, &wire.BasicReturn{ReplyCode: 312, ReplyText: "NO_ROUTE", RoutingKey: "k"})
		dst = wire.AppendHeader(dst, 1, 1, []byte{0, 0})
		dst = wire.AppendBody(dst, 1, []byte{1}, 0)
	}
	return dst
}
