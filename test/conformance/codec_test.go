package conformance

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
)

func mustCodec(t *testing.T) *codec {
	t.Helper()
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// value parses JSON as scenarios are parsed.
func value(t *testing.T, src string) map[string]any {
	t.Helper()
	var s sendStep
	if err := strictly([]byte(`{"args":`+src+`}`), &s); err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return s.Args
}

func TestMethodOctets(t *testing.T) {
	c := mustCodec(t)
	for name, tc := range map[string]struct{ method, args, want string }{
		"bits share an octet": {
			"queue.declare", `{"queue":"q","durable":true,"auto-delete":true,"arguments":{"k":["I",-2]}}`,
			"0032000a0000" + "0171" + "0a" + "00000007" + "016b49fffffffe"},
		"what is not named is zero": {"basic.ack", `{}`, "003c0050" + "0000000000000000" + "00"},
		"long string":               {"connection.secure-ok", `{"response":"hex:00ff"}`, "000a0015" + "00000002" + "00ff"},
		"raw octets of an unknown type": {
			"queue.declare", `{"arguments":{"k":["?","hex:00"]}}`, "0032000a0000" + "00" + "00" + "00000004" + "016b3f00"},
		"every type": {
			"exchange.declare", `{"arguments":{"a":["A",[["b",-1],["B",255],["s",-2],["u",2],["i",3],["l",-4],["f",0.5],["d",0.25],
				["D",[2,-5]],["S","s"],["x","hex:00"],["T",6],["F",{"t":["t",true]}],["V",null]]]}}`,
			"0028000a0000" + "0000" + "00" + "00000052" + "016141" + "0000004b" + "62ff" + "42ff" + "73fffe" + "750002" + "6900000003" +
				"6cfffffffffffffffc" + "663f000000" + "643fd0000000000000" + "4402fffffffb" + "530000000173" + "780000000100" +
				"540000000000000006" + "4600000004" + "01747401" + "56"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.method(c.byName[tc.method], value(t, tc.args))
			if err != nil || hex.EncodeToString(got) != tc.want {
				t.Errorf("got  %x, %v\nwant %s", got, err, tc.want)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	c := mustCodec(t)
	for name, tc := range map[string]struct{ method, args string }{
		"unknown field":     {"basic.ack", `{"tag":1}`},
		"octet too large":   {"connection.start", `{"version-major":256}`},
		"bit that is text":  {"basic.ack", `{"multiple":"yes"}`},
		"long short string": {"basic.cancel", `{"consumer-tag":"repeat:256:x"}`},
		"no pair":           {"queue.declare", `{"arguments":{"k":1}}`},
		"signed overflow":   {"queue.declare", `{"arguments":{"k":["b",128]}}`},
		"bad hex":           {"basic.cancel", `{"consumer-tag":"hex:0"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := c.method(c.byName[tc.method], value(t, tc.args)); err == nil {
				t.Errorf("encoded as %x", got)
			}
		})
	}
}

// TestMethodsRoundTrip takes every method through both directions, and checks
// that no shorter and no longer payload decodes.
func TestMethodsRoundTrip(t *testing.T) {
	c := mustCodec(t)
	example := map[byte]string{'t': `true`, 'o': `3`, 'w': `4`, 'l': `5`, 'q': `6`, 's': `"s"`, 'S': `"long"`, 'F': `{"k":["t",true]}`}
	for name, m := range c.byName {
		var fields []string
		for _, a := range m.args {
			if !a.reserved() {
				fields = append(fields, `"`+a.name+`":`+example[a.kind])
			}
		}
		args := value(t, "{"+strings.Join(fields, ",")+"}")
		payload, err := c.method(m, args)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		back, got, err := c.decodeMethod(payload)
		if err != nil || back != m {
			t.Fatalf("%s decodes as %v, %v", name, back, err)
		}
		if err := (bindings{}).fields("args", args, got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := range payload {
			if _, _, err := c.decodeMethod(payload[:n]); err == nil {
				t.Errorf("%s: %d of %d octets decode", name, n, len(payload))
			}
		}
		if _, _, err := c.decodeMethod(append(payload, 0)); err == nil {
			t.Errorf("%s decodes with an octet too many", name)
		}
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	c := mustCodec(t)
	props := value(t, `{"content-type":"a/b","headers":{"h":["V",null]},"delivery-mode":2,"timestamp":7,"cluster-id":"c"}`)
	payload, err := c.header(60, 0, 9, props)
	if err != nil {
		t.Fatal(err)
	}
	if want := "003c0000" + "0000000000000009" + "b044"; !strings.HasPrefix(hex.EncodeToString(payload), want) {
		t.Errorf("got %x, want it to begin with %s", payload, want)
	}
	size, got, err := c.decodeHeader(payload)
	if err != nil || size != 9 {
		t.Fatalf("size %d, %v", size, err)
	}
	if err := (bindings{}).fields("props", props, got); err != nil {
		t.Error(err)
	}
	for n := range payload {
		if _, _, err := c.decodeHeader(payload[:n]); err == nil {
			t.Errorf("%d of %d octets decode", n, len(payload))
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	c := mustCodec(t)
	const declare = "0032000a0000" + "00" + "00"
	for name, payload := range map[string]string{
		"unknown method":        "003c0063",
		"unknown field type":    declare + "00000004" + "016b3f00",
		"name twice":            declare + "00000008" + "016b7401" + "016b7401",
		"value longer than all": declare + "00000009" + "016b53ffffffff00",
		"deep nesting":          declare + nestedTables(depthLimit+2),
	} {
		t.Run(name, func(t *testing.T) {
			b, err := hex.DecodeString(payload)
			if err != nil {
				t.Fatal(err)
			}
			var broken fault
			if _, _, err := c.decodeMethod(b); !errors.As(err, &broken) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func nestedTables(n int) string {
	var in []byte
	for range n {
		e := &encoder{}
		e.sized(func() { e.dst = append(append(e.dst, "\x01kF"...), in...) })
		if in == nil {
			e.dst = []byte{0, 0, 0, 0}
		}
		in = e.dst
	}
	return hex.EncodeToString(in)
}

func TestReadFrame(t *testing.T) {
	body := frame{kind: frameBody, channel: 7, payload: []byte("abc")}
	for name, tc := range map[string]struct {
		in   []byte
		max  uint32
		want error
	}{
		"whole":               {body.append(nil, frameEnd), frameMinSize, nil},
		"no limit":            {body.append(nil, frameEnd), 0, nil},
		"wrong end":           {body.append(nil, 0), frameMinSize, fault("frame ends with octet 00, not ce")},
		"cut":                 {body.append(nil, frameEnd)[:9], frameMinSize, io.ErrUnexpectedEOF},
		"too long":            {body.append(nil, frameEnd), 10, fault("frame of 11 octets is longer than frame-max 10")},
		"exactly as agreed":   {body.append(nil, frameEnd), 11, nil},
		"protocol header":     {[]byte("AMQP\x00\x00\x09\x01"), frameMinSize, errProtocolHeader{'A', 'M', 'Q', 'P', 0, 0, 9, 1}},
		"end between frames":  {nil, frameMinSize, io.EOF},
		"size near 4 billion": {[]byte("\x01\x00\x01\xff\xff\xff\xff"), 0, fault("frame of 4294967303 octets is longer than frame-max 16777216")},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readFrame(bufio.NewReader(bytes.NewReader(tc.in)), tc.max)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
			if err == nil && !reflect.DeepEqual(got, body) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAssembly(t *testing.T) {
	c := mustCodec(t)
	get := method60(t, c, "basic.get-ok")
	header := func(size uint64) frame {
		payload, err := c.header(60, 0, size, nil)
		if err != nil {
			t.Fatal(err)
		}
		return frame{kind: frameHeader, channel: 1, payload: payload}
	}
	body := frame{kind: frameBody, channel: 1, payload: []byte("ab")}
	empty := method60(t, c, "basic.get-empty")
	for name, tc := range map[string]struct {
		frames []frame
		events int
		fails  bool
	}{
		"no content":          {[]frame{empty}, 1, false},
		"empty body":          {[]frame{get, header(0)}, 1, false},
		"two body frames":     {[]frame{get, header(4), body, body}, 1, false},
		"incomplete":          {[]frame{get, header(4), body}, 0, false},
		"heartbeat between":   {[]frame{get, {kind: frameHeartbeat}, header(2), body}, 2, false},
		"body too long":       {[]frame{get, header(1), body}, 0, true},
		"empty body frame":    {[]frame{get, header(1), {kind: frameBody, channel: 1}}, 0, true},
		"method in content":   {[]frame{get, empty}, 0, true},
		"header twice":        {[]frame{get, header(2), header(2)}, 0, true},
		"header alone":        {[]frame{header(2)}, 0, true},
		"body alone":          {[]frame{body}, 0, true},
		"unknown type":        {[]frame{{kind: 4}}, 0, true},
		"heartbeat on 1":      {[]frame{{kind: frameHeartbeat, channel: 1}}, 0, true},
		"body before header":  {[]frame{get, body}, 0, true},
		"body of other chann": {[]frame{get, header(2), {kind: frameBody, channel: 2, payload: []byte("ab")}}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := assemble(c, tc.frames)
			if events != tc.events || (err != nil) != tc.fails {
				t.Errorf("%d events, %v; want %d, failure %v", events, err, tc.events, tc.fails)
			}
		})
	}
}

func method60(t *testing.T, c *codec, name string) frame {
	t.Helper()
	payload, err := c.method(c.byName[name], nil)
	if err != nil {
		t.Fatal(err)
	}
	return frame{kind: frameMethod, channel: 1, payload: payload}
}

func assemble(c *codec, frames []frame) (events int, err error) {
	in := newAssembly(c)
	for _, f := range frames {
		_, complete, err := in.add(f)
		if err != nil {
			return events, err
		}
		if complete {
			events++
		}
	}
	return events, nil
}
