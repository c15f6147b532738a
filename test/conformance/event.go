package conformance

import (
	"bytes"
	"encoding/json"
)

// Kinds of events besides methods, as scenarios name them.
const (
	eventClosed    = "closed"
	eventHeartbeat = "heartbeat"
	eventHeader    = "protocol-header"
	// eventFault is never expected: octets from the broker that do not decode.
	eventFault = "fault"
)

// expectation is an event as a scenario writes it.
type expectation struct {
	Ch     uint16         `json:"ch"`
	Method string         `json:"method,omitempty"`
	ID     []uint16       `json:"id,omitempty"`
	Args   map[string]any `json:"args,omitempty"`
	Props  map[string]any `json:"props,omitempty"`
	Body   *string        `json:"body,omitempty"`
	Event  string         `json:"event,omitempty"`
	Data   string         `json:"data,omitempty"`
}

// event is what a connection received: a method, complete with its content, or
// one of the kinds above.
type event struct {
	kind   string // "" for methods
	ch     uint16
	method *method
	args   map[string]any
	props  map[string]any
	body   []byte
	detail string // the octets of a protocol header, the text of a fault
}

func (e event) is(ch uint16, name string) bool {
	return e.kind == "" && e.ch == ch && e.method.name == name
}

// notation renders the event as a scenario would write it.
func (e event) notation() expectation {
	if e.kind != "" {
		return expectation{Event: e.kind, Data: e.detail}
	}
	out := expectation{
		Ch:     e.ch,
		Method: e.method.name,
		ID:     []uint16{e.method.id.class, e.method.id.method},
		Args:   show(e.args),
	}
	if e.method.content {
		body := notation(string(e.body))
		out.Props, out.Body = show(e.props), &body
	}
	return out
}

func (e event) String() string { return text(e.notation()) }

// text renders v as one line of JSON without escaping < and >, which RabbitMQ's
// texts are full of.
func text(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

func show(args map[string]any) map[string]any {
	out := make(map[string]any, len(args))
	for name, v := range args {
		out[name] = showValue(v)
	}
	return out
}

func showValue(v any) any {
	switch v := v.(type) {
	case string:
		return notation(v)
	case table:
		out := make(map[string]any, len(v))
		for name, f := range v {
			out[name] = showField(f)
		}
		return out
	case []field:
		out := make([]any, len(v))
		for i, f := range v {
			out[i] = showField(f)
		}
		return out
	case decimal:
		return []any{v.scale, v.unscaled}
	}
	return v
}

func showField(f field) any { return []any{string(rune(f.kind)), showValue(f.value)} }
