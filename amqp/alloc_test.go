//go:build !race

package amqp

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// TestMessagesAllocateNothing sends a message through publish, queue, deliver
// and ack. What is left is per read and per write, not per message.
func TestMessagesAllocateNothing(t *testing.T) {
	cases := []struct {
		name    string
		confirm bool
		noAck   bool
	}{{"no ack", false, true}, {"ack each", false, false}, {"confirms, ack each", true, false}}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			s := startServer(t, Options{})
			pub, sub := dial(t, s).open(0).channel(1), dial(t, s).open(0).channel(1)
			sub.declare(1, "q")
			sub.send(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: k.noAck})
			want[*wire.BasicConsumeOk](sub)
			if k.confirm {
				pub.send(1, &wire.ConfirmSelect{})
				want[*wire.ConfirmSelectOk](pub)
				go io.Copy(io.Discard, pub.nc)
			}
			const n = 1000
			f := flow{pub: pub, sub: sub, n: n, ack: !k.noAck}
			f.prepare()
			for range 20 {
				f.run(t)
			}
			if got := testing.AllocsPerRun(50, func() { f.run(t) }) / n; got >= 0.02 {
				t.Errorf("%.3f allocations per message", got)
			}
		})
	}
}

// flow moves n messages at a time without allocating itself.
type flow struct {
	pub, sub *client
	n        int
	ack      bool
	batch    []byte // n publishes
	acks     []byte // n acks
	deliver  int    // octets of a delivery
	buf      []byte
	tag      uint64
}

func (f *flow) prepare() {
	body := make([]byte, 128)
	for range f.n {
		f.batch = appendPublish(f.batch, 1, "q", body)
		f.acks = wire.AppendAck(f.acks, 1, 0, false)
	}
	one := wire.AppendDeliver(nil, 1, "c", 1, false, wire.AppendRoute(nil, "", "q"))
	one = wire.AppendBody(wire.AppendHeader(one, 1, 128, []byte{0, 0}), 1, body, 0)
	f.deliver = len(one)
	f.buf = make([]byte, f.n*f.deliver)
}

func (f *flow) run(t *testing.T) {
	f.pub.write(f.batch)
	if _, err := io.ReadFull(f.sub.nc, f.buf); err != nil {
		t.Fatal(err)
	}
	if !f.ack {
		return
	}
	size := len(f.acks) / f.n
	for i := range f.n {
		f.tag++
		binary.BigEndian.PutUint64(f.acks[i*size+11:], f.tag)
	}
	f.sub.write(f.acks)
}

func TestWriterStartsWithoutAllocating(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s).open(0).channel(1)
	ping := []byte{wire.FrameMethod, 0, 1, 0, 0, 0, 5, 0, 20, 0, 20, 1, wire.FrameEnd} // channel.flow active
	buf := make([]byte, len(ping))
	run := func() {
		c.write(ping)
		if _, err := io.ReadFull(c.nc, buf); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if got := testing.AllocsPerRun(200, run); got > 4 { // the decoded method and its answer
		t.Errorf("%.1f allocations for a question and its answer", got)
	}
}
