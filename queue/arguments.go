package queue

import (
	"fmt"

	"github.com/leveretmq/leveret/amqp/wire"
)

// Arguments are the checked x-arguments of a queue.
type Arguments struct {
	Settings
	Type         string     // x-queue-type; "classic" when absent
	MaxPriority  uint8      // x-max-priority; 0: none
	SingleActive bool       // x-single-active-consumer
	Table        wire.Table // as declared, to be listed and compared
}

// place names a queue in errors.
type place struct{ vhost, name string }

func (p place) String() string { return fmt.Sprintf("queue '%s' in vhost '%s'", p.name, p.vhost) }

// invalid is RabbitMQ's text for a bad argument; why is an Erlang term.
func (p place) invalid(key, why string) error {
	return wire.Errorf(wire.PreconditionFailed, "invalid arg '%s' for %s: %s", key, p, why)
}

// ParseArguments checks the arguments of queue.declare. Errors are *wire.Error
// in RabbitMQ's words and order: types and values, then what belongs to another
// queue type; last, in words of our own, what this version does not have.
func ParseArguments(vhost, name string, t wire.Table) (Arguments, error) {
	at := place{vhost, name}
	if v, ok := t.Get("x-dead-letter-exchange"); ok {
		if _, ok := v.(string); !ok {
			return Arguments{}, wire.Errorf(wire.PreconditionFailed,
				"invalid type '%s' for arg 'x-dead-letter-exchange' in %s", wire.TypeName(v), at)
		}
	}
	for _, a := range declareArguments {
		if v, ok := t.Get(a.key); ok && a.check != nil {
			if why := a.check(v, t); why != "" {
				return Arguments{}, at.invalid(a.key, why)
			}
		}
	}
	a := readArguments(t)
	if err := a.checkType(at); err != nil {
		return Arguments{}, err
	}
	if err := checkLocator(t); err != nil {
		return Arguments{}, err
	}
	return a, a.checkSupported(at)
}

// readArguments takes the values out of a checked table.
func readArguments(t wire.Table) Arguments {
	a := Arguments{Settings: readSettings(t), Type: "classic", Table: t}
	if v, ok := t.Get("x-queue-type"); ok {
		a.Type = v.(string)
	}
	if n := number(t, "x-max-priority"); n != nil {
		a.MaxPriority = uint8(*n)
	}
	single, _ := t.Get("x-single-active-consumer")
	a.SingleActive = single == true
	return a
}

// Suits returns the 406 of a queue type that cannot be transient, exclusive or
// auto-delete (RabbitMQ: every type but classic).
func (a *Arguments) Suits(vhost, name string, durable, exclusive, autoDelete bool) error {
	property := ""
	switch {
	case a.Type == "classic":
		return nil
	case autoDelete:
		property = "auto-delete"
	case exclusive:
		property = "exclusive-owner"
	case !durable:
		property = "non-durable"
	default:
		return nil
	}
	return wire.Errorf(wire.PreconditionFailed, "invalid property '%s' for %s", property, place{vhost, name})
}

// checkType refuses arguments that another queue type understands.
func (a *Arguments) checkType(at place) error {
	for _, f := range a.Table {
		for _, known := range declareArguments {
			if known.key == "x-delivery-limit" && a.Retry.active() != nil {
				continue // then ours of any queue
			}
			if known.key == f.Name && !known.of(a.Type) {
				return wire.Errorf(wire.PreconditionFailed, "invalid arg '%s' for %s of queue type rabbit_%s_queue", f.Name, at, a.Type)
			}
		}
	}
	return nil
}

// checkLocator: RabbitMQ looks the locator up when it places the queue, where a
// bad one is an internal error of the connection.
func checkLocator(t wire.Table) error {
	v, ok := t.Get("x-queue-master-locator")
	if !ok {
		return nil
	}
	switch v {
	case "min-masters", "client-local", "random":
		return nil
	}
	return wire.Errorf(wire.InternalError, "")
}

// checkSupported refuses what this version does not do rather than accept it
// and do something else.
func (a *Arguments) checkSupported(at place) error {
	later := func(key string) error {
		v, _ := a.Table.Get(key)
		return at.invalid(key, fmt.Sprintf("the value '%v' is not supported by this version", v))
	}
	if a.Type == "stream" {
		return later("x-queue-type")
	}
	// Without reject-publish RabbitMQ falls back to at most once, which we do.
	if v, _ := a.Table.Get("x-dead-letter-strategy"); v == "at-least-once" && a.DeadLetterExchange != nil && a.Overflow == "reject-publish" {
		return later("x-dead-letter-strategy")
	}
	if v, _ := a.Table.Get("x-consumer-timeout-action"); v == "return" {
		return later("x-consumer-timeout-action")
	}
	return nil
}

// parse checks the arguments of basic.consume.
func (o *ConsumerOptions) parse(at place) error {
	if v, ok := o.Arguments.Get("x-priority"); ok {
		if why := checkInt(v, nil); why != "" {
			return at.invalid("x-priority", why)
		}
		n, _ := wire.Int(v)
		o.Priority = int32(min(max(n, minPriority), maxPriority))
	}
	if v, ok := o.Arguments.Get("x-cancel-on-ha-failover"); ok {
		if why := checkBool(v, nil); why != "" {
			return at.invalid("x-cancel-on-ha-failover", why)
		}
	}
	return nil
}

const (
	minPriority = -1 << 31
	maxPriority = 1<<31 - 1
)
