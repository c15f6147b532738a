package broker

import (
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/queue"
)

// special is what an exchange has beyond its bindings; nearly all have none.
// Such an exchange meets every message that comes to it, by whatever way.
type special struct {
	history *history
}

func newSpecial(def *meta.Exchange) *special {
	if def.Kind == exchange.RecentHistory {
		return &special{history: newHistory(def.Arguments)}
	}
	return nil
}

// meet lets the exchange see a message before it is routed. Broker.mu is held
// for reading.
func (s *special) meet(m routed, whole *queue.Message) {
	if s.history != nil {
		s.history.keep(m, whole)
	}
}
