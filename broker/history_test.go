package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// message makes a message as it comes from a channel: route, properties and
// body are views into one buffer, which is the caller's to overwrite.
func message(exchange, key, body string, headers wire.Table) (m queue.Message, buffer []byte) {
	p := wire.Properties{Headers: headers}
	if headers != nil {
		p.Flags = wire.FlagHeaders
	}
	buffer = wire.AppendRoute(nil, exchange, key)
	route := len(buffer)
	buffer = append(buffer, p.Append(nil)...)
	props := len(buffer)
	buffer = append(buffer, body...)
	m.Route, m.Props, m.Body, m.TTL = buffer[:route], buffer[route:props], buffer[props:], -1
	return m, buffer
}

func headersOf(m queue.Message) []byte {
	view, err := wire.ScanProperties(m.Props)
	if err != nil {
		panic(err)
	}
	return view.Headers
}

func bodies(h *history) string {
	var all []string
	for _, k := range h.messages() {
		all = append(all, string(k.Body))
	}
	return strings.Join(all, " ")
}

func TestHistoryKeepsTheLast(t *testing.T) {
	for _, c := range []struct {
		args wire.Table
		n    int
		want string
	}{
		{wire.Table{{Name: historyLength, Value: int32(3)}}, 0, ""},
		{wire.Table{{Name: historyLength, Value: int32(3)}}, 2, "0 1"},
		{wire.Table{{Name: historyLength, Value: int64(3)}}, 3, "0 1 2"},
		{wire.Table{{Name: historyLength, Value: int8(3)}}, 7, "4 5 6"},
		{wire.Table{{Name: historyLength, Value: int16(1)}}, 5, "4"},
		{nil, 22, "2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21"},
	} {
		t.Run(fmt.Sprint(c.args, c.n), func(t *testing.T) {
			h := newHistory(c.args)
			for i := range c.n {
				m, buffer := message("x", "k", fmt.Sprint(i), wire.Table{{Name: "a", Value: "b"}})
				h.keep(routed{}, &m)
				clear(buffer)
			}
			if got := bodies(h); got != c.want {
				t.Fatalf("kept %q, want %q", got, c.want)
			}
			for _, k := range h.messages() {
				if _, key := wire.SplitRoute(k.Route); string(key) != "k" || len(headersOf(k.Message)) == 0 {
					t.Fatalf("%q, %q are not copies", k.Route, k.Props)
				}
			}
		})
	}
}

func TestHistoryNoStore(t *testing.T) {
	for _, c := range []struct {
		value any
		kept  bool
	}{{true, false}, {false, true}, {"true", true}, {int32(1), true}, {nil, true}} {
		t.Run(fmt.Sprintf("%T %v", c.value, c.value), func(t *testing.T) {
			h := newHistory(nil)
			m, _ := message("x", "k", "m", wire.Table{{Name: "a", Value: int32(1)}, {Name: historyNoStore, Value: c.value}})
			r := routed{}
			r.Headers = headersOf(m)
			if h.keep(r, &m); (bodies(h) == "m") != c.kept {
				t.Fatalf("kept %q, want it kept: %t", bodies(h), c.kept)
			}
		})
	}
}

// What is kept is routed by all its keys when an exchange is bound, by those of
// BCC too, which its properties show no more.
func TestHistoryReplaysByAllKeys(t *testing.T) {
	s := guestSession(t)
	declare(t, s, "x", "x-recent-history", nil)
	declare(t, s, "y", "direct", nil)
	for _, name := range []string{"key", "bcc", "other"} {
		declareQueue(t, s, name)
		bind(t, s, "y", name, name)
	}
	p := s.NewPublisher(1, nil)
	m, _ := message("x", "key", "m", wire.Table{{Name: "BCC", Value: wire.Array{"bcc"}}})
	publish(t, p, m)
	p.Flush()
	if err := wait(func(reply func(error)) {
		s.BindExchange(&wire.ExchangeBind{Source: "x", Destination: "y"}, reply)
	}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"key": 1, "bcc": 1, "other": 0} {
		if got := ready(t, s, name); got != want {
			t.Errorf("queue %s has %d messages, want %d", name, got, want)
		}
	}
}
