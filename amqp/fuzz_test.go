package amqp

import (
	"io"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// FuzzAfterOpen sends any octets on an open connection: nothing panics, and
// another connection works on.
func FuzzAfterOpen(f *testing.F) {
	content := appendPublish(nil, 1, "q", []byte("body"))
	for _, seed := range [][]byte{
		nil,
		content,
		content[:len(content)-3],
		append(wire.AppendMethod(nil, 1, &wire.QueueDeclare{Queue: "q"}), content...),
		wire.AppendMethod(nil, 1, &wire.BasicConsume{Queue: "q"}),
		wire.AppendMethod(wire.AppendMethod(nil, 1, &wire.TxSelect{}), 1, &wire.TxCommit{}),
		wire.AppendAck(nil, 1, 1, true),
		wire.AppendHeader(nil, 1, 1<<63, []byte{0xff, 0xff}),
		{3, 0, 1, 0xff, 0xff, 0xff, 0xff},
		{1, 0, 1, 0, 0, 0, 0, wire.FrameEnd},
	} {
		f.Add(seed)
	}
	s := startServer(f, Options{CloseTimeout: 50 * time.Millisecond, SilentClose: time.Millisecond})
	other := dial(f, s).open(0).channel(1)
	f.Fuzz(func(t *testing.T, b []byte) {
		c := dial(t, s).open(0).channel(1)
		c.write(b)
		c.write(wire.AppendMethod(nil, 0, &wire.ConnectionClose{}))
		c.nc.(interface{ CloseWrite() error }).CloseWrite()
		c.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, c.nc); err != nil {
			if e, ok := err.(interface{ Timeout() bool }); ok && e.Timeout() {
				t.Fatal("the connection hangs")
			}
		}
		other.t = t
		other.send(1, &wire.BasicQos{})
		want[*wire.BasicQosOk](other)
	})
}

// FuzzHandshake sends any octets on a new connection.
func FuzzHandshake(f *testing.F) {
	start := wire.AppendMethod([]byte(protocolHeader), 0, &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00guest\x00guest"})
	tune := wire.AppendMethod(start, 0, &wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096})
	for _, seed := range [][]byte{nil, []byte("GET / HTTP/1.1\r\n\r\n"), []byte(protocolHeader), start, tune,
		wire.AppendMethod(tune, 0, &wire.ConnectionOpen{VirtualHost: "/"})} {
		f.Add(seed)
	}
	s := startServer(f, Options{CloseTimeout: 50 * time.Millisecond, SilentClose: time.Millisecond, HandshakeTimeout: 50 * time.Millisecond})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := dial(t, s)
		c.write(b)
		c.nc.(interface{ CloseWrite() error }).CloseWrite()
		c.nc.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, c.nc); err != nil {
			if e, ok := err.(interface{ Timeout() bool }); ok && e.Timeout() {
				t.Fatal("the connection hangs")
			}
		}
	})
}
