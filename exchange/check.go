package exchange

import (
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
)

// CheckDeclare says whether an exchange of that kind may have these arguments.
// The error is a *wire.Error 406 in RabbitMQ's words.
func CheckDeclare(kind string, args wire.Table) error {
	if kind == consistentHash {
		return checkHash(args)
	}
	return nil
}

// CheckBinding says whether an exchange of that kind may be bound by b. The error is a *wire.Error 406 in RabbitMQ's
// words.
func CheckBinding(kind string, b Binding) error {
	switch kind {
	case "headers":
		return checkMatch(b.Args)
	case consistentHash:
		_, err := parseWeight(b.Key)
		return err
	case localRandom:
		return checkLocal(b)
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
