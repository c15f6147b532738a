package amqp

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

func TestBodiesOfAllSizes(t *testing.T) {
	c := dial(t, startServer(t, Options{})).open(0).channel(1)
	c.declare(1, "q")
	c.send(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
	want[*wire.BasicConsumeOk](c)
	for _, size := range []int{0, 1, refSize - 1, refSize, 65536, 131063, 131064, 131065, 262128, 3 << 20} {
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(i % 251)
		}
		go c.write(appendPublish(nil, 1, "q", body))
		d := want[*wire.BasicDeliver](c)
		if got := c.body(); !bytes.Equal(got, body) || d.RoutingKey != "q" {
			t.Errorf("size %d: got %d octets, routing key %q", size, len(got), d.RoutingKey)
		}
	}
}

func TestMessageSplitAtEveryOctet(t *testing.T) {
	s := startServer(t, Options{})
	c := pipe(t, s).open(0).channel(1) // a pipe does not join writes
	c.declare(1, "q")
	c.send(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
	want[*wire.BasicConsumeOk](c)
	message := appendPublish(nil, 1, "q", []byte("hello, world"), 0x80, 0, 3, 'a', '/', 'b')
	for cut := range len(message) {
		c.write(message[:cut])
		c.write(message[cut:])
		want[*wire.BasicDeliver](c)
		if got := string(c.body()); got != "hello, world" {
			t.Fatalf("cut at %d: got %q", cut, got)
		}
	}
}

func TestBodyInManyFrames(t *testing.T) {
	c := dial(t, startServer(t, Options{})).open(0).channel(1)
	c.declare(1, "q")
	for _, size := range []int{300, 2 * refSize} {
		b := wire.AppendMethod(nil, 1, &wire.BasicPublish{RoutingKey: "q"})
		b = wire.AppendHeader(b, 1, uint64(size), []byte{0, 0})
		body := bytes.Repeat([]byte("x"), size)
		b = wire.AppendBody(b, 1, body[:1], 0)
		b = append(b, wire.FrameBody, 0, 1, 0, 0, 0, 0, wire.FrameEnd) // an empty one
		b = wire.AppendBody(b, 1, body[1:], 100)
		go c.write(b)
		// A get in the same read must see it; it may come before.
		c.eventually(1, "q", body)
	}
}

// eventually gets until body comes.
func (c *client) eventually(ch uint16, queue string, body []byte) {
	c.t.Helper()
	for {
		c.send(ch, &wire.BasicGet{Queue: queue, NoAck: true})
		_, m, err := c.receive()
		if err != nil {
			c.t.Fatal(err)
		}
		if _, ok := m.(*wire.BasicGetOk); !ok {
			continue
		}
		if got := c.body(); !bytes.Equal(got, body) {
			c.t.Fatalf("got %d octets, want %d", len(got), len(body))
		}
		return
	}
}

func TestAnnouncementAloneTakesNoMemory(t *testing.T) {
	s := startServer(t, Options{})
	var clients []*client
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 20 {
		c := dial(t, s).open(0).channel(1)
		b := wire.AppendMethod(nil, 1, &wire.BasicPublish{RoutingKey: "q"})
		b = wire.AppendHeader(b, 1, 100<<20, []byte{0, 0})
		c.write(wire.AppendBody(b, 1, make([]byte, 20000), 0))
		c.channel(2) // the body frame was read
		clients = append(clients, c)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 100<<20 {
		t.Errorf("20 announced bodies of 100 MiB took %d MiB", took>>20)
	}
	runtime.KeepAlive(clients)
}

func TestSlowConsumerIsNotFedMoreThanItTakes(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s).open(0).channel(1)
	c.declare(1, "q")
	c.send(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
	want[*wire.BasicConsumeOk](c)

	const messages, size = 4000, 8000 // 32 MB, more than all socket buffers
	p := dial(t, s).open(0).channel(1)
	p.send(1, &wire.ConfirmSelect{})
	want[*wire.ConfirmSelectOk](p)
	go func() {
		body := make([]byte, size)
		var b []byte
		for i := range uint32(messages) {
			binary.BigEndian.PutUint32(body, i)
			b = appendPublish(b[:0], 1, "q", body)
			p.write(b)
		}
	}()
	for last := uint64(0); last < messages; {
		last = max(last, want[*wire.BasicAck](p).DeliveryTag)
	}
	s.each(func(conn *conn) {
		if n := conn.out.pending(); n > softLimit+2*size {
			t.Errorf("%d octets wait for a socket", n)
		}
	})
	for i := range uint32(messages) {
		if d := want[*wire.BasicDeliver](c); d.DeliveryTag != uint64(i)+1 {
			t.Fatalf("tag %d, want %d", d.DeliveryTag, i+1)
		}
		if got := binary.BigEndian.Uint32(c.body()); got != i {
			t.Fatalf("message %d, want %d", got, i)
		}
	}
}

func TestPipelinedGetsAreBounded(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s).open(0).channel(1)
	c.declare(1, "q")
	body := make([]byte, 100_000)
	for range 300 {
		c.write(appendPublish(nil, 1, "q", body))
	}
	var gets []wire.Method
	for range 300 {
		gets = append(gets, &wire.BasicGet{Queue: "q", NoAck: true})
	}
	go c.send(1, gets...)
	for range 300 {
		want[*wire.BasicGetOk](c)
		s.each(func(conn *conn) {
			if n := conn.out.pending(); n > hardLimit+2*len(body) {
				t.Errorf("%d octets wait for a socket", n)
			}
		})
		c.body()
	}
}

func TestGlobalPrefetchIsShared(t *testing.T) {
	c := dial(t, startServer(t, Options{})).open(0).channel(1)
	c.declare(1, "q")
	var b []byte
	for range 10 {
		b = appendPublish(b, 1, "q", []byte("m"))
	}
	c.write(b)
	c.send(1, &wire.BasicQos{PrefetchCount: 3, Global: true}, &wire.BasicConsume{Queue: "q", ConsumerTag: "a"}, &wire.BasicConsume{Queue: "q", ConsumerTag: "b"})
	want[*wire.BasicQosOk](c)
	var tags []uint64
	oks := 0
	for oks < 2 || len(tags) < 3 {
		_, m, err := c.receive()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *wire.BasicConsumeOk:
			oks++
		case *wire.BasicDeliver:
			tags = append(tags, m.DeliveryTag)
			c.body()
		}
	}
	// One ack lets one more come, cancelling lets nothing come.
	c.send(1, &wire.BasicAck{DeliveryTag: tags[0]}, &wire.BasicCancel{ConsumerTag: "a"})
	got := 0
	for got < 2 {
		_, m, err := c.receive()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.(*wire.BasicDeliver); ok {
			c.body()
		}
		got++
	}
	c.send(1, &wire.BasicQos{})
	want[*wire.BasicQosOk](c) // and nothing before it
	c.send(1, &wire.BasicAck{Multiple: true})
	for range 3 {
		want[*wire.BasicDeliver](c)
		c.body()
	}
	c.send(1, &wire.BasicQos{})
	want[*wire.BasicQosOk](c)
	// Raising the limit reaches the running consumer.
	c.send(1, &wire.BasicQos{Global: true})
	want[*wire.BasicQosOk](c)
	for range 3 {
		want[*wire.BasicDeliver](c)
		c.body()
	}
}

func TestRollbackTakesBackAcks(t *testing.T) {
	c := dial(t, startServer(t, Options{})).open(0).channel(1)
	c.declare(1, "q")
	c.write(appendPublish(appendPublish(nil, 1, "q", []byte("a")), 1, "q", []byte("b")))
	c.send(1, &wire.TxSelect{}, &wire.BasicGet{Queue: "q"}, &wire.BasicGet{Queue: "q"})
	want[*wire.TxSelectOk](c)
	for range 2 {
		want[*wire.BasicGetOk](c)
		c.body()
	}
	c.send(1, &wire.BasicAck{DeliveryTag: 2, Multiple: true}, &wire.TxRollback{}, &wire.BasicAck{DeliveryTag: 2})
	c.send(1, &wire.TxCommit{}, &wire.BasicAck{DeliveryTag: 2})
	want[*wire.TxRollbackOk](c)
	want[*wire.TxCommitOk](c)
	if m := want[*wire.ChannelClose](c); m.ReplyText != "PRECONDITION_FAILED - unknown delivery tag 2" {
		t.Errorf("got %+v", m)
	}
	c.channel(2)
	c.eventually(2, "q", []byte("a"))
}
