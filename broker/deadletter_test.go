package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// shownDeaths is x-death in short: "reason queue*count exchange[keys]", newest
// first, with the expiration behind the keys if there was one, and what the
// first-death headers say behind a bar.
func shownDeaths(p *wire.Properties) string {
	var out []string
	v, _ := p.Headers.Get("x-death")
	list, ok := v.(wire.Array)
	if !ok && v != nil {
		return fmt.Sprint("no list: ", v)
	}
	text := func(t wire.Table, name string) string {
		v, ok := t.Get(name)
		if !ok {
			return "-"
		}
		return fmt.Sprint(v)
	}
	for _, v := range list {
		t, ok := v.(wire.Table)
		if !ok {
			out = append(out, fmt.Sprint("no table: ", v))
			continue
		}
		s := fmt.Sprintf("%s %s*%s %s%s", text(t, "reason"), text(t, "queue"), text(t, "count"), text(t, "exchange"), text(t, "routing-keys"))
		if e, ok := t.Get("original-expiration"); ok {
			s += fmt.Sprint(" ", e)
		}
		out = append(out, s)
	}
	first := ""
	if _, ok := p.Headers.Get("x-first-death-queue"); ok {
		first = fmt.Sprintf(" | %s %s %s", text(p.Headers, "x-first-death-reason"), text(p.Headers, "x-first-death-queue"), text(p.Headers, "x-first-death-exchange"))
	}
	return strings.Join(out, "; ") + first
}

// step is one death in a table: in a queue, for a reason, routed before by an
// exchange and a key.
type step struct {
	queue, reason string
	from, key     string
	letterKey     string // x-dead-letter-routing-key, "" for none
}

// Headers of dead letters, as RabbitMQ writes them; odd ones of clients do no harm.
func TestDeaths(t *testing.T) {
	entry := func(fields ...wire.Field) wire.Table { return fields }
	f := func(name string, v any) wire.Field { return wire.Field{Name: name, Value: v} }
	rejected := step{queue: "q", reason: "rejected", from: "x", key: "k"}
	expired := step{queue: "q", reason: "expired", from: "x", key: "k"}
	for _, k := range []struct {
		name   string
		in     wire.Properties
		deaths []step
		want   string
		keys   string // the last dead letter is routed by
	}{
		{"first", wire.Properties{}, []step{rejected}, "rejected q*1 x[k] | rejected q x", "k"},
		{"by the default exchange", wire.Properties{}, []step{{queue: "q", reason: "expired", key: "q"}}, "expired q*1 [q] | expired q ", "q"},
		{"again counts up and keeps what the first said", wire.Properties{}, []step{rejected, {queue: "q", reason: "rejected", from: "y", key: "l"}},
			"rejected q*2 x[k] | rejected q x", "l"},
		{"for another reason is another death", wire.Properties{}, []step{rejected, expired}, "expired q*1 x[k]; rejected q*1 x[k] | rejected q x", "k"},
		{"in another queue is another death", wire.Properties{}, []step{rejected, {queue: "r", reason: "rejected", from: "dlx", key: "k"}},
			"rejected r*1 dlx[k]; rejected q*1 x[k] | rejected q x", "k"},
		{"again comes to the front", wire.Properties{}, []step{rejected, expired, {queue: "r", reason: "expired", from: "d", key: "k"}, rejected},
			"rejected q*2 x[k]; expired r*1 d[k]; expired q*1 x[k] | rejected q x", "k"},
		{"with a key of its own", wire.Properties{}, []step{{queue: "q", reason: "rejected", from: "x", key: "k", letterKey: "dead"}},
			"rejected q*1 x[k] | rejected q x", "dead"},
		{"CC routes it too", wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{f("CC", wire.Array{"a", int32(1), "b"})}}, []step{rejected},
			"rejected q*1 x[k a b] | rejected q x", "k a b"},
		{"a key of its own ends CC", wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{f("CC", wire.Array{"a"})}},
			[]step{{queue: "q", reason: "rejected", from: "x", key: "k", letterKey: "dead"}, {queue: "r", reason: "rejected", from: "dlx", key: "dead"}},
			"rejected r*1 dlx[dead]; rejected q*1 x[k a] | rejected q x", "dead"},
		{"CC that is no list", wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{f("CC", "a")}}, []step{rejected}, "rejected q*1 x[k] | rejected q x", "k"},
		{"expiration is noted once", wire.Properties{Flags: wire.FlagExpiration, Expiration: "5"}, []step{expired, {queue: "r", reason: "rejected", from: "dlx", key: "k"}},
			"rejected r*1 dlx[k]; expired q*1 x[k] 5 | expired q x", "k"},
		{"x-death of a client counts", wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{f("x-death", wire.Array{
			entry(f("count", int64(4)), f("reason", "rejected"), f("queue", "q"))})}}, []step{rejected}, "rejected q*5 --", "k"},
		{"counts of other widths", wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{f("x-death", wire.Array{
			entry(f("count", int32(4)), f("reason", "rejected"), f("queue", "q")), entry(f("count", uint8(7)), f("reason", "expired"), f("queue", "q"))})}},
			[]step{rejected, expired}, "expired q*8 --; rejected q*5 --", "k"},
		{"a count that is no number", wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{f("x-death", wire.Array{
			entry(f("count", "many"), f("reason", "rejected"), f("queue", "q"))})}}, []step{rejected}, "rejected q*many --", "k"},
		{"no count", wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{f("x-death", wire.Array{entry(f("reason", "rejected"), f("queue", "q"))})}},
			[]step{rejected}, "rejected q*- --", "k"},
		{"x-death that is no list goes", wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{f("x-death", "mine")}}, []step{rejected}, "rejected q*1 x[k]", "k"},
		{"what is no table in it stays", wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{f("x-death", wire.Array{"a", nil})}}, []step{rejected},
			"rejected q*1 x[k]; no table: a; no table: <nil>", "k"},
	} {
		t.Run(k.name, func(t *testing.T) {
			p := k.in
			var keys []string
			for _, s := range k.deaths {
				d := death{queue: s.queue, reason: s.reason, at: 7}
				if s.letterKey != "" {
					d.key = &s.letterKey
				}
				keys = d.apply(&p, wire.AppendRoute(nil, s.from, s.key))
			}
			if got := shownDeaths(&p); got != k.want {
				t.Errorf("deaths %q,\nwant   %q", got, k.want)
			}
			if got := strings.Join(keys, " "); got != k.keys {
				t.Errorf("routed by %q, want %q", got, k.keys)
			}
			if p.Has(wire.FlagExpiration) || p.Expiration != "" || !p.Has(wire.FlagHeaders) {
				t.Errorf("flags %x, expiration %q", p.Flags, p.Expiration)
			}
			if again, err := wire.ParseProperties(p.Append(nil)); err != nil || shownDeaths(&again) != k.want {
				t.Errorf("encoded: %q, %v", shownDeaths(&again), err)
			}
		})
	}
}

