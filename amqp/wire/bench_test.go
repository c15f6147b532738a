package wire

import (
	"bytes"
	"io"
	"testing"
)

func BenchmarkParsePublish(b *testing.B) {
	payload := payload(&BasicPublish{Exchange: "exchange", RoutingKey: "routing.key"})
	for b.Loop() {
		if _, err := ParsePublish(payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAck(b *testing.B) {
	payload := payload(&BasicAck{DeliveryTag: 1})
	for b.Loop() {
		if _, _, err := ParseAck(payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendDeliver(b *testing.B) {
	route, dst := AppendRoute(nil, "exchange", "routing.key"), make([]byte, 0, 256)
	for b.Loop() {
		dst = AppendDeliver(dst[:0], 1, "consumer", 7, false, route)
	}
}

func BenchmarkAppendAck(b *testing.B) {
	dst := make([]byte, 0, 64)
	for b.Loop() {
		dst = AppendAck(dst[:0], 1, 7, true)
	}
}

func BenchmarkScanProperties(b *testing.B) {
	p := full()
	headers := Properties{Flags: FlagHeaders, Headers: Table{{"a", "text"}, {"b", int32(1)}, {"c", Table{{"d", true}}}}}
	for _, c := range []struct {
		name  string
		props []byte
	}{{"plain", []byte("\x10\x00\x02")}, {"headers", headers.Append(nil)}, {"all", p.Append(nil)}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := ScanProperties(c.props); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// One message of 128 octets as a publisher sends it: three frames.
func BenchmarkReaderMessage(b *testing.B) {
	message := AppendMethod(nil, 1, &BasicPublish{RoutingKey: "queue"})
	message = AppendHeader(message, 1, 128, []byte("\x10\x00\x02"))
	message = AppendBody(message, 1, pattern(128), 0)
	stream := bytes.Repeat(message, 1000)
	src := bytes.NewReader(stream)
	r := NewReader(io.Reader(src))
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		if src.Len() == 0 && !r.Buffered() {
			src.Reset(stream)
		}
		for range 3 {
			if err := takeFrame(r, false); err != nil {
				b.Fatal(err)
			}
		}
	}
}
