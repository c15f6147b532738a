package bench

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/leveretmq/leveret/amqp/wire"
)

// consumeAll runs a consumer for bodies of a size over a stream and gives what
// it counted; acks are thrown away.
func consumeAll(t *testing.T, src io.Reader, buffer, size int) (*consumer, error) {
	t.Helper()
	cn, far := pipeConn(t)
	go func() { _, _ = io.Copy(io.Discard, far) }() // ends with the pipe
	cn.scan = newScanner(src, buffer)
	co := &consumer{conn: cn, load: &LoadOptions{Size: size, MultiAck: 1}, queues: []int{0}, verifier: newVerifier(1, 1)}
	cn.scan.before, cn.scan.after = co.release, co.acquire
	return co, co.read()
}

func TestDeliveriesInAnyPieces(t *testing.T) {
	for _, size := range []int{StampSize, 100, 5000} {
		stream := deliveries(1, 0, 20, size)
		for _, c := range []struct {
			name   string
			src    io.Reader
			buffer int
		}{
			{"at once", bytes.NewReader(stream), 1 << 20},
			{"a few at a time", bytes.NewReader(stream), 700},
			{"less than one at a time", bytes.NewReader(stream), 64},
			{"octet by octet", iotest.OneByteReader(bytes.NewReader(stream)), 1 << 20},
			{"half reads", iotest.HalfReader(bytes.NewReader(stream)), 1000},
		} {
			t.Run(c.name, func(t *testing.T) {
				co, err := consumeAll(t, c.src, c.buffer, size)
				if !errors.Is(err, errDropped) {
					t.Fatal(err)
				}
				if co.delivered.Load() != 20 || co.verifier.Verification != (Verification{Checked: 20}) || co.acked != 20 {
					t.Errorf("size %d: %d delivered, %d acked, %+v", size, co.delivered.Load(), co.acked, co.verifier.Verification)
				}
			})
		}
	}
}

func TestUnusualDeliveries(t *testing.T) {
	body := make([]byte, 100)
	stamp{run: 1}.put(body)
	route := wire.AppendRoute(nil, "x", "k")
	props := (&wire.Properties{Flags: wire.FlagContentType | wire.FlagDeliveryMode, ContentType: "text/plain", DeliveryMode: 2}).Append(nil)
	delivery := func(tag uint64, again bool) []byte { return wire.AppendDeliver(nil, 1, "0", tag, again, route) }
	for _, c := range []struct {
		name   string
		stream []byte
		want   Verification
		err    string
	}{
		{"with properties", append(wire.AppendHeader(delivery(1, false), 1, 100, props), wire.AppendBody(nil, 1, body, 0)...), Verification{Checked: 1}, ""},
		{"body in several frames", append(wire.AppendHeader(delivery(1, false), 1, 100, props), wire.AppendBody(nil, 1, body, 48)...), Verification{Checked: 1}, ""},
		{"redelivered", append(wire.AppendHeader(delivery(1, true), 1, 100, props), wire.AppendBody(nil, 1, body, 0)...), Verification{Checked: 1, Redelivered: 1}, ""},
		{"heartbeat within a delivery", append(wire.AppendHeartbeat(wire.AppendHeader(delivery(1, false), 1, 100, props)), wire.AppendBody(nil, 1, body, 0)...), Verification{Checked: 1}, ""},
		{"another size", append(wire.AppendHeader(delivery(1, false), 1, 30, props), wire.AppendBody(nil, 1, body[:30], 0)...), Verification{Checked: 1, Foreign: 1}, ""},
		{"a tag left out", delivery(2, false), Verification{}, "delivery tag 2 after 0"},
		{"more body than announced", append(wire.AppendHeader(delivery(1, false), 1, 10, props), wire.AppendBody(nil, 1, body, 0)...), Verification{Foreign: 1}, "90 octets of body more"},
		{"deliver cut short", []byte{1, 0, 1, 0, 0, 0, 6, 0, 60, 0, 60, 1, '0', 0xce}, Verification{}, "basic.deliver cut short"},
		{"header cut short", append(delivery(1, false), 2, 0, 1, 0, 0, 0, 2, 0, 60, 0xce), Verification{}, "content header cut short"},
		{"cancelled by the broker", wire.AppendMethod(nil, 1, &wire.BasicCancel{ConsumerTag: "0"}), Verification{}, "cancelled a consumer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			co, err := consumeAll(t, bytes.NewReader(c.stream), 4096, 100)
			if c.err == "" && !errors.Is(err, errDropped) || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error = %v, want %q", err, c.err)
			}
			if co.verifier.Verification != c.want {
				t.Errorf("verification = %+v, want %+v", co.verifier.Verification, c.want)
			}
		})
	}
}

func FuzzConsumer(f *testing.F) {
	f.Add(deliveries(1, 0, 3, 100), 64)
	f.Add(deliveries(1, 0, 1, 30), 4096)
	f.Fuzz(func(t *testing.T, octets []byte, buffer int) {
		_, err := consumeAll(t, bytes.NewReader(octets), 1+buffer&0xffff, 100)
		if err == nil && len(octets) == 0 {
			t.Error("no error at the end of the stream")
		}
	})
}
