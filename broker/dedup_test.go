package broker

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/queue"
)

// newCache is a deduplication cache without a broker.
func newCache(t *testing.T, clock queue.Clock, args wire.Table) *dedup {
	t.Helper()
	b := &Broker{opt: Options{Clock: clock}}
	d, err := b.newDedup(&meta.Exchange{Arguments: args})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A script enters keys, each a letter, and says which of them pass; a number
// lets as many milliseconds pass.
func TestDedupCache(t *testing.T) {
	size := func(n int64) wire.Field { return wire.Field{Name: "x-cache-size", Value: n} }
	ttl := wire.Field{Name: "x-cache-ttl", Value: int32(100)}
	for _, c := range []struct {
		name, script, want string
		args               wire.Table
	}{
		{"again is not passed", "a a b a b", "a b", wire.Table{size(10)}},
		{"the oldest makes room", "a b c a c b", "a b c a b", wire.Table{size(2)}},
		{"one", "a a b b a", "a b a", wire.Table{size(1)}},
		{"a hit does not renew", "a b a c a", "a b c a", wire.Table{size(2)}},
		{"time passes", "a 60 a b 60 a b", "a b a", wire.Table{size(10), ttl}},
		{"a hit does not prolong", "a 60 a 60 a", "a a", wire.Table{size(10), ttl}},
		{"what is over makes room first", "a 60 b 60 c b", "a b c", wire.Table{size(2), ttl}},
		{"sizes in digits", "a b c a", "a b c a", wire.Table{{Name: "x-cache-size", Value: "2"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := newFakeClock()
			d := newCache(t, clock, c.args)
			var passed []string
			for _, word := range strings.Fields(c.script) {
				var ms int
				if _, err := fmt.Sscan(word, &ms); err == nil {
					clock.advance(time.Duration(ms) * time.Millisecond)
					continue
				}
				if _, fresh := d.enter(word, d.ttl); fresh {
					passed = append(passed, word)
				}
			}
			if got := strings.Join(passed, " "); got != c.want {
				t.Fatalf("passed %q, want %q", got, c.want)
			}
			if len(d.seen) > int(d.most) || len(d.seen) != d.order.Len() {
				t.Fatalf("%d keys in a cache of %d, in order %d", len(d.seen), d.most, d.order.Len())
			}
		})
	}
}

func TestDedupKey(t *testing.T) {
	long := strings.Repeat("k", 1000)
	same := [][]any{{int8(5), int16(5), int32(5), int64(5), uint8(5)}, {"5"}, {[]byte("5")}, {true}, {false}, {5.0}, {5.5}, {long}, {long + "x"}, {""},
		{wire.Table{{Name: "a", Value: int32(1)}}}}
	seen := map[string]any{}
	for _, values := range same {
		var first string
		for i, v := range values {
			key, ttl := dedupKey(wire.AppendTable(nil, wire.Table{{Name: "x", Value: int32(1)}, {Name: dedupHeader, Value: v}})[4:])
			if i == 0 {
				first = key
			}
			if key == "" || key != first || len(key) > longKey+2 || ttl >= 0 {
				t.Errorf("%T %v: key %q of %d octets, ttl %v; want %q", v, v, key, len(key), ttl, first)
			}
		}
		if other, again := seen[first]; again {
			t.Errorf("%v and %v have one key", values, other)
		}
		seen[first] = values
	}
	for _, none := range []wire.Table{nil, {{Name: "x", Value: "k"}}, {{Name: dedupHeader, Value: nil}}} {
		if key, _ := dedupKey(wire.AppendTable(nil, none)[4:]); key != "" {
			t.Errorf("%v has the key %q", none, key)
		}
	}
	for _, c := range []struct {
		value any
		want  time.Duration
	}{{int32(50), 50 * time.Millisecond}, {"50", 50 * time.Millisecond}, {"x", -1}, {nil, -1}, {int32(0), 1}, {int32(-1), 1},
		{int64(math.MaxInt64), maxTTL * time.Millisecond}} {
		if _, ttl := dedupKey(wire.AppendTable(nil, wire.Table{{Name: dedupTTL, Value: c.value}})[4:]); ttl != c.want {
			t.Errorf("%T %v: %v, want %v", c.value, c.value, ttl, c.want)
		}
	}
}

// deduplicated makes an exchange x with queue q, and what publishes a key to it.
func deduplicated(t *testing.T) (s *Session, send func(p *Publisher, key string)) {
	t.Helper()
	s = guestSession(t)
	declare(t, s, "x", "x-message-deduplication", wire.Table{{Name: "x-cache-size", Value: int32(100)}})
	declareQueue(t, s, "q")
	return s, func(p *Publisher, key string) {
		m, _ := message("x", "any", key, wire.Table{{Name: dedupHeader, Value: key}})
		publish(t, p, m)
	}
}

func TestDedupExchange(t *testing.T) {
	s, send := deduplicated(t)
	p := s.NewPublisher(1, nil)
	send(p, "lost") // nothing is bound: the key does not count
	bind(t, s, "x", "q", "")
	for _, key := range []string{"a", "b", "a", "lost", "c", "b"} {
		send(p, key)
	}
	for range 2 {
		m, _ := message("x", "any", "no key", nil)
		publish(t, p, m)
	}
	p.Flush()
	if got := ready(t, s, "q"); got != 6 {
		t.Fatalf("%d messages, want a, b, lost, c and two without a key", got)
	}
	if got := s.vhost.exchanges["x"].special.dedup.drops.Load(); got != 2 {
		t.Fatalf("%d duplicates counted, want 2", got)
	}
}

type returns struct{ n int }

// Return is as Returner says.
func (r *returns) Return(wire.Code, string, queue.Content) { r.n++ }

// A duplicate counts as routed, a first that finds no queue does not.
func TestDedupMandatory(t *testing.T) {
	s, _ := deduplicated(t)
	r := &returns{}
	p := s.NewPublisher(1, r)
	mandatory := func() {
		m, _ := message("x", "any", "m", wire.Table{{Name: dedupHeader, Value: "k"}})
		view, err := wire.ScanProperties(m.Props)
		if err != nil {
			t.Fatal(err)
		}
		pub := wire.Publish{Exchange: []byte("x"), RoutingKey: []byte("any"), Route: m.Route, Mandatory: true}
		if err := p.Publish(pub, m.Props, view, m.Body, nil); err != nil {
			t.Fatal(err)
		}
	}
	mandatory()
	bind(t, s, "x", "q", "")
	mandatory()
	mandatory()
	if p.Flush(); r.n != 1 || ready(t, s, "q") != 1 {
		t.Fatalf("%d returned, %d in the queue; want 1 and 1", r.n, ready(t, s, "q"))
	}
}

// By way of another exchange, and in a transaction.
func TestDedupByExchangeAndTransaction(t *testing.T) {
	s, _ := deduplicated(t)
	bind(t, s, "x", "q", "")
	declare(t, s, "f", "fanout", nil)
	if err := wait(func(reply func(error)) { s.BindExchange(&wire.ExchangeBind{Source: "f", Destination: "x"}, reply) }); err != nil {
		t.Fatal(err)
	}
	p := s.NewPublisher(1, nil)
	p.SelectTx()
	for _, to := range []string{"f", "x", "f"} {
		m, buffer := message(to, "any", "m", wire.Table{{Name: dedupHeader, Value: "k"}})
		publish(t, p, m)
		clear(buffer)
	}
	if got := ready(t, s, "q"); got != 0 {
		t.Fatalf("%d messages before the commit", got)
	}
	if err := wait(func(reply func(error)) { p.Commit(func(*queue.Batch) {}, reply) }); err != nil {
		t.Fatal(err)
	}
	if got := ready(t, s, "q"); got != 1 {
		t.Fatalf("%d messages, want 1", got)
	}
}

// Publishers that send the same keys at the same time, some in transactions:
// each key passes once, and nobody waits for ever.
func TestDedupAtOnce(t *testing.T) {
	const keys = 200
	s, send := deduplicated(t)
	bind(t, s, "x", "q", "")
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			p := s.NewPublisher(1, nil)
			if n%2 == 0 {
				p.SelectTx()
			}
			for i := range keys {
				send(p, fmt.Sprint((i*7+n*50)%100))
				if n%2 == 0 && i%10 == 9 {
					p.Commit(func(*queue.Batch) {}, func(error) {})
				}
			}
			p.Flush()
		})
	}
	wg.Wait()
	if got := ready(t, s, "q"); got != 100 {
		t.Fatalf("%d messages, want 100", got)
	}
}