// The caller's headers are not written to: the message may be in other queues.
func TestDeathsCopyHeaders(t *testing.T) {
	p := wire.Properties{}
	d := death{queue: "q", reason: "rejected"}
	d.apply(&p, wire.AppendRoute(nil, "x", "k"))
	before, held := shownDeaths(&p), p
	d.apply(&p, wire.AppendRoute(nil, "x", "k"))
	if got := shownDeaths(&held); got != before {
		t.Fatalf("what another holds became %q, was %q", got, before)
	}
}

func TestAutomaticCycle(t *testing.T) {
	died := func(words ...string) wire.Table { // "reason queue", newest first
		var list wire.Array
		for _, w := range words {
			reason, queue, _ := strings.Cut(w, " ")
			list = append(list, wire.Table{{Name: "reason", Value: reason}, {Name: "queue", Value: queue}})
		}
		return wire.Table{{Name: "x-death", Value: list}}
	}
	for _, k := range []struct {
		name    string
		headers wire.Table
		cycle   bool
	}{
		{"never died", nil, false},
		{"expired here", died("expired q"), true},
		{"expired here and elsewhere", died("expired r", "expired q"), true},
		{"expired elsewhere", died("expired r"), false},
		{"rejected since", died("rejected r", "expired q"), false},
		{"rejected before", died("expired q", "rejected r"), true},
		{"rejected here", died("rejected q"), false},
		{"another length", died("maxlen q"), true},
		{"x-death that is no list", wire.Table{{Name: "x-death", Value: "q"}}, false},
		{"entries that are no tables", wire.Table{{Name: "x-death", Value: wire.Array{"q", nil}}}, false},
	} {
		t.Run(k.name, func(t *testing.T) {
			if got := automaticCycle(&wire.Properties{Headers: k.headers}, "q"); got != k.cycle {
				t.Fatalf("cycle %v, want %v", got, k.cycle)
			}
		})
	}
}
