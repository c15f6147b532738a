//go:build !race

package server

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// TestMessagesAllocateNothing sends messages the whole way: socket, channel,
// route, queue, log, delivery, socket, acknowledgement. What is left is per
// read, per write and per segment of the log, not per message.
func TestMessagesAllocateNothing(t *testing.T) {
	for _, k := range []flow{
		{name: "transient, auto-ack", queues: 1},
		{name: "transient, acks", queues: 1, acks: true},
		{name: "persistent, confirms, acks", queues: 1, acks: true, durable: true},
		{name: "fan-out to 10, transient, auto-ack", queues: 10},
		{name: "fan-out to 10, persistent, confirms, acks", queues: 10, acks: true, durable: true},
	} {
		t.Run(k.name, func(t *testing.T) {
			var o Options
			if k.durable {
				o.DataDir = t.TempDir()
			}
			s, err := Start(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			k.open(t, s.Addr())
			for range 100 {
				k.run(t)
			}
			perRun := testing.AllocsPerRun(100, func() { k.run(t) })
			t.Logf("%.1f allocations for %d messages, %d deliveries", perRun, messages, messages*k.queues)
			if got := perRun / messages; got >= 0.1 {
				t.Errorf("%.3f allocations per message", got)
			}
			k.pub.Close()
			k.sub.Close()
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// messages are how many a run publishes at once.
const messages = 1000

// flow moves messages from one connection to another without allocating.
type flow struct {
	name          string
	queues        int
	acks, durable bool // durable: persistent messages with confirms

	pub, sub net.Conn
	publish  []byte // all publishes of a run
	ack      []byte // all acks of a run
	in       []byte // room for all deliveries of a run
	tag      uint64
}

func (f *flow) open(t *testing.T, addr string) {
	t.Helper()
	f.pub, f.sub = connect(t, addr), connect(t, addr)
	for i := range f.queues {
		name := fmt.Sprint("q", i)
		call(t, f.sub, &wire.QueueDeclare{Queue: name, Durable: f.durable}, &wire.QueueDeclareOk{})
		call(t, f.sub, &wire.QueueBind{Queue: name, Exchange: "amq.fanout"}, &wire.QueueBindOk{})
		call(t, f.sub, &wire.BasicConsume{Queue: name, ConsumerTag: name, NoAck: !f.acks}, &wire.BasicConsumeOk{})
	}
	props := []byte{0, 0}
	if f.durable {
		props = (&wire.Properties{Flags: wire.FlagDeliveryMode, DeliveryMode: 2}).Append(nil)
		call(t, f.pub, &wire.ConfirmSelect{}, &wire.ConfirmSelectOk{})
		go io.Copy(io.Discard, f.pub) // until the test closes it
	}
	var content, one []byte
	content = wire.AppendBody(wire.AppendHeader(content, 1, 128, props), 1, make([]byte, 128), 0)
	for range messages {
		f.publish = append(wire.AppendMethod(f.publish, 1, &wire.BasicPublish{Exchange: "amq.fanout"}), content...)
		for range f.queues {
			f.ack = wire.AppendAck(f.ack, 1, 0, false)
		}
	}
	one = append(wire.AppendDeliver(one, 1, "q0", 1, false, wire.AppendRoute(nil, "amq.fanout", "")), content...)
	f.in = make([]byte, len(one)*messages*f.queues)
}

func (f *flow) run(t *testing.T) {
	if _, err := f.pub.Write(f.publish); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(f.sub, f.in); err != nil {
		t.Fatal(err)
	}
	if !f.acks {
		return
	}
	n := messages * f.queues
	size := len(f.ack) / n
	for i := range n {
		f.tag++
		binary.BigEndian.PutUint64(f.ack[i*size+11:], f.tag)
	}
	if _, err := f.sub.Write(f.ack); err != nil {
		t.Fatal(err)
	}
}

// connect opens a connection with channel 1.
func connect(t *testing.T, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		t.Fatal(err)
	}
	receive(t, nc, &wire.ConnectionStart{})
	send(t, nc, 0, &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US"})
	receive(t, nc, &wire.ConnectionTune{})
	send(t, nc, 0, &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072}, &wire.ConnectionOpen{VirtualHost: "/"})
	receive(t, nc, &wire.ConnectionOpenOk{})
	call(t, nc, &wire.ChannelOpen{}, &wire.ChannelOpenOk{})
	return nc
}

func call(t *testing.T, nc net.Conn, m, answer wire.Method) {
	t.Helper()
	send(t, nc, 1, m)
	receive(t, nc, answer)
}

func send(t *testing.T, nc net.Conn, ch uint16, ms ...wire.Method) {
	t.Helper()
	var b []byte
	for _, m := range ms {
		b = wire.AppendMethod(b, ch, m)
	}
	if _, err := nc.Write(b); err != nil {
		t.Fatal(err)
	}
}

// receive reads one method, octet for octet so that nothing behind it is taken.
func receive(t *testing.T, nc net.Conn, want wire.Method) {
	t.Helper()
	head := make([]byte, 7)
	if _, err := io.ReadFull(nc, head); err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
	if _, err := io.ReadFull(nc, payload); err != nil {
		t.Fatal(err)
	}
	m, err := wire.ParseMethod(payload[:len(payload)-1])
	if err != nil || m.Name() != want.Name() {
		t.Fatalf("got %+v, %v; want %s", m, err, want.Name())
	}
}
