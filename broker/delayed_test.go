package broker

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// bubble runs a test on a clock that stands still until all goroutines wait.
func bubble(t *testing.T, f func(t *testing.T, s *Session)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, guestSession(t)) })
}

// pass lets time pass, and what is due be done.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func declareDelayed(t *testing.T, s *Session, name, kind string, args ...wire.Field) {
	t.Helper()
	declare(t, s, name, "x-delayed-message", append(wire.Table{{Name: "x-delayed-type", Value: kind}}, args...))
}

// sendDelayed publishes a message of that body and key.
func sendDelayed(t *testing.T, p *Publisher, exchange, key, body string, x any, more ...wire.Field) {
	t.Helper()
	m, _ := message(exchange, key, body, append(wire.Table{{Name: "x-delay", Value: x}}, more...))
	publish(t, p, m)
	p.Flush()
}

// taken gets what is in a queue: bodies, and headers by body.
func taken(t *testing.T, s *Session, name string) (bodies []string, headers map[string]wire.Table) {
	t.Helper()
	q, err := s.Queue(name, Read)
	if err != nil {
		t.Fatal(err)
	}
	g := q.Getter()
	defer g.Release()
	headers = map[string]wire.Table{}
	for more := true; more; {
		q.Get(g, true, func(d queue.Delivery, _ int, ok bool) {
			if more = ok; !ok {
				return
			}
			p, err := wire.ParseProperties(d.Props)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, string(d.Body))
			headers[string(d.Body)] = p.Headers
		})
	}
	return bodies, headers
}

func expectTaken(t *testing.T, s *Session, name string, want ...string) map[string]wire.Table {
	t.Helper()
	got, headers := taken(t, s, name)
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("queue %s: got %q, want %q", name, got, want)
	}
	return headers
}

func TestDelayedInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		declareDelayed(t, s, "x", "topic")
		declareQueue(t, s, "q")
		bind(t, s, "x", "q", "a.#")
		p := s.NewPublisher(1, nil)
		for _, m := range []struct {
			body string
			ms   int
		}{{"c", 30}, {"a", 10}, {"b", 20}, {"b2", 20}, {"now", 0}, {"a2", 10}, {"past", -5}} {
			sendDelayed(t, p, "x", "a.k", m.body, int32(m.ms))
		}
		sendDelayed(t, p, "x", "other", "unrouted", int32(5))
		expectTaken(t, s, "q", "now", "past")
		if got := s.b.ExchangeStats("/", "x").Delayed; got != 6 {
			t.Fatalf("%d delayed, want 6", got)
		}
		pass(9 * time.Millisecond)
		expectTaken(t, s, "q")
		pass(2 * time.Millisecond)
		expectTaken(t, s, "q", "a", "a2")
		pass(20 * time.Millisecond)
		headers := expectTaken(t, s, "q", "b", "b2", "c")
		if v, _ := headers["c"].Get("x-delay"); v != int32(-30) {
			t.Fatalf("x-delay is %v, want -30", v)
		}
		if got := s.b.ExchangeStats("/", "x").Delayed; got != 0 {
			t.Fatalf("%d delayed, want none", got)
		}
	})
}

func TestDelayHeader(t *testing.T) {
	for _, c := range []struct {
		value any
		want  int64
	}{
		{int8(5), 5}, {uint8(200), 200}, {int16(-5), -5}, {uint16(5), 5}, {int32(5), 5}, {uint32(5), 5}, {int64(5), 5}, {float32(2.9), 2}, {5.9, 5},
		{math.NaN(), 0}, {math.Inf(1), math.MaxInt64}, {math.Inf(-1), math.MinInt64}, {wire.Decimal{Scale: 1, Value: 59}, 5}, {wire.Timestamp(7), 0},
		{"1500", 1500}, {"-3", -3}, {"99999999999999999999", math.MaxInt64}, {"1.5", 0}, {"soon", 0}, {"", 0}, {nil, 0}, {true, 0}, {wire.Table{}, 0},
	} {
		headers := wire.AppendTable(nil, wire.Table{{Name: "a", Value: "b"}, {Name: "x-delay", Value: c.value}})[4:]
		if got := delay(headers); got != c.want {
			t.Errorf("%T %v: %d ms, want %d", c.value, c.value, got, c.want)
		}
	}
	if got := delay(nil); got != 0 {
		t.Errorf("no header: %d ms", got)
	}
}

