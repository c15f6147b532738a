package queue

import (
	"fmt"
	"testing"
)

// channelSink is one channel's socket, shared by its consumers.
type channelSink struct {
	room int // deliveries it still takes; negative: any number
	got  []string
}

// kinSink is one consumer of a channelSink.
type kinSink struct {
	*channelSink
	name string
}

func (s *kinSink) Deliver(ds []Delivery) int {
	for i, d := range ds {
		if s.room == 0 {
			return i
		}
		s.room--
		s.got = append(s.got, s.name+string(d.Body))
	}
	return len(ds)
}
func (s *kinSink) Cancelled()  {}
func (s *kinSink) Admit() bool { return true }

// kin attaches consumers a, b, ... of one channel.
func (f *fixture) kin(ch *channelSink, n int, o ConsumerOptions) (cs []*Consumer) {
	f.t.Helper()
	for i := range n {
		o.Sink, o.Channel = &kinSink{ch, string(rune('a' + i))}, ch
		c, err := f.q.Attach(o)
		if err != nil {
			f.t.Fatal(err)
		}
		cs = append(cs, c)
	}
	for _, c := range cs {
		c.Start()
	}
	return cs
}

func (s *channelSink) expect(t *testing.T, want ...string) {
	t.Helper()
	equal(t, s.got, want)
	s.got = nil
}

// TestKinInOrder: a batch for two consumers of one channel comes in turn.
func TestKinInOrder(t *testing.T) {
	f := newFixture(t, false, nil)
	ch := &channelSink{room: -1}
	f.kin(ch, 2, ConsumerOptions{})
	f.publish("1", "2", "3", "4", "5")
	ch.expect(t, "a1", "b2", "a3", "b4", "a5")
}

// TestKinInOrderOfBacklog: a backlog comes in order too, by whoever has credit.
func TestKinInOrderOfBacklog(t *testing.T) {
	f := newFixture(t, false, nil)
	ch := &channelSink{room: -1}
	f.publish("1", "2", "3", "4", "5", "6")
	cs := f.kin(ch, 2, ConsumerOptions{Prefetch: 3})
	ch.expect(t, "a1", "a2", "a3", "b4", "b5", "b6")
	f.publish("7", "8", "9")
	f.settle(func(b *Batch) {
		b.Settle(cs[1], 1, 2)
		b.Settle(cs[0], 1, 1)
	})
	ch.expect(t, "b7", "b8", "a9")
}

// TestKinFullTogether: what waits for a socket keeps its order.
func TestKinFullTogether(t *testing.T) {
	f := newFixture(t, false, nil)
	ch := &channelSink{room: 3}
	cs := f.kin(ch, 3, ConsumerOptions{})
	f.publish("1", "2", "3", "4", "5", "6", "7")
	ch.expect(t, "a1", "b2", "c3")
	ch.room = -1
	cs[0].Resume()
	ch.expect(t, "a4", "b5", "c6", "a7")
}

// TestKinPart: the one that the socket was full for leaves; its kin go on.
func TestKinPart(t *testing.T) {
	for leave, end := range map[string]func(*Consumer){"cancel": (*Consumer).Cancel, "release": (*Consumer).Release} {
		t.Run(leave, func(t *testing.T) {
			f := newFixture(t, false, nil)
			ch := &channelSink{room: 1}
			cs := f.kin(ch, 3, ConsumerOptions{NoAck: true})
			f.publish("1", "2", "3", "4")
			ch.room = -1
			end(cs[1])
			ch.expect(t, "a1", "c3", "a4", "a2") // 2 came back when 4 was given
			end(cs[2])
			f.publish("5", "6")
			ch.expect(t, "a5", "a6")
			end(cs[0])
		})
	}
}

// TestKinStalled: a body that has to be read first holds the others back.
func TestKinStalled(t *testing.T) {
	f := newFixture(t, true, nil)
	f.publish("1", "2")
	f.log.cached = f.log.end
	f.publish("3", "4")
	ch := &channelSink{room: -1}
	f.kin(ch, 2, ConsumerOptions{Prefetch: 2})
	equal(t, len(ch.got), 0)
	f.host.pages()
	ch.expect(t, "a1", "a2", "b3", "b4")
}

// TestKinDeleted: the queue goes while both are full.
func TestKinDeleted(t *testing.T) {
	f := newFixture(t, false, nil)
	ch := &channelSink{}
	cs := f.kin(ch, 2, ConsumerOptions{})
	f.publish("1", "2")
	if _, _, err := f.q.Delete(false, false); err != nil {
		t.Fatal(err)
	}
	for _, c := range cs {
		c.Resume()
		c.Release()
	}
	equal(t, fmt.Sprint(ch.got), "[]")
}
