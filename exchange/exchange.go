package exchange

import (
	"fmt"

	"github.com/leveretmq/leveret/amqp/wire"
)

// Dest is where a binding leads: the creation id of a queue, or of an exchange
// when Exchange is true.
type Dest struct {
	ID       uint64
	Exchange bool
}

// Binding is one way out of an exchange. Key and Args belong to its identity
// as much as Dest does: the same queue may be bound by several keys, and by one
// key with several argument tables (spec: queue.bind). The order of the fields
// in Args does not count, their types do.
type Binding struct {
	Dest Dest
	Key  string
	Args wire.Table
}

// Message is what routing looks at. Key is the routing key. Headers is the
// encoded table of the headers property without its length, nil when the
// message has none; what follows an octet that does not decode is not looked at.
type Message struct {
	Key     []byte
	Headers []byte
}

// Router is the bindings of one exchange. A value never changes: Bind and
// Unbind give another one, and any number of goroutines may use a value.
type Router interface {
	// Bind adds a binding; one that is there already changes nothing.
	Bind(Binding) Router
	// Unbind removes a binding; one that is not there changes nothing.
	Unbind(Binding) Router
	// Route appends the destinations of m to out, ascending by id and each once
	// however many bindings lead to it. It allocates only to make room in out.
	Route(m Message, out []Dest) []Dest
	// KeyOnly says that Route looks at nothing but the key, so that its result
	// may be kept by key.
	KeyOnly() bool
}

// New makes an exchange of that kind without bindings.
func New(kind string) (Router, error) {
	switch kind {
	case "direct":
		return newDirect(), nil
	case "fanout":
		return fanout{}, nil
	case "topic":
		return newTopic(), nil
	case "headers":
		return newHeaders(), nil
	}
	return nil, fmt.Errorf("unknown exchange type '%s'", kind)
}

// Known says whether there is such an exchange type.
func Known(kind string) bool {
	_, err := New(kind)
	return err == nil
}

// CheckArguments says whether a binding to an exchange of that kind may have
// these arguments. The error is a *wire.Error 406 in RabbitMQ's words.
func CheckArguments(kind string, args wire.Table) error {
	if kind == "headers" {
		return checkMatch(args)
	}
	return nil
}
