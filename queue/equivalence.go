package queue

import (
	"fmt"
	"reflect"

	"github.com/leveretmq/leveret/amqp/wire"
)

// Inequivalent returns the 406 that RabbitMQ gives when a queue with arguments
// a is declared again with received, nil when they are equivalent. Arguments
// that no queue type knows do not count, nor does the width of integers, nor
// x-queue-type classic against none. received is not validated: RabbitMQ
// compares first.
func (a Arguments) Inequivalent(vhost, name string, received wire.Table) error {
	at := place{vhost, name}
	for i := range declareArguments {
		key := declareArguments[i].key
		if !declareArguments[i].of(a.Type) && key != "x-queue-type" && !(key == "x-delivery-limit" && a.Retry.active() != nil) {
			continue
		}
		current, has := a.Table.Get(key)
		given, gives := received.Get(key)
		if key == "x-queue-type" && (!has || !gives) && (has || gives) && (current == "classic" || given == "classic") {
			continue
		}
		if has != gives || has && !equivalent(current, given) {
			return at.inequivalent(key, given, current, gives, has)
		}
	}
	return nil
}

func (p place) inequivalent(key string, given, current any, gives, has bool) error {
	g, c := "none", "none"
	switch {
	case gives && has:
		g, c = fmt.Sprintf("'%v'", given), fmt.Sprintf("'%v'", current)
	case gives:
		g = fmt.Sprintf("the value '%v' of type '%s'", given, wire.TypeName(given))
	case has:
		c = fmt.Sprintf("the value '%v' of type '%s'", current, wire.TypeName(current))
	}
	return wire.Errorf(wire.PreconditionFailed, "inequivalent arg '%s' for %s: received %s but current is %s", key, p, g, c)
}

func (p place) inequivalentFlag(flag string, given bool) error {
	return p.inequivalent(flag, given, !given, true, true)
}

// equivalent compares values as RabbitMQ does: integers whatever their width,
// everything else by type and value.
func equivalent(x, y any) bool {
	n, xInt := wire.Int(x)
	m, yInt := wire.Int(y)
	if xInt || yInt {
		return xInt && yInt && n == m
	}
	return reflect.DeepEqual(x, y)
}
