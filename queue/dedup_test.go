package queue

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

func deduplicating(t *testing.T, more ...wire.Field) *fixture {
	return newFixture(t, true, append(table("x-message-deduplication", true), more...))
}

// keyed is a message with a deduplication header.
func keyed(body string, key any) Message {
	m := message(body, true)
	p := wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{{Name: dedupHeader, Value: key}}}
	m.Props = p.Append(nil)
	return m
}

// publishKeyed sends one message and returns the position to wait for.
func (f *fixture) publishKeyed(body string, key any) uint64 {
	b := NewBatch()
	b.Publish(keyed(body, key), []*Queue{f.q})
	return b.Commit(f.log)
}

// TestDuplicateWhileThere: without a cache, a key ends with its message.
func TestDuplicateWhileThere(t *testing.T) {
	f := deduplicating(t)
	first := f.publishKeyed("1", "k")
	second := f.publishKeyed("2", "k")
	if second < first {
		t.Errorf("the duplicate is confirmed at %d, the first at %d", second, first)
	}
	f.publishKeyed("3", int32(5))
	f.publishKeyed("4", "5") // a string equals no number
	f.publish("5", "6")      // no key: never a duplicate
	equal(t, f.q.Stats().Deduplicated, 1)
	g := f.q.Getter()
	equal(t, f.take(g, 5), "[1 3 4 5 6]")
	f.publishKeyed("7", "k") // the first is with a consumer, and so still there
	f.counts(0, 5)
	f.settle(func(b *Batch) { b.Settle(g, 1, 5) })
	f.publishKeyed("8", "k")
	equal(t, f.drain(), "[8]")
	equal(t, len(f.q.state.dedup.seen)+len(f.q.state.dedup.keys), 0)
	equal(t, f.log.liveRefs(), 0)
}

// TestDuplicateInOneBatch: both publishes wait for the same append.
func TestDuplicateInOneBatch(t *testing.T) {
	f := deduplicating(t)
	b := NewBatch()
	b.Publish(keyed("1", "k"), []*Queue{f.q})
	b.Publish(keyed("2", "k"), []*Queue{f.q})
	if b.Commit(f.log) == 0 {
		t.Error("nothing was logged")
	}
	equal(t, f.drain(), "[1]")
}

// TestDuplicateOfTheBrokers: what the broker itself puts in again is taken.
func TestDuplicateOfTheBrokers(t *testing.T) {
	f := deduplicating(t)
	f.publishKeyed("1", "k")
	b := NewBatch()
	m := keyed("2", "k")
	m.Again = true
	b.Publish(m, []*Queue{f.q})
	b.Commit(f.log)
	equal(t, f.get(f.q.Getter(), true), "1")
	f.publishKeyed("3", "k")
	equal(t, f.drain(), "[2 3]")
}

// TestDuplicateWindow: a window by count or time is not reopened by an ack.
func TestDuplicateWindow(t *testing.T) {
	size := wire.Field{Name: "x-cache-size", Value: int32(2)}
	ttl := wire.Field{Name: "x-cache-ttl", Value: int32(1000)}
	for _, c := range []struct {
		name string
		args []wire.Field
		pass time.Duration
		more int // other keys in between
		want string
	}{
		{"size, in it", []wire.Field{size}, time.Hour, 1, "[]"},
		{"size, out of it", []wire.Field{size}, 0, 2, "[again]"},
		{"time, in it", []wire.Field{ttl}, 999 * time.Millisecond, 50, "[]"},
		{"time, out of it", []wire.Field{ttl}, time.Second, 0, "[again]"},
		{"both, by size", []wire.Field{size, ttl}, 0, 2, "[again]"},
		{"both, by time", []wire.Field{size, ttl}, time.Second, 0, "[again]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := deduplicating(t, c.args...)
			f.publishKeyed("first", "k")
			for i := range c.more {
				f.publishKeyed("other", fmt.Sprint(i))
			}
			f.drain()
			f.host.pass(c.pass)
			f.publishKeyed("again", "k")
			equal(t, f.drain(), c.want)
			equal(t, len(f.q.state.dedup.keys), 0)
			if d := f.q.state.dedup; d.window.n != len(d.seen) {
				t.Errorf("%d sightings of %d keys", d.window.n, len(d.seen))
			}
		})
	}
}

