package queue

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// commandLog makes a random but valid log of commands; the ids and numbers in
// it come from a State that it is applied to on the way.
func commandLog(seed uint64, config Config, n int) []Command {
	r := rand.New(rand.NewPCG(seed, 6))
	s := NewState(config, new(Memory), func(uint32) bool { return true })
	var fx Effects
	var log []Command
	var holders []uint32
	now := int64(0)
	for len(log) < n {
		now += r.Int64N(50)
		c := Command{Now: now, Kind: Enqueue, Size: 10, Loc: r.Uint64N(1000) + 1, TTL: r.Int64N(2000) - 1000,
			Marks: uint32(r.IntN(4))<<priorityShift | headMark(r.IntN(10)), Key: &Key{Text: string(rune('a' + r.IntN(10)))}}
		if config.Priorities == 0 {
			c.Marks &= headMax << headShift
		}
		if len(holders) > 0 {
			c.Holder = holders[r.IntN(len(holders))]
		}
		switch k := r.IntN(20); {
		case k < 6:
		case k < 8:
			c.Kind, c.Consumer = Attach, &ConsumerSpec{Prefetch: r.IntN(4), Priority: r.Int32N(3), NoAck: k == 6, Shared: r.IntN(2) == 0}
		case len(holders) == 0 || k == 8:
			c.Kind = []Kind{Purge, Tick, Touch}[r.IntN(3)]
			c.From = 1
		case k < 12:
			c.Kind = []Kind{Open, Open, Block, Recall}[r.IntN(4)]
		case k == 12:
			c.Kind = []Kind{Detach, Release}[r.IntN(2)]
		default:
			c.Kind = []Kind{Sent, Sent, Settle, Discard, Requeue, Nack, Reject}[r.IntN(7)]
			c.From = 1 + r.Uint64N(20)
			c.To = c.From + r.Uint64N(10)
		}
		s.Apply(&c, &fx)
		log = append(log, c)
		if c.Kind == Attach && !fx.Refused {
			holders = append(holders, fx.Holder)
		}
		if c.Kind == Release {
			for i := range holders {
				if holders[i] == c.Holder {
					holders = append(holders[:i], holders[i+1:]...)
					break
				}
			}
		}
		for _, d := range fx.Dead {
			log = append(log, Command{Kind: Leave, From: d.Seq, Now: now})
			var none Effects
			s.Apply(&log[len(log)-1], &none)
		}
	}
	return log
}

// TestStateIsDeterministic: replicas that apply the same log agree on every
// effect.
func TestStateIsDeterministic(t *testing.T) {
	for name, config := range map[string]Config{
		"plain":      {TTL: 500, Lease: 1000, DeadLetter: true, AutoDelete: true},
		"priorities": {TTL: 500, DeadLetter: true, Priorities: 3, Limit: &Limit{Length: 5, Bytes: 30}, ExpireAnywhere: true},
		"quorum":     {TTL: -1, Quorum: true, Counting: true, DeliveryLimit: -1, Limit: &Limit{Length: 8, Bytes: 1000, Overflow: RejectPublishDLX}, Patience: 3000},
		"retry":      {TTL: 900, DeadLetter: true, Counting: true, DeliveryLimit: 2, Retry: &DelayedRetry{Min: 100, Jitter: 50}, Single: true},
		"keys":       {TTL: -1, Dedup: Deduplication{On: true, Size: 5, TTL: 300}},
	} {
		t.Run(name, func(t *testing.T) { deterministic(t, config) })
	}
}

func deterministic(t *testing.T, config Config) {
	for seed := range uint64(30) {
		log := commandLog(seed, config, 500)
		a := NewState(config, new(Memory), func(uint32) bool { return true })
		b := NewState(config, new(Memory), func(uint32) bool { return true })
		for i := range log {
			var fa, fb Effects
			a.Apply(&log[i], &fa)
			b.Apply(&log[i], &fb)
			if !reflect.DeepEqual(fa, fb) {
				t.Fatalf("seed %d command %d %+v:\n%+v\n%+v", seed, i, log[i], fa, fb)
			}
			checkState(t, a)
		}
	}
}

// checkState recounts what the state machine keeps count of.
func checkState(t *testing.T, s *State) {
	t.Helper()
	var n [4]int
	timed, bytes := 0, int64(0)
	for seq, e := s.index.nextLive(1); e != nil; seq, e = s.index.nextLive(seq + 1) {
		n[e.meta&statusMask]++
		if e.meta&markTimed != 0 {
			timed++
		}
		if e.meta&statusMask == statusReady {
			bytes += e.body()
		}
	}
	held, consumers := 0, 0
	for _, h := range s.holders {
		if h == nil {
			continue
		}
		held += h.count
		if h.level != nil {
			consumers++
		}
		if h.prefetch > 0 && !h.noAck && h.count > h.prefetch {
			t.Fatalf("prefetch %d holds %d", h.prefetch, h.count)
		}
		if h.waiting != h.wants() {
			t.Fatalf("holder %d waits %v, wants %v", h.slot, h.waiting, h.wants())
		}
		if s.ready > 0 && h.waiting {
			t.Fatalf("%d ready beside a waiting consumer", s.ready)
		}
	}
	want := fmt.Sprint(s.ready, s.held, s.leaving+s.waiting, s.timed, s.bytes, s.held, s.consumers)
	equal(t, fmt.Sprint(n[statusReady], n[statusHeld], n[statusLeaving], timed, bytes, held, consumers), want)
}

