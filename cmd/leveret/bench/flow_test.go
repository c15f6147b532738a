package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// flowOptions is a short run by number against a peer.
func flowOptions(p *peer, messages uint64) Options {
	o := optionsFor(p)
	o.Load.Confirm, o.Load.Prefetch = 20, 50
	o.Length.Messages = messages
	return o
}

func TestFlow(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Options)
		// published by all producers, deliveries expected
		published, delivered uint64
	}{
		{"one to one", func(*Options) {}, 300, 300},
		{"no confirms, no acks", func(o *Options) { o.Load.Confirm, o.Load.AutoAck = 0, true }, 300, 300},
		{"many to many queues", func(o *Options) { o.Load.Producers, o.Load.Consumers, o.Routing.Queues = 3, 2, 5 }, 900, 900},
		{"consumers share a queue", func(o *Options) { o.Load.Consumers = 3 }, 300, 300},
		{"fan-out", func(o *Options) { o.Routing.Exchange, o.Routing.Type, o.Routing.Queues = "f", "fanout", 4 }, 300, 1200},
		{"acks of seven", func(o *Options) { o.Load.MultiAck = 7 }, 300, 300},
		{"large bodies", func(o *Options) { o.Load.Size = 100_000 }, 300, 300},
		{"empty bodies", func(o *Options) { o.Load.Size = 0 }, 300, 300},
		{"at a rate", func(o *Options) { o.Load.Rate = 5000 }, 300, 300},
		{"slow consumer", func(o *Options) { o.Load.ConsumerLatency = 10 * time.Microsecond }, 300, 300},
		{"publishers only", func(o *Options) { o.Load.Consumers = 0 }, 300, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := flowOptions(newPeer(t), 300)
			c.change(&o)
			r, err := Run(t.Context(), o, nil)
			if err != nil {
				t.Fatal(err)
			}
			f := r.Phases[0].Flow
			if f.Published != c.published || f.Delivered != c.delivered || o.Load.Confirm > 0 && f.Confirmed != c.published {
				t.Errorf("published %d, confirmed %d, delivered %d; want %d, all, %d", f.Published, f.Confirmed, f.Delivered, c.published, c.delivered)
			}
			if err := r.fault(); err != nil {
				t.Error(err)
			}
			if v := r.Verification; o.Load.Size >= StampSize && v != nil && (v.Checked != c.delivered || v.Foreign != 0) {
				t.Errorf("verification = %+v, want all checked", *v)
			}
		})
	}
}

func TestFlowFindsWhatTheBrokerDoesWrong(t *testing.T) {
	for _, c := range []struct {
		name    string
		deliver func() func(n int, body []byte) [][]byte
		want    Verification
	}{
		{"loses every tenth", func() func(int, []byte) [][]byte {
			return func(n int, b []byte) [][]byte {
				if n%10 == 9 {
					return nil
				}
				return [][]byte{b}
			}
		}, Verification{Checked: 90, Missing: 10}},
		{"doubles one", func() func(int, []byte) [][]byte {
			return func(n int, b []byte) [][]byte {
				if n == 50 {
					return [][]byte{b, b}
				}
				return [][]byte{b}
			}
		}, Verification{Checked: 101, Duplicates: 1}},
		{"swaps two", func() func(int, []byte) [][]byte {
			var held []byte
			return func(n int, b []byte) [][]byte {
				switch n {
				case 50:
					held = b
					return nil
				case 51:
					return [][]byte{b, held}
				}
				return [][]byte{b}
			}
		}, Verification{Checked: 100, Disordered: 1}},
		{"replaces one by another size", func() func(int, []byte) [][]byte {
			return func(n int, b []byte) [][]byte {
				if n == 50 {
					return [][]byte{b[:10]}
				}
				return [][]byte{b}
			}
		}, Verification{Checked: 99, Missing: 1, Foreign: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			p.deliver = c.deliver()
			o := flowOptions(p, 100)
			o.Length.Grace = 50 * time.Millisecond
			r, err := Run(t.Context(), o, nil)
			if err != nil {
				t.Fatal(err)
			}
			if *r.Verification != c.want {
				t.Errorf("verification = %+v, want %+v", *r.Verification, c.want)
			}
			if err := r.fault(); err == nil || !strings.Contains(err.Error(), "verification failed") {
				t.Errorf("fault = %v", err)
			}
		})
	}
}

