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

// readAll scans to the end and returns what was seen of each frame.
func readAll(t *testing.T, s *scanner) (frames []frame) {
	t.Helper()
	for {
		f, err := s.next()
		if errors.Is(err, errDropped) {
			return frames
		}
		if err != nil {
			t.Fatal(err)
		}
		f.data = bytes.Clone(f.data)
		frames = append(frames, f)
	}
}

func TestScannerSeesTheSameInAnyPieces(t *testing.T) {
	stream := deliveries(1, 0, 3, 5000)
	stream = wire.AppendHeartbeat(stream)
	stream = append(stream, deliveries(1, 3, 2, StampSize)...)
	stream = append(stream, deliveries(1, 5, 2, 10)...)
	for _, c := range []struct {
		name   string
		src    io.Reader
		buffer int
	}{
		{"at once", bytes.NewReader(stream), 1 << 20},
		{"small buffer", bytes.NewReader(stream), 64},
		{"buffer that must grow", bytes.NewReader(stream), 1},
		{"octet by octet", iotest.OneByteReader(bytes.NewReader(stream)), 4096},
		{"half reads", iotest.HalfReader(bytes.NewReader(stream)), 333},
		{"end with data", iotest.DataErrReader(bytes.NewReader(stream)), 333},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seqs []uint64
			kinds := map[byte]int{}
			for _, f := range readAll(t, newScanner(c.src, c.buffer)) {
				kinds[f.kind]++
				if f.kind == wire.FrameBody && f.size >= StampSize {
					seqs = append(seqs, readStamp(f.data).seq)
				}
			}
			if kinds[wire.FrameMethod] != 7 || kinds[wire.FrameHeader] != 7 || kinds[wire.FrameBody] != 7 || kinds[wire.FrameHeartbeat] != 1 {
				t.Errorf("frames by type: %v", kinds)
			}
			for i, seq := range seqs {
				if seq != uint64(i) {
					t.Errorf("stamp %d has seq %d", i, seq)
				}
			}
			if len(seqs) != 5 {
				t.Errorf("%d stamps, want 5", len(seqs))
			}
		})
	}
}

func TestScannerRefusesBadFrames(t *testing.T) {
	body := wire.AppendBody(nil, 1, make([]byte, 1000), 0)
	body[len(body)-1] = 7
	method := wire.AppendMethod(nil, 1, &wire.ChannelOpenOk{})
	method[len(method)-1] = 0
	for _, c := range []struct {
		name   string
		octets []byte
		buffer int
		want   string
	}{
		{"method without its end", method, 100, "type 1 that ends with 0x0"},
		{"body without its end", body, 2000, "type 3 that ends with 0x7"},
		{"skipped body without its end", body, 100, "type 3 that ends with 0x7"},
		{"method of 4 GiB", []byte{1, 0, 1, 0xff, 0xff, 0xff, 0xff, 0}, 100, "type 1 with 4294967295 octets"},
		{"ends within a frame", []byte{1, 0, 1, 0, 0, 0, 9, 1}, 100, "dropped the connection"},
		{"ends at once", nil, 100, "dropped the connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScanner(bytes.NewReader(c.octets), c.buffer)
			var err error
			for err == nil {
				_, err = s.next()
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}

func TestScannerCallsAroundEveryRead(t *testing.T) {
	s := newScanner(bytes.NewReader(deliveries(1, 0, 10, 100)), 300)
	before, after := 0, 0
	s.before = func() error { before++; return nil }
	s.after = func() error { after++; return nil }
	readAll(t, s)
	if before == 0 || before != after {
		t.Errorf("%d calls before and %d after reads", before, after)
	}
	fault := errors.New("no")
	s = newScanner(bytes.NewReader(nil), 300)
	s.before = func() error { return fault }
	if _, err := s.next(); !errors.Is(err, fault) {
		t.Errorf("error = %v, want the hook's", err)
	}
}

func FuzzScanner(f *testing.F) {
	f.Add(deliveries(1, 0, 2, 100))
	f.Add(wire.AppendHeartbeat(nil))
	f.Fuzz(func(t *testing.T, octets []byte) {
		s := newScanner(bytes.NewReader(octets), 64)
		for n := 0; n <= len(octets); n++ {
			if _, err := s.next(); err != nil {
				return
			}
		}
		t.Error("more frames than octets")
	})
}