// script applies commands to a fresh state and returns the effects that show.
func script(config Config, cs ...Command) (s *State, shown []string) {
	s = NewState(config, new(Memory), nil)
	var fx Effects
	for i := range cs {
		s.Apply(&cs[i], &fx)
		var line []string
		for _, g := range fx.Gone {
			line = append(line, fmt.Sprint("gone ", g.Seq))
		}
		for _, d := range fx.Dead {
			line = append(line, fmt.Sprint(d.Reason, " ", d.Seq))
		}
		for _, h := range fx.Touched {
			line = append(line, fmt.Sprint("send ", h))
		}
		for name, on := range map[string]bool{"unused": fx.Unused, "lapsed": fx.Lapsed, "refused": fx.Refused} {
			if on {
				line = append(line, name)
			}
		}
		shown = append(shown, strings.Join(line, " "))
	}
	return s, shown
}

func TestStateScripts(t *testing.T) {
	enqueue := Command{Kind: Enqueue, Loc: 1, Size: 1, TTL: -1}
	attach := Command{Kind: Attach, Consumer: &ConsumerSpec{}}
	for _, c := range []struct {
		name   string
		config Config
		script []Command
		want   string
	}{
		{"publish, deliver, ack", Config{TTL: -1},
			[]Command{attach, {Kind: Open}, enqueue, {Kind: Sent, To: 1}, {Kind: Settle, From: 1, To: 1}},
			"[  send 0  gone 1]"},
		{"no-ack is settled when sent", Config{TTL: -1},
			[]Command{{Kind: Attach, Consumer: &ConsumerSpec{NoAck: true}}, {Kind: Open}, enqueue, enqueue, {Kind: Sent, To: 2}},
			"[  send 0 send 0 gone 1 gone 2]"},
		{"unsent cannot be settled", Config{TTL: -1},
			[]Command{attach, {Kind: Open}, enqueue, {Kind: Settle, From: 1, To: 9}},
			"[  send 0 ]"},
		{"rejected with and without dead letters", Config{TTL: -1, DeadLetter: true},
			[]Command{attach, {Kind: Open}, enqueue, {Kind: Sent, To: 1}, {Kind: Discard, From: 1, To: 1}, {Kind: Leave, From: 1}, {Kind: Leave, From: 1}},
			"[  send 0  rejected 1 gone 1 ]"},
		{"expiry in order", Config{TTL: 10, DeadLetter: true},
			[]Command{enqueue, enqueue, {Kind: Tick, Now: 9}, {Kind: Tick, Now: 10}},
			"[   expired 1 expired 2]"},
		{"lease", Config{TTL: -1, Lease: 10},
			[]Command{{Kind: Tick, Now: 9}, {Kind: Touch, Now: 9}, {Kind: Tick, Now: 18}, {Kind: Tick, Now: 19}, {Kind: Tick, Now: 20}},
			"[   lapsed ]"},
		{"auto-delete", Config{TTL: -1, AutoDelete: true},
			[]Command{attach, attach, {Kind: Detach}, {Kind: Release}, {Kind: Release, Holder: 1}},
			"[    unused]"},
		{"exclusive", Config{TTL: -1},
			[]Command{{Kind: Attach, Consumer: &ConsumerSpec{Exclusive: true}}, attach, {Kind: Attach}, {Kind: Release}, attach},
			"[ refused   ]"},
		{"withheld", Config{TTL: -1},
			[]Command{enqueue, enqueue, {Kind: Withhold, From: 1}, {Kind: Withhold, From: 7}, attach, {Kind: Open}, {Kind: Sent, To: 9}, {Kind: Settle, From: 1, To: 9}},
			"[     send 0  gone 2]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, shown := script(c.config, c.script...)
			equal(t, shown, c.want)
			checkState(t, s)
		})
	}
}

// TestRecalledIdsAreGivenAgain: ids stay gapless for the client.
func TestRecalledIdsAreGivenAgain(t *testing.T) {
	s, _ := script(Config{TTL: -1},
		Command{Kind: Enqueue, Loc: 1, TTL: -1}, Command{Kind: Enqueue, Loc: 1, TTL: -1}, Command{Kind: Enqueue, Loc: 1, TTL: -1},
		Command{Kind: Attach, Consumer: &ConsumerSpec{}}, Command{Kind: Open},
		Command{Kind: Sent, To: 1}, Command{Kind: Block}, Command{Kind: Recall})
	h := s.holders[0]
	equal(t, []uint64{h.sent, h.last, uint64(s.ready)}, "[1 1 2]")
	var fx Effects
	s.Apply(&Command{Kind: Open}, &fx)
	equal(t, []uint64{h.last, h.seq(2), h.seq(3)}, "[3 2 3]")
}

// TestHolderOfManyAcksInAnyOrder: unlimited prefetch, acks backwards.
func TestHolderOfManyAcksInAnyOrder(t *testing.T) {
	const n = 50000
	s := NewState(Config{TTL: -1}, new(Memory), nil)
	var fx Effects
	s.Apply(&Command{Kind: Attach, Consumer: &ConsumerSpec{}}, &fx)
	s.Apply(&Command{Kind: Open}, &fx)
	for range n {
		s.Apply(&Command{Kind: Enqueue, Loc: 1, TTL: -1}, &fx)
		s.Apply(&Command{Kind: Sent, To: 1}, &fx)
	}
	for _, id := range rand.New(rand.NewPCG(1, 7)).Perm(n) {
		s.Apply(&Command{Kind: Settle, From: uint64(id) + 1, To: uint64(id) + 1}, &fx)
		if len(fx.Gone) != 1 || fx.Gone[0].Seq != uint64(id)+1 {
			t.Fatalf("ack of %d: %+v", id+1, fx.Gone)
		}
	}
	if s.held != 0 || !s.holders[0].held.empty() || s.index.slots.used > 1 {
		t.Fatal("something is left")
	}
}