// TestDuplicateOverRestart: keys are in the records of their messages.
func TestDuplicateOverRestart(t *testing.T) {
	f := deduplicating(t)
	long := strings.Repeat("long", 100)
	f.publishKeyed("1", "k")
	f.publishKeyed("2", long)
	f.publishKeyed("3", "gone")
	g := f.q.Getter()
	f.take(g, 3)
	f.settle(func(b *Batch) { b.Settle(g, 3, 3) })
	g.Release()
	f.moveAll()
	f.restart(true)
	f.publishKeyed("4", "k")
	f.publishKeyed("5", long)
	f.publishKeyed("6", "gone")
	equal(t, f.drain(), "[1* 2* 6]")
	f.publishKeyed("7", "k")
	equal(t, f.drain(), "[7]")
}

// TestDuplicateWindowOverRestart: the time runs on while the node is down.
func TestDuplicateWindowOverRestart(t *testing.T) {
	f := deduplicating(t, wire.Field{Name: "x-cache-ttl", Value: int32(10000)})
	f.publishKeyed("1", "k")
	f.host.now = f.host.now.Add(6 * time.Second)
	f.restart(true)
	f.publishKeyed("2", "k")
	f.host.pass(4 * time.Second)
	f.publishKeyed("3", "k")
	equal(t, f.drain(), "[1 3]")
}

// TestRefusedIsNotRemembered: a publish that a full queue refused may come again.
func TestRefusedIsNotRemembered(t *testing.T) {
	f := deduplicating(t, table("x-max-length", int32(1), "x-overflow", "reject-publish")...)
	f.publish("full")
	f.publishKeyed("1", "k")
	f.drain()
	f.publishKeyed("2", "k")
	equal(t, f.drain(), "[2]")
}

// TestDuplicateOfSeveral: one record for several queues only if they agree on
// the key.
func TestDuplicateOfSeveral(t *testing.T) {
	f := deduplicating(t)
	qs := []*Queue{f.q, f.queue(2, true, nil), f.queue(3, true, table("x-message-deduplication", true))}
	b := NewBatch()
	b.Publish(keyed("1", "k"), qs)
	b.Publish(keyed("2", "k"), qs)
	b.Commit(f.log)
	equal(t, len(f.log.records), 3)
	for _, want := range []string{"[1]", "[1 2]", "[1]"} {
		f.q = qs[0]
		qs = qs[1:]
		equal(t, f.drain(), want)
	}
}

func TestDedupKey(t *testing.T) {
	props := func(p wire.Properties) []byte { return p.Append(nil) }
	headers := wire.Table{{Name: "a", Value: "x"}, {Name: dedupHeader, Value: "k"}, {Name: "mine", Value: "m"}, {Name: "void", Value: nil}}
	all := props(wire.Properties{Flags: wire.FlagHeaders | wire.FlagMessageID, Headers: headers, MessageID: "id"})
	for _, c := range []struct {
		header string
		props  []byte
		want   string
	}{
		{"", all, "Sk"},
		{"mine", all, "Sm"},
		{"void", all, ""},
		{"missing", all, ""},
		{dedupProperty, all, "id"},
		{dedupProperty, props(wire.Properties{}), ""},
		{"", props(wire.Properties{}), ""},
		{"", []byte{0x20, 0, 0, 0, 0, 9, 1}, ""},
	} {
		d := Deduplication{Header: c.header}
		got := d.key(c.props)
		if len(got) > 0 && got[0] == 'S' {
			got = "S" + got[len(got)-1:] // a long string has its length in front
		}
		equal(t, got, c.want)
	}
}

func TestDedupArguments(t *testing.T) {
	for _, c := range []struct {
		args wire.Table
		want string
	}{
		{table("x-message-deduplication", "yes"), "x-message-deduplication' for queue 'n' in vhost 'v': {unacceptable_type,longstr}"},
		{table("x-cache-size", int32(0)), "x-cache-size' for queue 'n' in vhost 'v': {value_zero,0}"},
		{table("x-cache-ttl", int32(-1)), "x-cache-ttl' for queue 'n' in vhost 'v': {value_negative,-1}"},
		{table(dedupHeader, int32(1)), dedupHeader + "' for queue 'n' in vhost 'v': {unacceptable_type,signedint}"},
	} {
		_, err := ParseArguments("v", "n", c.args)
		equal(t, err, "PRECONDITION_FAILED - invalid arg '"+c.want)
	}
}
