package exchange

import (
	"errors"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// refusal is the reply-text of an error, "" without one.
func refusal(t *testing.T, err error) string {
	t.Helper()
	var e *wire.Error
	if err == nil {
		return ""
	}
	if !errors.As(err, &e) || e.Code != wire.PreconditionFailed {
		t.Fatal("not a 406:", err)
	}
	return e.Text
}

// The texts of x-consistent-hash and x-recent-history are RabbitMQ 3.10.8's.
func TestCheckDeclare(t *testing.T) {
	const length = ", 'x-recent-history-length' must be a positive integer"
	const size = "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0"
	const delayed = "Invalid argument, 'x-delayed-type' must be an existing exchange type"
	ten := field("x-cache-size", int32(10))
	cases := []struct {
		name, kind string
		args       wire.Table
		want       string
	}{
		{"any argument", "direct", wire.Table{field("hash-header", int32(1))}, ""},
		{"hash of the key", consistentHash, nil, ""},
		{"hash of a header", consistentHash, wire.Table{field("hash-header", "h")}, ""},
		{"hash of a property", consistentHash, wire.Table{field("hash-property", "timestamp")}, ""},
		{"hash of both", consistentHash, wire.Table{field("hash-header", "h"), field("hash-property", "message_id")},
			"hash-header and hash-property are mutually exclusive"},
		{"hash of no such property", consistentHash, wire.Table{field("hash-property", "type")}, "Unsupported property: type"},
		{"hash of an empty property", consistentHash, wire.Table{field("hash-property", "")}, "Unsupported property: "},
		{"header is no text", consistentHash, wire.Table{field("hash-header", int32(3))}, "invalid type 'signedint' for arg 'hash-header'"},
		{"property is no text", consistentHash, wire.Table{field("hash-property", true)}, "invalid type 'bool' for arg 'hash-property'"},
		{"no length", RecentHistory, nil, ""},
		{"byte", RecentHistory, wire.Table{field("x-recent-history-length", int8(2))}, ""},
		{"long", RecentHistory, wire.Table{field("x-recent-history-length", int64(2))}, ""},
		{"none", RecentHistory, wire.Table{field("x-recent-history-length", int32(0))}, "Invalid argument 0" + length},
		{"negative", RecentHistory, wire.Table{field("x-recent-history-length", int16(-1))}, "Invalid argument -1" + length},
		{"unsigned", RecentHistory, wire.Table{field("x-recent-history-length", uint8(2))}, "Invalid argument 2" + length},
		{"float", RecentHistory, wire.Table{field("x-recent-history-length", float32(2))}, "Invalid argument 2.0" + length},
		{"text", RecentHistory, wire.Table{field("x-recent-history-length", "2")}, `Invalid argument <<"2">>` + length},
		{"void", RecentHistory, wire.Table{field("x-recent-history-length", nil)}, "Invalid argument undefined" + length},
		{"cache", Deduplication, wire.Table{ten}, ""},
		{"cache in digits", Deduplication, wire.Table{field("x-cache-size", "10"), field("x-cache-ttl", "5"), field("x-cache-persistence", "disk")}, ""},
		{"no cache", Deduplication, nil, size},
		{"cache of none", Deduplication, wire.Table{field("x-cache-size", int32(0))}, size},
		{"cache of words", Deduplication, wire.Table{field("x-cache-size", "ten")}, size},
		{"time of none", Deduplication, wire.Table{ten, field("x-cache-ttl", int32(0))}, "Invalid argument, 'x-cache-ttl' must be an integer greater than 0"},
		{"time of nothing", Deduplication, wire.Table{ten, field("x-cache-ttl", nil)}, "Invalid argument, 'x-cache-ttl' must be an integer greater than 0"},
		{"kept on tape", Deduplication, wire.Table{ten, field("x-cache-persistence", "tape")},
			"Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'"},
		{"delayed", DelayedMessage, wire.Table{field("x-delayed-type", "topic")}, ""},
		{"delayed nothing", DelayedMessage, nil, delayed},
		{"delayed a number", DelayedMessage, wire.Table{field("x-delayed-type", int32(1))}, delayed},
		{"delayed twice", DelayedMessage, wire.Table{field("x-delayed-type", DelayedMessage)}, delayed},
		{"delayed no type", DelayedMessage, wire.Table{field("x-delayed-type", "nope")}, delayed},
		{"delayed with bad arguments", DelayedMessage, wire.Table{field("x-delayed-type", consistentHash), field("hash-property", "x")}, "Unsupported property: x"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := refusal(t, CheckDeclare(c.kind, c.args)); got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
		})
	}
}

// The texts are RabbitMQ 3.10.8's, those of x-local-random 4.0's.
func TestCheckBindingKeys(t *testing.T) {
	const integer, greater = "The binding key must be an integer: ", "The binding key must be greater than 0"
	weight := func(key string) Binding { return Binding{Dest: queue(1), Key: key} }
	cases := []struct {
		name, kind string
		b          Binding
		want       string
	}{
		{"weight", consistentHash, weight("10"), ""},
		{"sign", consistentHash, weight("+5"), ""},
		{"zeros before", consistentHash, weight("005"), ""},
		{"a great weight", consistentHash, weight("99999999999999999999999999"), ""},
		{"empty", consistentHash, weight(""), integer + "<<>>"},
		{"only a sign", consistentHash, weight("+"), integer + `<<"+">>`},
		{"a word", consistentHash, weight("a"), integer + `<<"a">>`},
		{"a fraction", consistentHash, weight("1.5"), integer + `<<"1.5">>`},
		{"an exponent", consistentHash, weight("1e3"), integer + `<<"1e3">>`},
		{"hexadecimal", consistentHash, weight("0x10"), integer + `<<"0x10">>`},
		{"infinite", consistentHash, weight("inf"), integer + `<<"inf">>`},
		{"underscore", consistentHash, weight("1_0"), integer + `<<"1_0">>`},
		{"a blank before", consistentHash, weight(" 5"), integer + `<<" 5">>`},
		{"a blank behind", consistentHash, weight("5 "), integer + `<<"5 ">>`},
		{"zero", consistentHash, weight("0"), greater},
		{"less than nothing", consistentHash, weight("-1"), greater},
		{"no zero is negative", consistentHash, weight("-0"), greater},
		{"any key, at random", plainRandom, weight("x"), ""},
		{"any key, modulo", modulusHash, weight("x"), ""},
		{"local", localRandom, weight(""), ""},
		{"local with a key", localRandom, weight("k"), "Non empty binding 'k' key not permitted"},
		{"local to an exchange", localRandom, Binding{Dest: Dest{1, true}}, "Destination not found"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := refusal(t, CheckBinding(c.kind, nil, c.b)); got != c.want {
				t.Fatalf("got %q, want %q", got, c.want)
			}
			declared := wire.Table{field("x-delayed-type", c.kind)}
			if got := refusal(t, CheckBinding(DelayedMessage, declared, c.b)); got != c.want {
				t.Fatalf("delayed: got %q, want %q", got, c.want)
			}
		})
	}
}
