package broker

import (
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/queue"
)

// stepLog is a log whose syncs the test makes.
type stepLog struct {
	queue.Log // unused
	synced    uint64
	waiting   []interface{ Durable(uint64) }
	wanted    []uint64
}

func (l *stepLog) Durable() uint64 { return l.synced }

func (l *stepLog) Notify(pos uint64, w interface{ Durable(uint64) }) bool {
	if pos < l.synced {
		return true
	}
	l.waiting, l.wanted = append(l.waiting, w), append(l.wanted, pos)
	return false
}

// sync makes everything below end durable and tells who waited for it.
func (l *stepLog) sync(end uint64) {
	l.synced = end
	waiting, wanted := l.waiting, l.wanted
	l.waiting, l.wanted = nil, nil
	for i, w := range waiting {
		if wanted[i] < end {
			w.Durable(end)
		} else {
			l.Notify(wanted[i], w)
		}
	}
}

type ack struct {
	tag      uint64
	multiple bool
	ok       bool
}

// Hasten is never ready to.
func (l *stepLog) Hasten(uint64) bool { return false }

// Behind is never so.
func (l *stepLog) Behind() bool { return false }

// Wait has nothing to wait for.
func (l *stepLog) Wait(int, <-chan struct{}) error { return nil }

// window gives confirms over log, and the acks that its writer would send.
func window(t *testing.T, log Log) (*Confirms, *[]ack) {
	t.Helper()
	b := guestSession(t).b
	b.opt.Log = log
	acks := new([]ack)
	c := &Confirms{b: b, vhost: &vhost{}}
	c.ready = func() {
		c.Take(func(tag uint64, multiple, ok bool) { *acks = append(*acks, ack{tag, multiple, ok}) })
	}
	return c, acks
}

// Transient publishes have nothing to wait for themselves, but stand behind
// persistent ones: these must not be forgotten when the last publish is none.
func TestConfirmsOfMixedRuns(t *testing.T) {
	log := &stepLog{}
	c, acks := window(t, log)
	for _, pos := range []uint64{100, 150, 0} {
		if c.add(1, pos, nil) {
			t.Fatalf("publish at %d: ready before the sync", pos)
		}
	}
	log.sync(120)
	log.sync(160)
	if want := []ack{{1, false, true}, {3, true, true}}; !slices.Equal(*acks, want) {
		t.Fatalf("acks %v, want %v", *acks, want)
	}
}

func TestConfirmsBeforeSync(t *testing.T) {
	log := &stepLog{}
	c, acks := window(t, log)
	if !c.add(2, 0, nil) {
		t.Fatal("nothing to wait for, and not ready")
	}
	c.ready()
	c.add(3, 100, nil)
	if want := []ack{{2, true, true}}; !slices.Equal(*acks, want) {
		t.Fatalf("before the sync: acks %v, want %v", *acks, want)
	}
	c.close()
	log.sync(200)
	if len(*acks) != 1 {
		t.Fatalf("acks after close: %v", *acks)
	}
}

// A refused publish is answered in its turn, and never within an ack of
// several.
func TestConfirmsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		n       uint64
		refused []uint32
		want    []ack
	}{
		"all":         {3, []uint32{1, 2, 3}, []ack{{3, true, false}}},
		"first":       {3, []uint32{1}, []ack{{1, false, false}, {3, true, true}}},
		"last":        {2, []uint32{2}, []ack{{1, false, true}, {2, false, false}}},
		"in between":  {4, []uint32{2, 3}, []ack{{1, false, true}, {3, true, false}, {4, false, true}}},
		"alternating": {4, []uint32{1, 3}, []ack{{1, false, false}, {2, false, true}, {3, false, false}, {4, false, true}}},
	} {
		t.Run(name, func(t *testing.T) {
			log := &stepLog{}
			w, acks := window(t, log)
			w.add(c.n, 100, c.refused)
			if len(*acks) > 0 {
				t.Fatalf("before the sync: %v", *acks)
			}
			log.sync(200)
			if !slices.Equal(*acks, c.want) {
				t.Fatalf("answers %v, want %v", *acks, c.want)
			}
			if w.add(1, 0, nil) {
				w.ready()
			}
			if got := (*acks)[len(*acks)-1]; got != (ack{c.n + 1, false, true}) {
				t.Fatalf("the next publish: %v", got)
			}
		})
	}
}

// What a full queue refused is told once: the next publishes, which reach no
// queue, have nothing to do with it.
func TestConfirmsBehindRefusals(t *testing.T) {
	s := guestSession(t)
	full := &wire.QueueDeclare{Queue: "q", Arguments: wire.Table{{Name: "x-max-length", Value: int32(1)}, {Name: "x-overflow", Value: "reject-publish"}}}
	if err := wait(func(reply func(error)) { s.DeclareQueue(full, func(_ QueueInfo, err error) { reply(err) }) }); err != nil {
		t.Fatal(err)
	}
	p := s.NewPublisher(1, nil)
	p.SelectConfirms(func() {})
	var got []ack
	send := func(keys ...string) {
		t.Helper()
		for _, key := range keys {
			m, _ := message("", key, "m", nil)
			publish(t, p, m)
		}
		p.Flush()
		p.Confirms().Take(func(tag uint64, multiple, ok bool) { got = append(got, ack{tag, multiple, ok}) })
	}
	send("q", "q", "q")
	send("nowhere")
	send("nowhere", "q", "nowhere")
	want := []ack{{1, false, true}, {3, true, false}, {4, false, true}, {5, false, true}, {6, false, false}, {7, false, true}}
	if !slices.Equal(got, want) {
		t.Fatalf("answers %v, want %v", got, want)
	}
	tx := s.NewPublisher(2, nil)
	tx.SelectTx()
	for _, k := range []struct{ key, text string }{{"q", "partial tx completion"}, {"nowhere", ""}} {
		m, _ := message("", k.key, "m", nil)
		publish(t, tx, m)
		err := wait(func(reply func(error)) { tx.Commit(func(*queue.Batch) {}, reply) })
		if k.text != "" {
			refused(t, err, wire.PreconditionFailed, k.text)
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
