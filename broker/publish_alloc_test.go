//go:build !race

package broker

import (
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/queue"
)

// TestRoutingAllocates: finding the queues of a message costs no memory, kept
// by a publisher or not.
func TestRoutingAllocates(t *testing.T) {
	s := guestSession(t)
	headers := wire.AppendTable(nil, wire.Table{{Name: "h", Value: "v"}})[4:]
	for kind, key := range map[string]string{"direct": "1", "fanout": "1", "topic": "1", "headers": "1", "x-consistent-hash": "1", "x-random": "1", "x-modulus-hash": "1"} {
		t.Run(kind, func(t *testing.T) {
			declare(t, s, kind, kind, nil)
			declareQueue(t, s, "q."+kind)
			bind(t, s, kind, "q."+kind, key)
			p := s.NewPublisher(1, nil)
			if err := p.Check([]byte(kind)); err != nil {
				t.Fatal(err)
			}
			whole := &queue.Message{Content: queue.Content{Route: wire.AppendRoute(nil, kind, key)}}
			m := routed{exchange.Message{Key: []byte(key), Headers: headers}, nil, false}
			if got := p.targets(m, whole); len(got) != 1 || got[0].Options().Name != "q."+kind {
				t.Fatal("targets:", got)
			}
			if n := testing.AllocsPerRun(200, func() { p.targets(m, whole) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