func TestFillThenDrain(t *testing.T) {
	p := newPeer(t)
	o := flowOptions(p, 500)
	o.Routing.Queues = 2
	o.Length.Fill, o.Length.Drain = true, true
	r, err := Run(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	fill, drain := r.Phases[0], r.Phases[1]
	if fill.Name != "fill" || fill.Flow.Confirmed != 500 || fill.Flow.Delivered != 0 || drain.Name != "drain" || drain.Messages != 500 {
		t.Errorf("fill %+v of %+v, drain %+v", fill, *fill.Flow, drain)
	}
	if err := r.fault(); err != nil {
		t.Error(err)
	}
	if n := len(p.acks); n != 500 {
		t.Errorf("%d acks, want 500", n)
	}
}

func TestFillAndDrainInTwoRuns(t *testing.T) {
	p := newPeer(t)
	o := flowOptions(p, 200)
	o.Length.Fill = true
	if _, err := Run(t.Context(), o, nil); err != nil {
		t.Fatal(err)
	}
	o.Length.Fill, o.Length.Drain = false, true
	r, err := Run(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Phases[0].Messages != 200 || *r.Verification != (Verification{Checked: 200}) {
		t.Errorf("drained %d, verification %+v", r.Phases[0].Messages, *r.Verification)
	}
}

func TestNacksAreCounted(t *testing.T) {
	p := newPeer(t)
	p.nack = func(n uint64) bool { return n%10 == 1 }
	r, err := Run(t.Context(), flowOptions(p, 100), nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := r.Phases[0].Flow; f.Nacked != 10 || f.Confirmed != 100 {
		t.Errorf("%d nacked of %d settled, want 10 of 100", f.Nacked, f.Confirmed)
	}
}

func TestMissingConfirmsAreAnError(t *testing.T) {
	p := newPeer(t)
	p.mute = func(n uint64) bool { return n > 90 }
	o := flowOptions(p, 110)
	o.Length.Grace = 100 * time.Millisecond
	_, err := Run(t.Context(), o, nil)
	if err == nil || !strings.Contains(err.Error(), "20 publishes are not confirmed") {
		t.Errorf("error = %v, want the 20 publishes of the window", err)
	}
}

func TestTimedRunEndsAndInterruptIsNoError(t *testing.T) {
	for _, c := range []struct {
		name      string
		time      time.Duration
		interrupt time.Duration
	}{{"time", time.Second, 0}, {"interrupt", 0, time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			o := flowOptions(newPeer(t), 0)
			o.Length.Time, o.Length.Warmup = c.time, c.time/2
			ctx := t.Context()
			if c.interrupt > 0 {
				var cancel func()
				ctx, cancel = context.WithTimeout(ctx, c.interrupt)
				defer cancel()
			}
			r, err := Run(ctx, o, nil)
			if err != nil {
				t.Fatal(err)
			}
			if ph := r.Phases[0]; ph.Messages == 0 || ph.Seconds > 10 || r.fault() != nil {
				t.Errorf("phase %+v, fault %v", ph, r.fault())
			}
		})
	}
}

func TestResultAsJSONAndText(t *testing.T) {
	r, err := Run(t.Context(), flowOptions(newPeer(t), 50), nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.print(&out, true); err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back.Phases[0].Flow.Confirm.Count != 50 || back.Verification.Checked != 50 {
		t.Errorf("JSON %s: %v", out.String(), err)
	}
	out.Reset()
	if err := r.print(&out, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"run: 50 in", "confirmed    50 with", "end to end   p50", "verified     50 messages: 0 missing"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("text lacks %q:\n%s", want, out.String())
		}
	}
}

func TestProgressLine(t *testing.T) {
	began := time.Unix(100, 0)
	from, to := &sample{at: began}, &sample{at: began.Add(2 * time.Second), published: 3_000_000, delivered: 40_000, blocked: true}
	to.endToEnd.record(1_234_567, 1)
	to.broker = usage{cpu: time.Second, rss: 5e6}
	var out strings.Builder
	progress(&out, began, from, to)
	want := "    2s  published 1.50 M/s  confirmed 0 /s  received 20.0 k/s  end to end p50 1.23ms p99 1.23ms  broker 0.33 µs 5 MB  BLOCKED by the broker\n"
	if out.String() != want {
		t.Errorf("progress\n%q, want\n%q", out.String(), want)
	}
}
