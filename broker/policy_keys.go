package broker

import (
	"slices"
	"strings"

	"github.com/leveretmq/leveret/queue"
)

// Queue types that take a policy key. RabbitMQ: a policy with one key that a
// queue's type does not take is not applied to that queue at all.
const (
	onClassic = 1 << iota
	onQuorum
	onStream
	onAll = onClassic | onQuorum | onStream
)

// policyKey is what a policy may define, without the x- that the argument of
// queue.declare has before it.
type policyKey struct {
	name  string
	types int
	// operator: operator policies may define it; where both do, the lower number
	// counts.
	operator bool
	valid    func(v any) bool
	// says is RabbitMQ's text behind a value that is not valid.
	says string
	// merge puts the value into a queue's settings, which hold what its arguments
	// say; nil: the key changes nothing in a living queue of ours.
	merge func(s *queue.Settings, v any)
}

// policyKeys are in the order of their names; read-only.
var policyKeys = []policyKey{
	{"alternate-exchange", onAll, false, isText, "is not a valid alternate exchange name", nil},
	{"consumer-timeout", onClassic | onQuorum, false, isNatural, "is not a valid consumer timeout", mergeConsumerTimeout},
	{"dead-letter-exchange", onClassic | onQuorum, false, isText, "is not a valid dead letter exchange name", mergeText(deadLetterExchange)},
	{"dead-letter-routing-key", onClassic | onQuorum, false, isText, "is not a valid dead letter routing key", mergeText(deadLetterKey)},
	{"dead-letter-strategy", onQuorum, false, isOneOf("at-most-once", "at-least-once"), "is not a valid dead letter strategy", nil},
	{"delayed-retry-jitter", onClassic | onQuorum, false, isPercent, "is not a valid delayed retry jitter", mergeRetry(retryJitter)},
	{"delayed-retry-max", onClassic | onQuorum, false, isPositive, "is not a valid delayed retry maximum", mergeRetryTime(retryMax)},
	{"delayed-retry-min", onClassic | onQuorum, false, isPositive, "is not a valid delayed retry minimum", mergeRetryTime(retryMin)},
	{"delayed-retry-multiplier", onClassic | onQuorum, false, isPositive, "is not a valid delayed retry multiplier", mergeRetry(retryMultiplier)},
	{"delayed-retry-type", onClassic | onQuorum, false, isOneOf("disabled", "all", "failed", "returned"), "is not a valid delayed retry type", mergeRetryType},
	{"delivery-limit", onQuorum, true, isNatural, "is not a valid delivery limit", mergeNumber(deliveryLimit)},
	{"expire-anywhere", onClassic | onQuorum, false, isBool, "is not a valid expire anywhere value", mergeExpireAnywhere},
	{"expires", onClassic | onQuorum, true, isPositive, "is not a valid queue expiry", mergeExpires},
	{"federation-upstream", onAll, false, isText, "is not a valid federation upstream name", nil},
	{"federation-upstream-set", onAll, false, isText, "is not a valid federation upstream set name", nil},
	{"ha-mode", onClassic, false, isAny, "", nil},
	{"ha-params", onClassic, false, isAny, "", nil},
	{"ha-promote-on-failure", onClassic, false, isAny, "", nil},
	{"ha-promote-on-shutdown", onClassic, false, isAny, "", nil},
	{"ha-sync-batch-size", onClassic, false, isAny, "", nil},
	{"ha-sync-mode", onClassic, false, isAny, "", nil},
	{"initial-cluster-size", onStream, false, isNatural, "is not a valid cluster size", nil},
	{"max-age", onStream, false, isAge, "is not a valid max age", nil},
	{"max-in-memory-bytes", onClassic | onQuorum, true, isNatural, "is not a valid maximum memory in bytes", nil},
	{"max-in-memory-length", onClassic | onQuorum, true, isNatural, "is not a valid maximum memory in bytes", nil},
	{"max-length", onClassic | onQuorum, true, isNatural, "is not a valid maximum length", mergeNumber(maxLength)},
	{"max-length-bytes", onAll, true, isNatural, "is not a valid maximum length in bytes", mergeNumber(maxLengthBytes)},
	{"message-deduplication", onClassic | onQuorum, false, isBool, "is not a valid message deduplication value", mergeDeduplication},
	{"message-ttl", onClassic | onQuorum, true, isNatural, "is not a valid message TTL", mergeTTL},
	{"overflow", onClassic | onQuorum, false, isOneOf("drop-head", "reject-publish", "reject-publish-dlx"), "is not a valid overflow value", mergeOverflow},
	{"queue-leader-locator", onQuorum | onStream, false, isOneOf("client-local", "random", "least-leaders", "balanced"), "is not a valid queue leader locator value", nil},
	{"queue-master-locator", onClassic, false, isOneOf("min-masters", "client-local", "random"), "invalid queue-master-locator value", nil},
	{"queue-mode", onClassic, false, isOneOf("default", "lazy"), "is not a valid queue-mode value", nil},
	{"queue-version", onAll, false, isVersion, "is not a valid queue-version value", nil},
	{"stream-filter-size-bytes", onStream, false, isNatural, "is not a valid filter size", nil},
	{"stream-max-segment-size-bytes", onStream, false, isNatural, "is not a valid segment size", nil},
}

