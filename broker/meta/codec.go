package meta

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/leveretmq/leveret/amqp/wire"
)

// Keys begin with their kind, in the order in which they have to be loaded:
// bindings come after what they bind.
const (
	kindID byte = iota + 1
	kindVHost
	kindUser
	kindPermission
	kindExchange
	kindQueue
	kindBinding
)

// format is the first octet of every value.
const format = 1

// key is a kind and its parts, each after its u16 length, so that no character
// of a name separates.
func key(kind byte, parts ...string) []byte {
	k := []byte{kind}
	for _, p := range parts {
		k = binary.BigEndian.AppendUint16(k, uint16(len(p)))
		k = append(k, p...)
	}
	return k
}

func bindingKey(b *Binding) []byte {
	kind := "q"
	if b.ToExchange {
		kind = "x"
	}
	return key(kindBinding, b.VHost, b.Source, kind, b.Dest, b.Key, string(wire.AppendTable(nil, b.Arguments)))
}

// table is a field table in JSON: its octets, for only they keep every type.
type table wire.Table

// MarshalJSON writes the table's octets in base64.
func (t table) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire.AppendTable(nil, wire.Table(t)))
}

// UnmarshalJSON reads them back.
func (t *table) UnmarshalJSON(b []byte) error {
	var raw []byte
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	parsed, rest, err := wire.ParseTable(raw)
	if err != nil || len(rest) > 0 {
		return wire.ErrBadTable
	}
	*t = table(parsed)
	return nil
}

// The stored twins of definitions that hold a table.
type (
	storedExchange struct {
		*plainExchange
		Arguments table
	}
	plainExchange Exchange
	storedQueue   struct {
		*plainQueue
		Arguments table
	}
	plainQueue    Queue
	storedBinding struct {
		*plainBinding
		Arguments table
	}
	plainBinding Binding
)

// MarshalJSON and UnmarshalJSON keep the types of the arguments.
func (e *Exchange) MarshalJSON() ([]byte, error) {
	return json.Marshal(storedExchange{(*plainExchange)(e), table(e.Arguments)})
}

// UnmarshalJSON is MarshalJSON's inverse.
func (e *Exchange) UnmarshalJSON(b []byte) error {
	s := storedExchange{plainExchange: (*plainExchange)(e)}
	err := json.Unmarshal(b, &s)
	e.Arguments = wire.Table(s.Arguments)
	return err
}

// MarshalJSON keeps the types of the arguments.
func (q *Queue) MarshalJSON() ([]byte, error) {
	return json.Marshal(storedQueue{(*plainQueue)(q), table(q.Arguments)})
}

// UnmarshalJSON is MarshalJSON's inverse.
func (q *Queue) UnmarshalJSON(b []byte) error {
	s := storedQueue{plainQueue: (*plainQueue)(q)}
	err := json.Unmarshal(b, &s)
	q.Arguments = wire.Table(s.Arguments)
	return err
}

// MarshalJSON keeps the types of the arguments.
func (b *Binding) MarshalJSON() ([]byte, error) {
	return json.Marshal(storedBinding{(*plainBinding)(b), table(b.Arguments)})
}

// UnmarshalJSON is MarshalJSON's inverse.
func (b *Binding) UnmarshalJSON(data []byte) error {
	s := storedBinding{plainBinding: (*plainBinding)(b)}
	err := json.Unmarshal(data, &s)
	b.Arguments = wire.Table(s.Arguments)
	return err
}

func put(k []byte, v any) []Change { return []Change{{k, encode(v)}} }

// encode cannot fail: definitions hold strings, numbers and octets only.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append([]byte{format}, b...)
}

func decode(b []byte, v any) error {
	if len(b) == 0 || b[0] != format {
		return fmt.Errorf("value has an unknown format")
	}
	return json.Unmarshal(b[1:], v)
}

func load[T any](b []byte, take func(*T)) error {
	v := new(T)
	if err := decode(b, v); err != nil {
		return err
	}
	take(v)
	return nil
}
