package broker

import (
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/queue"
)

// ticked notes, by name, the queues whose lease a tick has found over.
type ticked struct{ names []string }

func (h *ticked) Outside(q *queue.Queue)      { h.names = append(h.names, q.Options().Name) }
func (h *ticked) Arm(*queue.Queue, time.Time) {}
func (h *ticked) Fetch(*queue.Queue)          {}

func (h *ticked) take() string {
	defer func() { h.names = nil }()
	return strings.Join(h.names, " ")
}

// leased makes queues that tell their host at the first tick after the start.
func leased(clock queue.Clock, h queue.Host, names ...string) (qs []*queue.Queue) {
	for i, name := range names {
		o := queue.Options{ID: uint64(i + 1), Name: name, Clock: clock, Host: h}
		o.Arguments.Settings.Expires = 1
		qs = append(qs, queue.New(o))
	}
	return qs
}

// Each queue has one deadline, the newest, and the broker one timer, for the
// earliest: an idle broker does not wake.
func TestTimersOfQueues(t *testing.T) {
	clock, told := newFakeClock(), &ticked{}
	h := newHost(&Broker{opt: Options{Clock: clock}})
	qs := leased(clock, told, "a", "b", "c", "d")
	at := func(ms int) time.Time { return clock.Now().Add(time.Duration(ms) * time.Millisecond) }
	timers := func(want int) {
		t.Helper()
		if n := len(clock.timers); n != want {
			t.Fatalf("%d timers of the clock, want %d", n, want)
		}
	}
	h.Arm(qs[0], at(1))
	timers(0) // the queues are not restored
	h.begin()
	timers(1)
	for i, ms := range []int{30, 10, 20, 20} {
		h.Arm(qs[i], at(ms))
		timers(1)
	}
	h.Arm(qs[1], at(40))      // later than it was
	h.Arm(qs[0], at(5))       // earlier
	h.Arm(qs[3], time.Time{}) // not at all
	h.Arm(qs[3], time.Time{}) // nor now
	for _, step := range []struct {
		ms   time.Duration
		want string
		left int
	}{{4, "", 1}, {1, "a", 1}, {14, "", 1}, {1, "c", 1}, {100, "b", 0}, {100, "", 0}} {
		clock.advance(step.ms * time.Millisecond)
		if got := told.take(); got != step.want {
			t.Fatalf("ticked %q after %d ms, want %q", got, step.ms, step.want)
		}
		timers(step.left)
	}
	h.Arm(qs[3], at(-5)) // over already
	clock.advance(0)
	if got := told.take(); got != "d" {
		t.Fatalf("ticked %q, want what was over when it was armed", got)
	}
	h.Arm(qs[0], at(5))
	h.close()
	timers(0)
	h.Arm(qs[1], at(5))
	timers(0)
}

// Deadlines that are over together are ticked together, by one wake-up.
func TestTimersTogether(t *testing.T) {
	clock, told := newFakeClock(), &ticked{}
	h := newHost(&Broker{opt: Options{Clock: clock}})
	defer h.close()
	h.begin()
	names := strings.Fields("h g f e d c b a")
	for i, q := range leased(clock, told, names...) {
		h.Arm(q, clock.Now().Add(time.Duration(i)*time.Millisecond))
	}
	clock.advance(time.Second)
	if got := told.take(); got != strings.Join(names, " ") {
		t.Fatalf("ticked %q, want all in the order of their deadlines", got)
	}
}

func TestWorklist(t *testing.T) {
	qs := leased(newFakeClock(), &ticked{}, "a", "b", "c")
	a, b, c := qs[0], qs[1], qs[2]
	for _, k := range []struct {
		name   string
		before []*queue.Queue
		during map[string][]*queue.Queue // what is pushed while one is worked at, the first time
		want   string
	}{
		{"in order", []*queue.Queue{b, a, c}, nil, "b a c"},
		{"once while it waits", []*queue.Queue{a, b, a, a, b}, nil, "a b"},
		{"again when it is pushed while it is worked at", []*queue.Queue{a, b}, map[string][]*queue.Queue{"a": {a, a}}, "a b a"},
		{"others meanwhile", []*queue.Queue{a}, map[string][]*queue.Queue{"a": {c, b, c}}, "a c b"},
	} {
		t.Run(k.name, func(t *testing.T) {
			var w worklist
			w.init()
			for _, q := range k.before {
				w.push(q)
			}
			var got []string
			wanted := len(strings.Fields(k.want))
			w.run(func(q *queue.Queue) {
				name := q.Options().Name
				got = append(got, name)
				for _, more := range k.during[name] {
					w.push(more)
				}
				delete(k.during, name)
				if len(got) == wanted-1 || wanted == 1 {
					w.close() // what is listed is still done
					w.push(qs[0])
				}
			})
			if s := strings.Join(got, " "); s != k.want {
				t.Fatalf("worked at %q, want %q", s, k.want)
			}
		})
	}
}