// knownPolicyKey finds a key, nil when there is none of that name.
func knownPolicyKey(name string) *policyKey {
	i, ok := slices.BinarySearchFunc(policyKeys, name, func(k policyKey, name string) int { return strings.Compare(k.name, name) })
	if !ok {
		return nil
	}
	return &policyKeys[i]
}

func isAny(any) bool { return true }

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

func isNatural(v any) bool {
	n, ok := v.(int64)
	return ok && n >= 0
}

func isPositive(v any) bool {
	n, ok := v.(int64)
	return ok && n > 0
}

func isVersion(v any) bool { return v == int64(1) || v == int64(2) }

func isOneOf(words ...string) func(any) bool {
	return func(v any) bool {
		s, ok := v.(string)
		return ok && slices.Contains(words, s)
	}
}

// isAge is a number and its unit: years, months, days, hours, minutes, seconds.
func isAge(v any) bool {
	s, ok := v.(string)
	return ok && len(s) > 1 && strings.Trim(s[:len(s)-1], "0123456789") == "" && strings.Contains("YMDhms", s[len(s)-1:])
}

// mergeText sets a text that the arguments do not: the argument counts.
func mergeText(field func(*queue.Settings) **string) func(*queue.Settings, any) {
	return func(s *queue.Settings, v any) {
		if f := field(s); *f == nil {
			text := v.(string)
			*f = &text
		}
	}
}

func deadLetterExchange(s *queue.Settings) **string { return &s.DeadLetterExchange }
func deadLetterKey(s *queue.Settings) **string      { return &s.DeadLetterRoutingKey }

// mergeTTL and mergeExpires: of argument and policy the lower counts.
func mergeTTL(s *queue.Settings, v any) {
	if d := milliseconds(v.(int64)); !s.HasTTL || d < s.TTL {
		s.TTL, s.HasTTL = d, true
	}
}

func mergeExpires(s *queue.Settings, v any) {
	if d := milliseconds(v.(int64)); s.Expires == 0 || d < s.Expires {
		s.Expires = d
	}
}

// mergeNumber sets a limit: of argument and policy the lower counts.
func mergeNumber(field func(*queue.Settings) **int64) func(*queue.Settings, any) {
	return func(s *queue.Settings, v any) {
		n := v.(int64)
		if f := field(s); *f == nil || n < **f {
			*f = &n
		}
	}
}

func maxLength(s *queue.Settings) **int64      { return &s.MaxLength }
func maxLengthBytes(s *queue.Settings) **int64 { return &s.MaxLengthBytes }

func deliveryLimit(s *queue.Settings) **int64 { return &s.DeliveryLimit }

// mergeConsumerTimeout: an argument counts.
func mergeConsumerTimeout(s *queue.Settings, v any) {
	if s.ConsumerTimeout == nil {
		d := milliseconds(v.(int64))
		s.ConsumerTimeout = &d
	}
}

func mergeOverflow(s *queue.Settings, v any) {
	if s.Overflow == "" {
		s.Overflow = v.(string)
	}
}
