package exchange

import (
	"fmt"
	"slices"

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
// Props is the whole encoded property list, looked at for its hash only.
type Message struct {
	Key     []byte
	Headers []byte
	Props   []byte
}

// Router is the bindings of one exchange. A value never changes: Bind and
// Unbind give another one, and any number of goroutines may use a value.
type Router interface {
	// Bind adds a binding; one that is there already changes nothing.
	Bind(Binding) Router
	// Unbind removes a binding; one that is not there changes nothing.
	Unbind(Binding) Router
	// Route appends the destinations of m to out, ascending by id and each once
	// however many bindings lead to it. It allocates only to make room in out,
	// and, for some types, at the first call after a Bind or Unbind.
	Route(m Message, out []Dest) []Dest
	// KeyOnly says that Route looks at nothing but the key, so that its result
	// may be kept by key.
	KeyOnly() bool
	// PerKey says that a message with several keys (RabbitMQ: CC) goes where
	// each of them leads. Otherwise its first key is routed and the rest do not
	// count.
	PerKey() bool
}

// Options are what a Router is made with beside its kind.
type Options struct {
	// Arguments are the exchange's own, as CheckDeclare has let them pass.
	Arguments wire.Table
	// Rand gives 64 random bits to any number of goroutines. Types that choose
	// at random need it.
	Rand func() uint64
}

// The types that RabbitMQ's plugins and later versions add to those of the
// specification.
const (
	// DelayedMessage routes as the type that its x-delayed-type argument names.
	DelayedMessage = "x-delayed-message"
	// RecentHistory routes as fanout.
	RecentHistory = "x-recent-history"
	// Deduplication routes as fanout.
	Deduplication = "x-message-deduplication"
)

// Kinds lists the exchange types, sorted.
func Kinds() []string {
	return []string{"direct", "fanout", "headers", "topic", consistentHash, DelayedMessage, localRandom,
		Deduplication, modulusHash, plainRandom, RecentHistory}
}

// New makes an exchange of that kind without bindings.
func New(kind string, o Options) (Router, error) {
	switch kind {
	case "direct":
		return newDirect(), nil
	case "fanout":
		return fanout{}, nil
	case "topic":
		return newTopic(), nil
	case "headers":
		return newHeaders(), nil
	case consistentHash:
		return newConsistent(o.Arguments), nil
	case modulusHash:
		return modulus{newFlat(nil)}, nil
	case plainRandom, localRandom:
		return random{newFlat(nil), o.Rand}, nil
	case RecentHistory, Deduplication:
		return every{fanout{}}, nil
	case DelayedMessage:
		r, err := New(DelayedType(o.Arguments), o)
		return every{r}, err
	}
	return nil, fmt.Errorf("unknown exchange type '%s'", kind)
}

// Known says whether there is such an exchange type.
func Known(kind string) bool { return slices.Contains(Kinds(), kind) }

// every is a Router whose exchange has to see every message: no result of it
// may be kept.
type every struct{ Router }

// Bind is as Router says.
func (e every) Bind(b Binding) Router { return every{e.Router.Bind(b)} }

// Unbind is as Router says.
func (e every) Unbind(b Binding) Router { return every{e.Router.Unbind(b)} }

// KeyOnly is as Router says.
func (e every) KeyOnly() bool { return false }
