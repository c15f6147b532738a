package queue

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/leveretmq/leveret/amqp/wire"
)

// Queue types that understand an argument.
const (
	classic = 1 << iota
	quorum
	stream
)

// argument is one x-argument that RabbitMQ 3.10 knows, or of our own: who
// understands it and how its value is checked. check returns the reason as
// RabbitMQ prints it, an Erlang term, or "".
type argument struct {
	key   string
	types int
	check func(v any, t wire.Table) string
}

func (a *argument) of(queueType string) bool {
	switch queueType {
	case "quorum":
		return a.types&quorum != 0
	case "stream":
		return a.types&stream != 0
	}
	return a.types&classic != 0
}

// declareArguments are checked in this order (rabbit_amqqueue:declare_args);
// read-only.
var declareArguments = []argument{
	{"x-expires", classic | quorum, checkExpires},
	{"x-message-ttl", classic | quorum, checkTTL},
	{"x-dead-letter-exchange", classic | quorum, nil},
	{"x-dead-letter-routing-key", classic | quorum, checkDeadLetterKey},
	{"x-dead-letter-strategy", quorum, oneOf("invalid_dlx_strategy", "at-most-once", "at-least-once")},
	{"x-max-length", classic | quorum, checkCount},
	{"x-max-length-bytes", classic | quorum | stream, checkCount},
	{"x-max-in-memory-length", quorum, checkCount},
	{"x-max-in-memory-bytes", quorum, checkCount},
	{"x-max-priority", classic, checkMaxPriority},
	{"x-overflow", classic | quorum, oneOf("invalid_overflow", "drop-head", "reject-publish", "reject-publish-dlx")},
	{"x-queue-mode", classic, named("queue mode", "default", "lazy")},
	{"x-queue-version", classic, checkVersion},
	{"x-single-active-consumer", classic | quorum, checkBool},
	{"x-queue-type", classic | quorum | stream, named("queue type", "classic", "quorum", "stream")},
	{"x-quorum-initial-group-size", quorum, checkSize},
	{"x-max-age", stream, checkAge},
	{"x-stream-max-segment-size-bytes", stream, checkCount},
	{"x-initial-cluster-size", stream, checkSize},
	{"x-queue-leader-locator", quorum | stream, oneOf("invalid_queue_locator_arg", "client-local", "random", "least-leaders", "balanced")},
	{"x-delivery-limit", quorum, nil}, // RabbitMQ does not look at its value
	// Our own.
	{"x-expire-anywhere", classic | quorum, checkBool},
	{"x-delayed-retry-type", classic | quorum, oneOf("invalid_delayed_retry_type", "disabled", "all", "failed", "returned")},
	{"x-delayed-retry-min", classic | quorum, checkExpires},
	{"x-delayed-retry-max", classic | quorum, checkExpires},
	{"x-delayed-retry-multiplier", classic | quorum, checkSize},
	{"x-delayed-retry-jitter", classic | quorum, checkPercent},
	{"x-message-deduplication", classic | quorum, checkBool},
	{"x-cache-size", classic | quorum, checkSize},
	{"x-cache-ttl", classic | quorum, checkExpires},
	{dedupHeader, classic | quorum, checkString},
}

// maxTTL is ten years in milliseconds, RabbitMQ's ceiling of timers.
const maxTTL = 315360000000

func checkInt(v any, _ wire.Table) string {
	if _, ok := wire.Int(v); !ok {
		return fmt.Sprintf(`"expected integer, got %s"`, wire.TypeName(v))
	}
	return ""
}

func checkBool(v any, _ wire.Table) string {
	if _, ok := v.(bool); !ok {
		return unacceptable(v)
	}
	return ""
}

func unacceptable(v any) string { return fmt.Sprintf("{unacceptable_type,%s}", wire.TypeName(v)) }

func checkString(v any, _ wire.Table) string {
	if _, ok := v.(string); !ok {
		return unacceptable(v)
	}
	return ""
}

func checkCount(v any, _ wire.Table) string {
	n, ok := wire.Int(v)
	switch {
	case !ok:
		return checkInt(v, nil)
	case n < 0:
		return fmt.Sprintf("{value_negative,%d}", n)
	}
	return ""
}

func checkTTL(v any, _ wire.Table) string {
	if n, _ := wire.Int(v); n > maxTTL {
		return fmt.Sprintf("{value_too_large,%d}", n)
	}
	return checkCount(v, nil)
}

func checkExpires(v any, _ wire.Table) string {
	if n, ok := wire.Int(v); ok && n == 0 {
		return "{value_zero,0}"
	}
	return checkTTL(v, nil)
}

func checkSize(v any, _ wire.Table) string {
	if n, ok := wire.Int(v); ok && n == 0 {
		return "{value_zero,0}"
	}
	return checkCount(v, nil)
}

func checkPercent(v any, _ wire.Table) string {
	if n, _ := wire.Int(v); n > 100 {
		return fmt.Sprintf("{max_value_exceeded,%d}", n)
	}
	return checkCount(v, nil)
}

func checkMaxPriority(v any, _ wire.Table) string {
	if n, _ := wire.Int(v); n > 255 {
		return fmt.Sprintf("{max_value_exceeded,%d}", n)
	}
	return checkCount(v, nil)
}

func checkVersion(v any, _ wire.Table) string {
	n, ok := wire.Int(v)
	switch {
	case !ok:
		return checkInt(v, nil)
	case n != 1 && n != 2:
		return fmt.Sprintf(`"unsupported queue version '%d'"`, n)
	}
	return ""
}

func checkDeadLetterKey(v any, t wire.Table) string {
	if _, ok := v.(string); !ok {
		return unacceptable(v)
	}
	if _, ok := t.Get("x-dead-letter-exchange"); !ok {
		return "routing_key_but_no_dlx_defined"
	}
	return ""
}

var age = regexp.MustCompile(`^[0-9]+[YMDhms]$`)

func checkAge(v any, _ wire.Table) string {
	s, ok := v.(string)
	switch {
	case !ok:
		return unacceptable(v)
	case !age.MatchString(s):
		return "invalid_max_age"
	}
	return ""
}

// oneOf accepts the words given; the reason for another is an atom.
func oneOf(reason string, words ...string) func(any, wire.Table) string {
	return func(v any, _ wire.Table) string {
		s, ok := v.(string)
		switch {
		case !ok:
			return unacceptable(v)
		case !slices.Contains(words, s):
			return reason
		}
		return ""
	}
}

// named accepts the words given; the reason for another is a sentence.
func named(what string, words ...string) func(any, wire.Table) string {
	return func(v any, _ wire.Table) string {
		s, ok := v.(string)
		switch {
		case !ok:
			return unacceptable(v)
		case !slices.Contains(words, s):
			return fmt.Sprintf(`"unsupported %s '%s'"`, what, s)
		}
		return ""
	}
}