func TestDelayLimit(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		declareDelayed(t, s, "x", "fanout")
		declareQueue(t, s, "q")
		bind(t, s, "x", "q", "")
		p := s.NewPublisher(1, nil)
		sendDelayed(t, p, "x", "k", "late", int64(maxTTL))
		m, _ := message("x", "k", "too late", wire.Table{{Name: "x-delay", Value: int64(maxTTL + 1)}})
		view, err := wire.ScanProperties(m.Props)
		if err != nil {
			t.Fatal(err)
		}
		err = p.Publish(wire.Publish{Exchange: []byte("x"), RoutingKey: []byte("k"), Route: m.Route}, m.Props, view, m.Body, nil)
		if want := "PRECONDITION_FAILED - invalid x-delay '315360000001' for exchange 'x' in vhost '/': more than ten years"; err == nil || err.Error() != want {
			t.Fatalf("%v, want %s", err, want)
		}
		pass(maxTTL*time.Millisecond - time.Second)
		expectTaken(t, s, "q")
		pass(2 * time.Second)
		expectTaken(t, s, "q", "late")
	})
}

// The bindings that count are those of the time it is due, and so are the
// alternate exchange and the expiration.
func TestDelayedRoutesWhenDue(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		declare(t, s, "ae", "fanout", nil)
		declareDelayed(t, s, "x", "direct", wire.Field{Name: "alternate-exchange", Value: "ae"})
		for _, name := range []string{"before", "after", "else", "bcc"} {
			declareQueue(t, s, name)
		}
		bind(t, s, "x", "before", "k")
		bind(t, s, "ae", "else", "")
		p := s.NewPublisher(1, nil)
		sendDelayed(t, p, "x", "k", "m", int32(10))
		sendDelayed(t, p, "x", "nobody", "lost", int32(10))
		sendDelayed(t, p, "x", "k", "copied", int32(10), wire.Field{Name: "BCC", Value: wire.Array{"hidden"}})
		if err := wait(func(reply func(error)) {
			s.UnbindQueue(&wire.QueueUnbind{Queue: "before", Exchange: "x", RoutingKey: "k"}, reply)
		}); err != nil {
			t.Fatal(err)
		}
		bind(t, s, "x", "after", "k")
		bind(t, s, "x", "bcc", "hidden")
		pass(11 * time.Millisecond)
		expectTaken(t, s, "before")
		expectTaken(t, s, "after", "m", "copied")
		expectTaken(t, s, "else", "lost")
		if h := expectTaken(t, s, "bcc", "copied"); len(h["copied"]) != 1 {
			t.Fatalf("headers %v, want x-delay alone", h)
		}
	})
}

func TestDelayedExpiration(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		declareDelayed(t, s, "x", "fanout")
		declareQueue(t, s, "q")
		bind(t, s, "x", "q", "")
		m, _ := message("x", "k", "m", nil)
		props := wire.Properties{Flags: wire.FlagExpiration | wire.FlagHeaders | wire.FlagDeliveryMode, Expiration: "50", DeliveryMode: 2, Headers: wire.Table{{Name: "x-delay", Value: "100"}}}
		m.Props = props.Append(nil)
		p := s.NewPublisher(1, nil)
		publish(t, p, m)
		p.Flush()
		pass(140 * time.Millisecond)
		if got := ready(t, s, "q"); got != 1 {
			t.Fatalf("%d messages 40 ms after it was due, want 1", got)
		}
		pass(20 * time.Millisecond)
		if got := ready(t, s, "q"); got != 0 {
			t.Fatalf("%d messages 60 ms after it was due, want none", got)
		}
	})
}

