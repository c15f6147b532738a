package amqp

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// written gives what s writes to a socket.
func written(t *testing.T, s *segment) []byte {
	t.Helper()
	a, b := net.Pipe()
	got := make(chan []byte)
	go func() {
		all, _ := io.ReadAll(b)
		got <- all
	}()
	if err := s.writeTo(a); err != nil {
		t.Fatal(err)
	}
	a.Close()
	return <-got
}

func TestSegmentContentIsTheSameCopiedAndReferred(t *testing.T) {
	props := []byte{0, 0}
	for _, size := range []int{0, 1, refSize - 1, refSize, refSize + 1, 100_000, 131072} {
		for _, frameMax := range []uint32{4096, 131072, 0} {
			body := bytes.Repeat([]byte{7}, size)
			var copied, referred segment
			for range 2 {
				copied.method(3, &wire.BasicGetEmpty{})
				copied.content(3, &queue.Content{Props: props, Body: body}, frameMax)
				referred.method(3, &wire.BasicGetEmpty{})
				referred.content(3, &queue.Content{Props: props, Body: body, Shared: wire.NewBody(body)}, frameMax)
			}
			if size >= refSize && len(referred.refs) == 0 {
				t.Errorf("size %d: the body was copied", size)
			}
			want, got := written(t, &copied), written(t, &referred)
			if !bytes.Equal(got, want) {
				t.Errorf("size %d frame-max %d: %d octets by reference differ from %d copied", size, frameMax, len(got), len(want))
			}
			if referred.size != len(got) || copied.size != len(want) {
				t.Errorf("size %d: counted %d and %d octets of %d", size, copied.size, referred.size, len(want))
			}
			if referred.reset(); referred.size != 0 || len(referred.b) != 0 || len(referred.refs) != 0 {
				t.Error("reset left something")
			}
		}
	}
}
