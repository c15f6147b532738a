package broker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
)

// decodeJSON gives a JSON value as nil, bool, int64, float64, string, []any or
// map[string]any; false when raw is none. An integer beyond 64 bits becomes the
// nearest within.
func decodeJSON(raw json.RawMessage) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return nil, false
	}
	return plainNumbers(v), true
}

func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil || !strings.ContainsAny(v.String(), ".eE") {
			return n
		}
		f, _ := v.Float64() // the nearest that there is
		return f
	case []any:
		for i := range v {
			v[i] = plainNumbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plainNumbers(v[k])
		}
	}
	return v
}

// decodeObject is decodeJSON of an object. RabbitMQ writes an empty one as [].
func decodeObject(raw json.RawMessage) (map[string]any, bool) {
	v, ok := decodeJSON(raw)
	if list, empty := v.([]any); ok && empty && len(list) == 0 {
		return map[string]any{}, true
	}
	m, ok := v.(map[string]any)
	return m, ok
}

// canonicalJSON is raw without spaces and with its keys in order.
func canonicalJSON(raw json.RawMessage) (json.RawMessage, bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return nil, false
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return nil, false
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), true
}

// erlang prints a decoded value as RabbitMQ's texts have it, an Erlang term.
func erlang(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if v == "" {
			return "<<>>"
		}
		return fmt.Sprintf("<<%q>>", v)
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	case []any:
		terms := make([]string, len(v))
		for i := range v {
			terms[i] = erlang(v[i])
		}
		return "[" + strings.Join(terms, ",") + "]"
	case map[string]any:
		pairs := make([]string, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			pairs = append(pairs, erlang(k)+" => "+erlang(v[k]))
		}
		return "#{" + strings.Join(pairs, ",") + "}"
	}
	return fmt.Sprint(v)
}

// erlangPairs prints some keys of m with their values as a property list.
func erlangPairs(m map[string]any, keys []string) string {
	terms := make([]string, len(keys))
	for i, k := range keys {
		terms[i] = "{" + erlang(k) + "," + erlang(m[k]) + "}"
	}
	return "[" + strings.Join(terms, ",") + "]"
}

// arguments reads an object as a field table; nothing is an empty one.
func arguments(raw json.RawMessage) (wire.Table, error) {
	if raw == nil {
		return nil, nil
	}
	m, ok := decodeObject(raw)
	if !ok {
		return nil, invalid("arguments must be an object")
	}
	t, err := tableOfJSON(m)
	if err != nil {
		return nil, err
	}
	if _, _, err := wire.ParseTable(wire.AppendTable(nil, t)); err != nil {
		return nil, invalid("arguments cannot be a field table: %v", err) // too deep
	}
	return t, nil
}

// tableOfJSON gives an object as a field table with the types that RabbitMQ
// gives: 64-bit integers and floats, strings, tables, arrays; null is refused.
// Fields are in the order of their names.
func tableOfJSON(m map[string]any) (wire.Table, error) {
	var t wire.Table
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if err := checkLengths(k); err != nil {
			return nil, err
		}
		v, err := fieldOfJSON(m[k])
		if err != nil {
			return nil, err
		}
		t = append(t, wire.Field{Name: k, Value: v})
	}
	return t, nil
}

func fieldOfJSON(v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, invalid("null_not_allowed")
	case map[string]any:
		return tableOfJSON(v)
	case []any:
		a := wire.Array{}
		for _, item := range v {
			f, err := fieldOfJSON(item)
			if err != nil {
				return nil, err
			}
			a = append(a, f)
		}
		return a, nil
	}
	return v, nil
}

// jsonOfTable gives a field table as an object.
func jsonOfTable(t wire.Table) json.RawMessage { return mustJSON(jsonOfField(t)) }

// jsonOfField gives a value of a field table as encoding/json takes it.
func jsonOfField(v any) any {
	switch v := v.(type) {
	case wire.Table:
		m := make(map[string]any, len(v))
		for _, f := range v {
			m[f.Name] = jsonOfField(f.Value)
		}
		return m
	case wire.Array:
		a := make([]any, len(v))
		for i := range v {
			a[i] = jsonOfField(v[i])
		}
		return a
	case []byte:
		return string(v)
	case wire.Decimal:
		return float64(v.Value) / math.Pow10(int(v.Scale))
	case float32:
		return finite(float64(v))
	case float64:
		return finite(v)
	}
	return v
}

// finite is a number that JSON has.
func finite(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Sprint(f)
	}
	return f
}

// mustJSON encodes what always encodes: our own structs of texts, numbers and
// valid JSON.
func mustJSON(v any) json.RawMessage {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
