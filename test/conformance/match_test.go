package conformance

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestNotation(t *testing.T) {
	for _, tc := range []struct{ octets, notation string }{
		{"", ""},
		{"plain ünïcode", "plain ünïcode"},
		{"\x00\xff", "hex:00ff"},
		{strings.Repeat("x", 99), strings.Repeat("x", 99)},
		{strings.Repeat("x", 100), "repeat:100:x"},
		{sequence(65), "seq:65"},
		{sequence(300), "seq:300"},
		{"hex:00", "hex:6865783a3030"},
		{"seq:x", "hex:7365713a78"},
	} {
		if got := notation(tc.octets); got != tc.notation {
			t.Errorf("notation(%q) = %q, want %q", tc.octets, got, tc.notation)
		}
		if got, err := octets(tc.notation); err != nil || got != tc.octets {
			t.Errorf("octets(%q) = %q, %v, want %q", tc.notation, got, err, tc.octets)
		}
	}
	for _, bad := range []string{"hex:0", "hex:xy", "repeat:3", "repeat:3:ab", "repeat:-1:a", "seq:", "seq:99999999999"} {
		if got, err := octets(bad); err == nil {
			t.Errorf("octets(%q) = %d octets", bad, len(got))
		}
	}
}

func TestFill(t *testing.T) {
	b := bindings{"q": "amq.gen-1"}
	for name, tc := range map[string]struct{ in, want string }{
		"nothing to fill": {"plain $x {y}", "plain $x {y}"},
		"whole":           {"${q}", "amq.gen-1"},
		"inside":          {"a.${q}.b.${q}", "a.amq.gen-1.b.amq.gen-1"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := b.fill(tc.in); err != nil || got != tc.want {
				t.Errorf("got %q, %v, want %q", got, err, tc.want)
			}
		})
	}
	if got, err := b.fill("${other}"); err == nil {
		t.Errorf("an unbound name gives %q", got)
	}
	args := value(t, `{"queue":"${q}","arguments":{"k":["A",[["S","x${q}"]]]}}`)
	filled, err := b.fillMap(args)
	if err != nil || text(filled) != `{"arguments":{"k":["A",[["S","xamq.gen-1"]]]},"queue":"amq.gen-1"}` {
		t.Errorf("got %s, %v", text(filled), err)
	}
}

