//go:build !race

package wire

import (
	"bytes"
	"io"
	"testing"
)

// The hot paths of a message allocate nothing (the race detector itself does,
// so that these run without it).
func TestHotPathsDoNotAllocate(t *testing.T) {
	pub, ack := payload(&BasicPublish{Exchange: "exchange", RoutingKey: "routing.key"}), payload(&BasicAck{DeliveryTag: 1})
	p := full()
	props, plain := p.Append(nil), []byte("\x10\x00\x02")
	route, body := AppendRoute(nil, "exchange", "routing.key"), pattern(10000)
	dst := make([]byte, 0, 1<<16)
	m := &BasicAck{DeliveryTag: 1}
	for _, c := range []struct {
		name string
		do   func()
	}{
		{"ParsePublish", func() { _, _ = ParsePublish(pub) }},
		{"ParseAck", func() { _, _, _ = ParseAck(ack) }},
		{"AppendDeliver", func() { dst = AppendDeliver(dst[:0], 1, "consumer", 2, true, route) }},
		{"AppendAck", func() { dst = AppendAck(dst[:0], 1, 2, true) }},
		{"AppendNack", func() { dst = AppendNack(dst[:0], 1, 2, true) }},
		{"AppendRoute", func() { dst = AppendRoute(dst[:0], "exchange", "key") }},
		{"SplitRoute", func() { _, _ = SplitRoute(route) }},
		{"AppendHeader", func() { dst = AppendHeader(dst[:0], 1, 2, props) }},
		{"AppendBody", func() { dst = AppendBody(dst[:0], 1, body, 4096) }},
		{"AppendMethod", func() { dst = AppendMethod(dst[:0], 1, m) }},
		{"ScanProperties, all of them", func() { _, _ = ScanProperties(props) }},
		{"ScanProperties, delivery-mode", func() { _, _ = ScanProperties(plain) }},
		{"ScanTable", func() { _ = ScanTable(route[:0], visitAll) }},
	} {
		if n := testing.AllocsPerRun(200, c.do); n != 0 {
			t.Errorf("%s allocates %v times", c.name, n)
		}
	}
}

func TestScanTableDoesNotAllocate(t *testing.T) {
	var table Table
	for _, c := range everyType {
		table = append(table, Field{c.name, c.value})
	}
	fields := AppendTable(nil, table)[4:]
	seen := 0
	count := func(_ []byte, _ byte, value []byte) bool { seen += len(value); return true }
	if n := testing.AllocsPerRun(200, func() { _ = ScanTable(fields, count) }); n != 0 || seen == 0 {
		t.Errorf("%v allocations", n)
	}
}

// endless gives the same octets again and again.
type endless struct {
	data []byte
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.data[e.at:])
	e.at = (e.at + n) % len(e.data)
	return n, nil
}

func (e *endless) Wait() error { return nil }

func TestReaderDoesNotAllocate(t *testing.T) {
	data := bytes.Repeat(frame(FrameMethod, 1, pattern(100)), 1000)
	for _, from := range []io.Reader{&endless{data: data}, struct{ io.Reader }{&endless{data: data}}} {
		r := NewReader(from)
		read := func() {
			if err := takeFrame(r, false); err != nil {
				t.Fatal(err)
			}
		}
		read()
		if n := testing.AllocsPerRun(5000, read); n != 0 {
			t.Errorf("%v allocations per frame", n)
		}
	}
}