// A mandatory message is returned at once or never.
func TestDelayedMandatory(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		declareDelayed(t, s, "x", "direct")
		declareQueue(t, s, "q")
		bind(t, s, "x", "q", "k")
		r := &returns{}
		p := s.NewPublisher(1, r)
		for _, key := range []string{"k", "nobody"} {
			m, _ := message("x", key, key, wire.Table{{Name: "x-delay", Value: int32(10)}})
			view, err := wire.ScanProperties(m.Props)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Publish(wire.Publish{Exchange: []byte("x"), RoutingKey: []byte(key), Route: m.Route, Mandatory: true}, m.Props, view, m.Body, nil); err != nil {
				t.Fatal(err)
			}
		}
		p.Flush()
		if r.n != 1 || s.b.ExchangeStats("/", "x").Delayed != 1 {
			t.Fatalf("%d returned, %d delayed; want 1 and 1", r.n, s.b.ExchangeStats("/", "x").Delayed)
		}
		if err := wait(func(reply func(error)) {
			s.UnbindQueue(&wire.QueueUnbind{Queue: "q", Exchange: "x", RoutingKey: "k"}, reply)
		}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if r.n != 1 {
			t.Fatal("returned when due")
		}
	})
}

// By way of other exchanges, once, in a transaction, and as a dead letter.
func TestDelayedByOtherWays(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		declare(t, s, "f", "fanout", nil)
		declareDelayed(t, s, "x", "fanout")
		declareDelayed(t, s, "y", "x-recent-history")
		for _, pair := range [][2]string{{"f", "x"}, {"x", "y"}} {
			if err := wait(func(reply func(error)) {
				s.BindExchange(&wire.ExchangeBind{Source: pair[0], Destination: pair[1]}, reply)
			}); err != nil {
				t.Fatal(err)
			}
		}
		declareQueue(t, s, "q")
		bind(t, s, "y", "q", "")
		m := &wire.QueueDeclare{Queue: "dying", Arguments: wire.Table{{Name: "x-dead-letter-exchange", Value: "f"}}}
		if err := wait(func(reply func(error)) { s.DeclareQueue(m, func(_ QueueInfo, err error) { reply(err) }) }); err != nil {
			t.Fatal(err)
		}
		p := s.NewPublisher(1, nil)
		p.SelectTx()
		sendDelayed(t, p, "f", "k", "tx", int32(10))
		sendDelayed(t, p, "", "dying", "dead", int32(20), wire.Field{Name: "x", Value: "y"})
		if err := wait(func(reply func(error)) { p.Commit(func(*queue.Batch) {}, reply) }); err != nil {
			t.Fatal(err)
		}
		q, err := s.Queue("dying", Read)
		if err != nil {
			t.Fatal(err)
		}
		g := q.Getter()
		var id uint64
		q.Get(g, false, func(d queue.Delivery, _ int, _ bool) { id = d.ID })
		batch := queue.NewBatch()
		batch.Discard(g, id, id)
		batch.Commit(nil)
		pass(11 * time.Millisecond)
		expectTaken(t, s, "q", "tx")
		pass(11 * time.Millisecond)
		expectTaken(t, s, "q", "dead")
		declareQueue(t, s, "later")
		bind(t, s, "y", "later", "")
		expectTaken(t, s, "later", "tx", "dead")
	})
}

func TestDelayedListCancelFire(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		declareDelayed(t, s, "x", "fanout")
		declareQueue(t, s, "q")
		bind(t, s, "x", "q", "")
		start := time.Now()
		p := s.NewPublisher(1, nil)
		for i, ms := range []int32{400, 300, 200, 100} {
			sendDelayed(t, p, "x", "k", fmt.Sprint(i), ms)
		}
		list, total, err := s.b.DelayedMessages("/", "x", 3)
		if err != nil || total != 4 || len(list) != 3 || list[0].ID != 4 || list[2].ID != 2 || list[0].Due.Sub(start) != 100*time.Millisecond {
			t.Fatalf("%v of %d, %v", list, total, err)
		}
		if err := s.b.CancelDelayed("/", "x", 4); err != nil {
			t.Fatal(err)
		}
		if err := s.b.FireDelayed("/", "x", 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		expectTaken(t, s, "q", "0")
		for _, err := range []error{s.b.CancelDelayed("/", "x", 4), s.b.FireDelayed("/", "x", 1), s.b.FireDelayed("/", "amq.topic", 1), s.b.CancelDelayed("no", "x", 1)} {
			if e, ok := err.(*wire.Error); !ok || e.Code != wire.NotFound {
				t.Fatalf("%v, want a 404", err)
			}
		}
		pass(time.Second)
		expectTaken(t, s, "q", "2", "1")
	})
}