// TestFields compares arguments of a queue.declare in the scenario's notation
// with such that went over the wire.
func TestFields(t *testing.T) {
	c := mustCodec(t)
	now := fmt.Sprint(time.Now().Unix())
	for name, tc := range map[string]struct{ want, got, differs string }{
		"equal":                 {`"queue":"q"`, `"queue":"q"`, ""},
		"text":                  {`"queue":"q"`, `"queue":"p"`, "args.queue differs"},
		"bit":                   {`"queue":"q"`, `"queue":"q","durable":true`, "args.durable differs"},
		"runs":                  {`"queue":"repeat:120:a"`, `"queue":"` + strings.Repeat("a", 120) + `"`, ""},
		"any":                   {`"queue":"${any}"`, `"queue":"q"`, ""},
		"expression":            {`"queue":"${any~^q[0-9]{2}$}"`, `"queue":"q12"`, ""},
		"other expression":      {`"queue":"${any~^q[0-9]{2}$}"`, `"queue":"q1"`, "args.queue does not match ^q[0-9]{2}$"},
		"bound":                 {`"queue":"${seen}"`, `"queue":"earlier"`, ""},
		"bound inside":          {`"queue":"<${seen}>"`, `"queue":"<earlier>"`, ""},
		"bound to another":      {`"queue":"${seen}"`, `"queue":"q"`, "args.queue differs"},
		"table order is free":   {`"arguments":{"a":["I",1],"b":["S","x"]}`, `"arguments":{"b":["S","x"],"a":["I",1]}`, ""},
		"number type":           {`"arguments":{"a":["l",1]}`, `"arguments":{"a":["I",1]}`, `args.arguments.a has type 'I', want 'l'`},
		"number value":          {`"arguments":{"a":["l",-1]}`, `"arguments":{"a":["l",1]}`, "args.arguments.a differs"},
		"single float":          {`"arguments":{"a":["f",0.1]}`, `"arguments":{"a":["f",0.1]}`, ""},
		"double float":          {`"arguments":{"a":["d",1.5]}`, `"arguments":{"a":["d",1.25]}`, "args.arguments.a differs"},
		"decimal":               {`"arguments":{"a":["D",[1,2]]}`, `"arguments":{"a":["D",[1,3]]}`, "args.arguments.a.unscaled differs"},
		"void":                  {`"arguments":{"a":["V",null]}`, `"arguments":{"a":["V",null]}`, ""},
		"octets":                {`"arguments":{"a":["x","hex:00ff"]}`, `"arguments":{"a":["x","hex:00ff"]}`, ""},
		"missing name":          {`"arguments":{"a":["t",true]}`, `"arguments":{}`, "args.arguments.a is missing"},
		"name too many":         {`"arguments":{}`, `"arguments":{"a":["t",true]}`, "args.arguments.a is not wanted"},
		"array":                 {`"arguments":{"a":["A",[["S","x"]]]}`, `"arguments":{"a":["A",[["S","y"]]]}`, "args.arguments.a[0] differs"},
		"array length":          {`"arguments":{"a":["A",[]]}`, `"arguments":{"a":["A",[["S","y"]]]}`, "args.arguments.a has 1 elements, want 0"},
		"nested":                {`"arguments":{"a":["F",{"b":["I",1]}]}`, `"arguments":{"a":["F",{"b":["I",2]}]}`, "args.arguments.a.b differs"},
		"now":                   {`"arguments":{"a":["T","${now}"]}`, `"arguments":{"a":["T",` + now + `]}`, ""},
		"long ago":              {`"arguments":{"a":["T","${now}"]}`, `"arguments":{"a":["T",1]}`, "args.arguments.a = 1 is not within 60 s of now"},
		"placeholder in number": {`"arguments":{"a":["l","${any}"]}`, `"arguments":{"a":["l",12]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			payload, err := c.method(c.byName["queue.declare"], value(t, "{"+tc.got+"}"))
			if err != nil {
				t.Fatal(err)
			}
			_, got, err := c.decodeMethod(payload)
			if err != nil {
				t.Fatal(err)
			}
			want := value(t, `{"queue":"","passive":false,"durable":false,"exclusive":false,"auto-delete":false,"nowait":false,"arguments":{}}`)
			for k, v := range value(t, "{"+tc.want+"}") {
				want[k] = v
			}
			if err := (bindings{"seen": "earlier"}).fields("args", want, got); (err != nil || tc.differs != "") && fmt.Sprint(err) != tc.differs {
				t.Errorf("got %v, want %q", err, tc.differs)
			}
		})
	}
}

func TestBindOnlyOnMatch(t *testing.T) {
	c := mustCodec(t)
	got := event{ch: 1, method: c.byName["basic.get-ok"], args: map[string]any{}, body: []byte("b")}
	want := expectation{Ch: 1, Method: "basic.get-ok", Args: map[string]any{}, Body: new("${x~^b$}"), ID: []uint16{60, 70}}
	b := bindings{}
	if err := b.event(want, got); err == nil || len(b) > 0 {
		t.Errorf("wrong id: %v, bound %v", err, b)
	}
	want.ID = []uint16{60, 71}
	if err := b.event(want, got); err != nil || b["x"] != "b" {
		t.Errorf("%v, bound %v", err, b)
	}
	want.Props = map[string]any{"type": "t"}
	if err := b.event(want, got); err == nil || err.Error() != "props.type is missing" {
		t.Errorf("missing property: %v", err)
	}
}

func TestConfirms(t *testing.T) {
	c := mustCodec(t)
	confirm := func(name string, tag uint64, multiple bool) event {
		return event{ch: 1, method: c.byName[name], args: map[string]any{"delivery-tag": tag, "multiple": multiple}}
	}
	for name, tc := range map[string]struct {
		got  event
		left int
		fail bool
	}{
		"one":               {confirm("basic.ack", 2, false), 2, false},
		"multiple":          {confirm("basic.ack", 2, true), 1, false},
		"nack":              {confirm("basic.nack", 3, false), 2, false},
		"multiple too far":  {confirm("basic.ack", 3, true), 0, true},
		"ack for nack":      {confirm("basic.ack", 3, false), 0, true},
		"answered already":  {confirm("basic.ack", 9, false), 0, true},
		"something else":    {event{ch: 1, method: c.byName["basic.get-empty"]}, 0, true},
		"connection closed": {event{kind: eventClosed}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			open := map[uint64]string{1: "basic.ack", 2: "basic.ack", 3: "basic.nack"}
			err := (&confirmsStep{Ch: 1}).settle(open, tc.got)
			if (err != nil) != tc.fail || err == nil && len(open) != tc.left {
				t.Errorf("%v, %d left", err, len(open))
			}
		})
	}
}

func TestContains(t *testing.T) {
	for name, tc := range map[string]struct {
		got, want any
		ok        bool
	}{
		"field of an object": {map[string]any{"a": 1.0, "b": 2.0}, map[string]any{"a": 1.0}, true},
		"missing field":      {map[string]any{"b": 2.0}, map[string]any{"a": 1.0}, false},
		"inside a list":      {[]any{map[string]any{"a": 1.0, "b": 2.0}}, []any{map[string]any{"b": 2.0}}, true},
		"other length":       {[]any{1.0, 2.0}, []any{1.0}, false},
		"other kind":         {1.0, map[string]any{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if contains(tc.got, tc.want) != tc.ok {
				t.Errorf("want %v", tc.ok)
			}
		})
	}
}
