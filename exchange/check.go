package exchange

import (
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
)

// CheckDeclare says whether an exchange of that kind may have these arguments.
// The error is a *wire.Error 406 in RabbitMQ's words.
func CheckDeclare(kind string, args wire.Table) error {
	switch kind {
	case consistentHash:
		return checkHash(args)
	case RecentHistory:
		return checkHistory(args)
	case Deduplication:
		return checkDeduplication(args)
	case DelayedMessage:
		return checkDelayed(args)
	}
	return nil
}

// CheckBinding says whether an exchange of that kind, declared with those
// arguments, may be bound by b. The error is a *wire.Error 406 in RabbitMQ's
// words.
func CheckBinding(kind string, declared wire.Table, b Binding) error {
	switch kind {
	case "headers":
		return checkMatch(b.Args)
	case consistentHash:
		_, err := parseWeight(b.Key)
		return err
	case localRandom:
		return checkLocal(b)
	case DelayedMessage:
		return CheckBinding(DelayedType(declared), declared, b)
	}
	return nil
}

func checkHash(args wire.Table) error {
	header, byHeader := args.Get(hashHeader)
	property, byProperty := args.Get(hashProperty)
	for name, v := range map[string]any{hashHeader: header, hashProperty: property} {
		if _, text := v.(string); v != nil && !text {
			return wire.Errorf(wire.PreconditionFailed, "invalid type '%s' for arg '%s'", wire.TypeName(v), name)
		}
	}
	switch {
	case byHeader && byProperty:
		return wire.Errorf(wire.PreconditionFailed, "hash-header and hash-property are mutually exclusive")
	case byProperty && hashFlag(property) == 0:
		return wire.Errorf(wire.PreconditionFailed, "Unsupported property: %s", property)
	}
	return nil
}

// parseWeight reads the key of a binding as a number of any size.
func parseWeight(key string) (float64, error) {
	digits := key
	if digits != "" && (digits[0] == '+' || digits[0] == '-') {
		digits = digits[1:]
	}
	weight, err := strconv.ParseFloat(digits, 64)
	switch {
	case err != nil || strings.Trim(digits, "0123456789") != "":
		return 0, wire.Errorf(wire.PreconditionFailed, "The binding key must be an integer: %s", binaryTerm(key))
	case key[0] == '-' || weight == 0:
		return 0, wire.Errorf(wire.PreconditionFailed, "The binding key must be greater than 0")
	}
	return weight, nil
}

// checkLocal: a local random exchange has nothing to choose by, and no other
// exchange is local (RabbitMQ 4.0).
func checkLocal(b Binding) error {
	switch {
	case b.Key != "":
		return wire.Errorf(wire.PreconditionFailed, "Non empty binding '%s' key not permitted", b.Key)
	case b.Dest.Exchange:
		return wire.Errorf(wire.PreconditionFailed, "Destination not found")
	}
	return nil
}

func checkHistory(args wire.Table) error {
	v, there := args.Get("x-recent-history-length")
	if !there {
		return nil
	}
	switch v.(type) {
	case int8, int16, int32, int64:
		if n, _ := wire.Int(v); n > 0 {
			return nil
		}
	}
	return wire.Errorf(wire.PreconditionFailed, "Invalid argument %s, 'x-recent-history-length' must be a positive integer", term(v))
}

func checkDeduplication(args wire.Table) error {
	size, there := args.Get("x-cache-size")
	if n, ok := Number(size); !there || !ok || n <= 0 {
		return wire.Errorf(wire.PreconditionFailed, "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0")
	}
	ttl, there := args.Get("x-cache-ttl")
	if n, ok := Number(ttl); there && (!ok || n <= 0) {
		return wire.Errorf(wire.PreconditionFailed, "Invalid argument, 'x-cache-ttl' must be an integer greater than 0")
	}
	if p, there := args.Get("x-cache-persistence"); there && p != "disk" && p != "memory" {
		return wire.Errorf(wire.PreconditionFailed, "Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'")
	}
	return nil
}

// Number reads an argument or header that is an integer, or one in decimal
// digits, as the plugins take both.
func Number(v any) (n int64, ok bool) {
	if s, text := v.(string); text {
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	}
	return wire.Int(v)
}

// checkDelayed checks what a delayed exchange delegates to. Delaying twice
// would never end.
func checkDelayed(args wire.Table) error {
	kind := DelayedType(args)
	if kind == DelayedMessage || !Known(kind) {
		return wire.Errorf(wire.PreconditionFailed, "Invalid argument, 'x-delayed-type' must be an existing exchange type")
	}
	if p, _ := args.Get("x-cache-persistence"); kind == Deduplication && p == "disk" {
		return wire.Errorf(wire.PreconditionFailed, "Invalid argument, 'x-cache-persistence' must be 'memory' in a delayed exchange")
	}
	return CheckDeclare(kind, args)
}

// DelayedType is the type that an exchange of type DelayedMessage routes as.
func DelayedType(args wire.Table) string {
	v, _ := args.Get("x-delayed-type")
	kind, _ := v.(string)
	return kind
}