// What waits in a deleted exchange is gone, with its timer.
func TestDelayedDeleted(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		declareQueue(t, s, "q")
		p := s.NewPublisher(1, nil)
		for _, ms := range []int32{10, 20} {
			declareDelayed(t, s, "x", "fanout")
			bind(t, s, "x", "q", "")
			sendDelayed(t, p, "x", "k", fmt.Sprint(ms), ms)
			if ms == 20 {
				break
			}
			if err := wait(func(reply func(error)) { s.DeleteExchange(&wire.ExchangeDelete{Exchange: "x"}, reply) }); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Second)
		expectTaken(t, s, "q", "20")
	})
}

// What waits in a deleted virtual host is gone.
func TestDelayedVHostDeleted(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		declareDelayed(t, s, "x", "fanout")
		sendDelayed(t, s.NewPublisher(1, nil), "x", "k", "m", int32(10))
		id := s.vhost.exchanges["x"].def.ID
		if err := s.b.DeleteVHost(t.Context(), "/"); err != nil {
			t.Fatal(err)
		}
		if s.b.group(id) != nil {
			t.Fatal("the shelf is still there")
		}
		pass(time.Second)
	})
}

// Many at the same time and in any order come in theirs.
func TestDelayedMany(t *testing.T) {
	bubble(t, func(t *testing.T, s *Session) {
		const n = 20_000
		declareDelayed(t, s, "x", "fanout")
		declareQueue(t, s, "q")
		bind(t, s, "x", "q", "")
		p := s.NewPublisher(1, nil)
		rnd := rand.New(rand.NewPCG(1, 9))
		type sent struct{ ms, n int }
		var all []sent
		for i := range n {
			m := sent{1 + rnd.IntN(50), i}
			all = append(all, m)
			x, _ := message("x", "k", fmt.Sprint(i), wire.Table{{Name: "x-delay", Value: int32(m.ms)}})
			publish(t, p, x)
			if i%100 == 0 {
				p.Flush()
			}
		}
		p.Flush()
		slices.SortStableFunc(all, func(a, b sent) int { return a.ms - b.ms })
		pass(51 * time.Millisecond)
		got, _ := taken(t, s, "q")
		if len(got) != n {
			t.Fatalf("%d messages, want %d", len(got), n)
		}
		for i := range got {
			if got[i] != fmt.Sprint(all[i].n) {
				t.Fatalf("message %d is %s, want %d", i, got[i], all[i].n)
			}
		}
	})
}

func TestTicket(t *testing.T) {
	for _, want := range []ticket{{due: 1}, {due: 1 << 50, more: []string{"a", "", strings.Repeat("k", 300)}}} {
		octets := want.append(nil, []byte("props"))
		got, props, err := parseTicket(octets)
		if err != nil || string(props) != "props" || got.due != want.due || !slices.Equal(got.more, want.more) {
			t.Fatalf("%v %q %v, want %v", got, props, err, want)
		}
		for cut := range len(octets) - len("props") {
			if _, _, err := parseTicket(octets[:cut]); err == nil {
				t.Fatalf("%d octets of %d decode", cut, len(octets))
			}
		}
	}
	if _, _, err := parseTicket([]byte("\x00\x00\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\x01")); err == nil {
		t.Fatal("more keys than octets decode")
	}
}

func TestDueHeap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	var h dueHeap
	var model []due
	for id := range uint64(3000) {
		d := due{rnd.Int64N(40), id}
		h.push(d)
		model = append(model, d)
		if rnd.IntN(3) == 0 {
			gone := h.remove(rnd.IntN(len(h)))
			model = slices.DeleteFunc(model, func(d due) bool { return d == gone })
		}
	}
	slices.SortFunc(model, func(a, b due) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	for i, want := range model {
		if got := h.pop(); got != want {
			t.Fatalf("%d: %v, want %v", i, got, want)
		}
	}
	if len(h) != 0 {
		t.Fatalf("%d left", len(h))
	}
}
