package mgmt

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/leveretmq/leveret/amqp/wire"
)

// nestMost bounds how deep a value may be nested.
const nestMost = 64

// table is a member that has to be an object, as a field table: the arguments
// of a queue, the headers of a message. RabbitMQ takes an empty array for an
// empty object, and no null.
func (b body) table(name string) (wire.Table, error) {
	raw, ok := b[name]
	if !ok || string(bytes.TrimSpace(raw)) == "[]" {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	v, err := value(d, nestMost)
	if err != nil {
		return nil, err
	}
	t, ok := v.(wire.Table)
	if !ok {
		return nil, badRequest(list{"not_object", name})
	}
	return t, nil
}

// value reads one JSON value as one of a field table, objects in their order.
func value(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil || depth == 0 {
		return nil, badRequest("not_json")
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return fields(d, depth-1)
		}
		return array(d, depth-1)
	case json.Number:
		return number(string(t))
	case nil:
		return nil, badRequest("null_not_allowed")
	}
	return token, nil
}

// number is a long, or a double.
func number(s string) (any, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, badRequest(list{"not_a_number", s})
	}
	return f, nil
}

func fields(d *json.Decoder, depth int) (any, error) {
	t := wire.Table{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, badRequest("not_json")
		}
		if len(name.(string)) > 255 {
			return nil, badRequest("the name of a field is longer than 255 octets")
		}
		v, err := value(d, depth)
		if err != nil {
			return nil, err
		}
		t = append(t, wire.Field{Name: name.(string), Value: v})
	}
	_, err := d.Token()
	return t, err
}

func array(d *json.Decoder, depth int) (any, error) {
	a := wire.Array{}
	for d.More() {
		v, err := value(d, depth)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	_, err := d.Token()
	return a, err
}
