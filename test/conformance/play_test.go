package conformance

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"testing/fstest"
)

// answering is a listener that sends the given octets to whoever connects and
// then closes.
func answering(t *testing.T, octets []byte) broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write(octets)
			c.Close()
		}
	}()
	return broker{address: l.Addr().String()}
}

func parse(t *testing.T, steps string) scenario {
	t.Helper()
	s := scenario{Name: "name", Title: "title"}
	if err := json.Unmarshal([]byte(steps), &s.Steps); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFailures plays against octets of a broken broker: what is wrong must be
// found, and told in the scenario's own notation.
func TestFailures(t *testing.T) {
	c := mustCodec(t)
	payload, err := c.method(c.byName["connection.tune"], value(t, `{"channel-max":2047,"frame-max":131072,"heartbeat":60}`))
	if err != nil {
		t.Fatal(err)
	}
	tune := frame{kind: frameMethod, payload: payload}.append(nil, frameEnd)
	const wanted = `{"ch":0,"method":"connection.tune","id":[10,30],"args":{"channel-max":2047,"frame-max":131072,"heartbeat":60}}`
	for name, tc := range map[string]struct {
		octets []byte
		steps  string
		want   []string
	}{
		"as wanted": {tune, `{"op":"expect","conn":"c","events":[` + wanted + `,{"event":"closed"}]}`, nil},
		"a field differs": {tune, `{"op":"expect","conn":"c","events":[` + strings.Replace(wanted, "60}", "61}", 1) + `]}`,
			[]string{"name (title)", "step 1 of 2, expect: event 0 of 1: args.heartbeat differs", `"heartbeat":61}}`, `got  ` + wanted}},
		"unordered": {tune, `{"op":"expect","conn":"c","unordered":true,"events":[{"event":"closed"},` + wanted + `]}`, nil},
		"none of the unordered": {tune, `{"op":"expect","conn":"c","unordered":true,"events":[{"event":"closed"},{"event":"closed"}]}`,
			[]string{"none of the 2 events that may come"}},
		"too early": {nil, `{"op":"expect","conn":"c","min-ms":5000,"events":[{"event":"closed"}]}`, []string{"want at least 5000 ms"}},
		"unread":    {tune, `{"op":"sleep","ms":1}`, []string{"after the last step: unread event on c: " + wanted}},
		"something": {tune, `{"op":"nothing","conn":"c","ms":4000}`, []string{"step 1 of 2, nothing: want no event for 4000 ms", `step {"op":"nothing"`}},
		"no connection": {nil, `{"op":"send","conn":"d","method":"channel.open"}`,
			[]string{`no connection "d"`}},
		"damaged frame": {append(tune[:len(tune)-1:len(tune)-1], 0), `{"op":"expect","conn":"c","events":[{"event":"closed"}]}`,
			[]string{`{"ch":0,"event":"fault","data":"frame ends with octet 00, not ce"}`}},
		"protocol header": {[]byte("AMQP\x00\x00\x09\x01"), `{"op":"expect","conn":"c","events":[{"event":"protocol-header","data":"414d515000000901"},{"event":"closed"}]}`, nil},
		"octets after it": {[]byte("AMQP\x00\x00\x09\x01x"), `{"op":"expect","conn":"c","events":[{"event":"protocol-header","data":"414d515000000901"},{"event":"closed"}]}`,
			[]string{"octets after a protocol header"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := parse(t, `[{"op":"dial","conn":"c"},`+tc.steps+`]`)
			err := perform(answering(t, tc.octets), c, s)
			if (err == nil) != (tc.want == nil) {
				t.Fatalf("got %v", err)
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
		})
	}
}

func TestStrictSteps(t *testing.T) {
	for name, steps := range map[string]string{
		"unknown op":        `[{"op":"wait"}]`,
		"misspelt key":      `[{"op":"sleep","millis":5}]`,
		"key of another op": `[{"op":"dial","conn":"c","ms":5}]`,
		"wrong type":        `[{"op":"sleep","ms":"5"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{"d/a.json": {Data: []byte(`{"scenarios":[{"name":"n","steps":` + steps + `}]}`)}}
			if got, err := load(files, "d"); err == nil {
				t.Errorf("loaded %v", got)
			}
		})
	}
}
