package queue

import (
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

func table(kv ...any) (t wire.Table) {
	for i := 0; i < len(kv); i += 2 {
		t = append(t, wire.Field{Name: kv[i].(string), Value: kv[i+1]})
	}
	return t
}

// TestArgumentErrors holds the texts that RabbitMQ 3.10.8 sends.
func TestArgumentErrors(t *testing.T) {
	const at = " for queue 'n' in vhost 'v'"
	for _, c := range []struct {
		name string
		args wire.Table
		want string // after "PRECONDITION_FAILED - "
	}{
		{"ttl negative", table("x-message-ttl", int32(-1)), "invalid arg 'x-message-ttl'" + at + ": {value_negative,-1}"},
		{"ttl string", table("x-message-ttl", "1000"), "invalid arg 'x-message-ttl'" + at + `: "expected integer, got longstr"`},
		{"ttl bool", table("x-message-ttl", true), "invalid arg 'x-message-ttl'" + at + `: "expected integer, got bool"`},
		{"ttl float", table("x-message-ttl", 1.5), "invalid arg 'x-message-ttl'" + at + `: "expected integer, got double"`},
		{"ttl too large", table("x-message-ttl", int64(315360000001)), "invalid arg 'x-message-ttl'" + at + ": {value_too_large,315360000001}"},
		{"expires zero", table("x-expires", int32(0)), "invalid arg 'x-expires'" + at + ": {value_zero,0}"},
		{"expires negative", table("x-expires", int32(-5)), "invalid arg 'x-expires'" + at + ": {value_negative,-5}"},
		{"expires string", table("x-expires", "5000"), "invalid arg 'x-expires'" + at + `: "expected integer, got longstr"`},
		{"length negative", table("x-max-length", int32(-1)), "invalid arg 'x-max-length'" + at + ": {value_negative,-1}"},
		{"length string", table("x-max-length", "5"), "invalid arg 'x-max-length'" + at + `: "expected integer, got longstr"`},
		{"bytes negative", table("x-max-length-bytes", int32(-1)), "invalid arg 'x-max-length-bytes'" + at + ": {value_negative,-1}"},
		{"priority negative", table("x-max-priority", int32(-1)), "invalid arg 'x-max-priority'" + at + ": {value_negative,-1}"},
		{"priority 256", table("x-max-priority", int32(256)), "invalid arg 'x-max-priority'" + at + ": {max_value_exceeded,256}"},
		{"overflow unknown", table("x-overflow", "drop-tail"), "invalid arg 'x-overflow'" + at + ": invalid_overflow"},
		{"overflow int", table("x-overflow", int32(1)), "invalid arg 'x-overflow'" + at + ": {unacceptable_type,signedint}"},
		{"dlx int", table("x-dead-letter-exchange", int32(1)), "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'n' in vhost 'v'"},
		{"dlx key alone", table("x-dead-letter-routing-key", "k"), "invalid arg 'x-dead-letter-routing-key'" + at + ": routing_key_but_no_dlx_defined"},
		{"dlx key int", table("x-dead-letter-exchange", "", "x-dead-letter-routing-key", int32(1)), "invalid arg 'x-dead-letter-routing-key'" + at + ": {unacceptable_type,signedint}"},
		{"dlx strategy on classic", table("x-dead-letter-strategy", "at-least-once"), "invalid arg 'x-dead-letter-strategy'" + at + " of queue type rabbit_classic_queue"},
		{"at least once", table("x-queue-type", "quorum", "x-dead-letter-exchange", "", "x-overflow", "reject-publish", "x-dead-letter-strategy", "at-least-once"),
			"invalid arg 'x-dead-letter-strategy'" + at + ": the value 'at-least-once' is not supported by this version"},
		{"timeout action", table("x-consumer-timeout-action", "return"),
			"invalid arg 'x-consumer-timeout-action'" + at + ": the value 'return' is not supported by this version"},
		{"type unknown", table("x-queue-type", "fast"), "invalid arg 'x-queue-type'" + at + `: "unsupported queue type 'fast'"`},
		{"type int", table("x-queue-type", int32(1)), "invalid arg 'x-queue-type'" + at + ": {unacceptable_type,signedint}"},
		{"single active string", table("x-single-active-consumer", "true"), "invalid arg 'x-single-active-consumer'" + at + ": {unacceptable_type,longstr}"},
		{"mode unknown", table("x-queue-mode", "eager"), "invalid arg 'x-queue-mode'" + at + `: "unsupported queue mode 'eager'"`},
		{"mode int", table("x-queue-mode", int32(1)), "invalid arg 'x-queue-mode'" + at + ": {unacceptable_type,signedint}"},
		{"version 0", table("x-queue-version", int32(0)), "invalid arg 'x-queue-version'" + at + `: "unsupported queue version '0'"`},
		{"version string", table("x-queue-version", "2"), "invalid arg 'x-queue-version'" + at + `: "expected integer, got longstr"`},
		{"delivery limit on classic", table("x-delivery-limit", int32(5)), "invalid arg 'x-delivery-limit'" + at + " of queue type rabbit_classic_queue"},
		{"max age on classic", table("x-max-age", "1h"), "invalid arg 'x-max-age'" + at + " of queue type rabbit_classic_queue"},
		{"max age bad", table("x-max-age", "soon"), "invalid arg 'x-max-age'" + at + ": invalid_max_age"},
		{"group size zero", table("x-quorum-initial-group-size", int32(0)), "invalid arg 'x-quorum-initial-group-size'" + at + ": {value_zero,0}"},
		{"in memory on classic", table("x-max-in-memory-length", int32(5)), "invalid arg 'x-max-in-memory-length'" + at + " of queue type rabbit_classic_queue"},
		{"leader locator on classic", table("x-queue-leader-locator", "client-local"), "invalid arg 'x-queue-leader-locator'" + at + " of queue type rabbit_classic_queue"},
		{"priority on quorum", table("x-queue-type", "quorum", "x-max-priority", int32(5)), "invalid arg 'x-max-priority'" + at + " of queue type rabbit_quorum_queue"},
		{"ttl on stream", table("x-queue-type", "stream", "x-message-ttl", int32(5)), "invalid arg 'x-message-ttl'" + at + " of queue type rabbit_stream_queue"},
		{"expire anywhere int", table("x-expire-anywhere", int32(1)), "invalid arg 'x-expire-anywhere'" + at + ": {unacceptable_type,signedint}"},
		{"expire anywhere on stream", table("x-queue-type", "stream", "x-expire-anywhere", true), "invalid arg 'x-expire-anywhere'" + at + " of queue type rabbit_stream_queue"},
		// Words of our own, after RabbitMQ's checks.
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseArguments("v", "n", c.args)
			if err == nil {
				t.Fatal("accepted")
			}
			equal(t, err.Error(), "PRECONDITION_FAILED - "+c.want)
		})
	}
}

func TestArgumentsAccepted(t *testing.T) {
	for name, args := range map[string]wire.Table{
		"none":                nil,
		"ttl zero":            table("x-message-ttl", int32(0)),
		"ttl ten years":       table("x-message-ttl", int64(315360000000)),
		"ttl byte":            table("x-message-ttl", int8(5)),
		"ttl u32":             table("x-message-ttl", uint32(4000000000)),
		"dlx default":         table("x-dead-letter-exchange", ""),
		"dlx and key":         table("x-dead-letter-exchange", "d", "x-dead-letter-routing-key", "k"),
		"classic":             table("x-queue-type", "classic"),
		"lazy":                table("x-queue-mode", "lazy"),
		"version 2":           table("x-queue-version", int32(2)),
		"single active false": table("x-single-active-consumer", false),
		"locator":             table("x-queue-master-locator", "client-local"),
		"unknown":             table("x-consumer-timeout", int32(1000)),
		"retry disabled":      table("x-delayed-retry-type", "disabled"),
	} {
		if _, err := ParseArguments("v", "n", args); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLocatorIsAnInternalError(t *testing.T) {
	for _, v := range []any{"nearest", int32(4)} {
		_, err := ParseArguments("v", "n", table("x-queue-master-locator", v))
		e, ok := err.(*wire.Error)
		if !ok || e.Code != wire.InternalError {
			t.Errorf("%v: %v", v, err)
		}
	}
}

func TestArgumentValues(t *testing.T) {
	a, err := ParseArguments("v", "n", table("x-message-ttl", int32(1500), "x-expires", int32(9), "x-dead-letter-exchange", "d"))
	if err != nil || !a.HasTTL || a.TTL != 1500*time.Millisecond || a.Expires != 9*time.Millisecond {
		t.Fatalf("%+v %v", a, err)
	}
	equal(t, *a.DeadLetterExchange, "d")
	if a.DeadLetterRoutingKey != nil || a.Type != "classic" {
		t.Fatalf("%+v", a)
	}
}

func TestInequivalence(t *testing.T) {
	const at = " for queue 'q' in vhost '/': "
	for _, c := range []struct {
		name              string
		current, received wire.Table
		durable, autoDel  bool
		want              string
	}{
		{"durable", nil, nil, true, false, "inequivalent arg 'durable'" + at + "received 'true' but current is 'false'"},
		{"auto-delete", nil, nil, false, true, "inequivalent arg 'auto_delete'" + at + "received 'true' but current is 'false'"},
		{"ttl added", nil, table("x-message-ttl", int32(1000)), false, false, "inequivalent arg 'x-message-ttl'" + at + "received the value '1000' of type 'signedint' but current is none"},
		{"ttl changed", table("x-message-ttl", int32(1000)), table("x-message-ttl", int32(2000)), false, false, "inequivalent arg 'x-message-ttl'" + at + "received '2000' but current is '1000'"},
		{"ttl removed", table("x-message-ttl", int32(1000)), nil, false, false, "inequivalent arg 'x-message-ttl'" + at + "received none but current is the value '1000' of type 'signedint'"},
		{"dlx", table("x-dead-letter-exchange", "a"), table("x-dead-letter-exchange", "b"), false, false, "inequivalent arg 'x-dead-letter-exchange'" + at + "received 'b' but current is 'a'"},
		{"mode", table("x-queue-mode", "lazy"), nil, false, false, "inequivalent arg 'x-queue-mode'" + at + "received none but current is the value 'lazy' of type 'longstr'"},
		{"type", nil, table("x-queue-type", "quorum"), false, false, "inequivalent arg 'x-queue-type'" + at + "received the value 'quorum' of type 'longstr' but current is none"},
		{"length later", nil, table("x-max-length", int32(3)), false, false, "inequivalent arg 'x-max-length'" + at + "received the value '3' of type 'signedint' but current is none"},
		{"other type of value", table("x-message-ttl", int32(5)), table("x-message-ttl", "5"), false, false, "inequivalent arg 'x-message-ttl'" + at + "received '5' but current is '5'"},
		{"integer width", table("x-message-ttl", int32(5)), table("x-message-ttl", int64(5)), false, false, ""},
		{"unknown", nil, table("x-unknown-thing", int32(1)), false, false, ""},
		{"unknown changed", table("x-unknown-thing", int32(2)), table("x-unknown-thing", int32(1)), false, false, ""},
		{"classic against none", nil, table("x-queue-type", "classic"), false, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, false, c.current)
			err := f.q.Inequivalent(c.durable, c.autoDel, c.received)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("equivalent")
			}
			equal(t, err.Error(), "PRECONDITION_FAILED - "+c.want)
		})
	}
}

func TestTypeNames(t *testing.T) {
	var got []string
	for _, v := range []any{true, int8(0), uint8(0), int16(0), uint16(0), int32(0), uint32(0), int64(0), "", float32(0), 0.0,
		wire.Decimal{}, []byte{}, wire.Timestamp(0), wire.Table{}, wire.Array{}, nil} {
		got = append(got, wire.TypeName(v))
	}
	equal(t, got, "[bool byte unsignedbyte short unsignedshort signedint unsignedint long longstr float double decimal binary timestamp table array void]")
}

func TestConsumerArguments(t *testing.T) {
	f := newFixture(t, false, nil)
	for _, c := range []struct {
		args wire.Table
		want string
	}{
		{table("x-priority", "high"), "PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': \"expected integer, got longstr\""},
		{table("x-cancel-on-ha-failover", "yes"), "PRECONDITION_FAILED - invalid arg 'x-cancel-on-ha-failover' for queue 'q' in vhost '/': {unacceptable_type,longstr}"},
	} {
		_, err := f.q.Attach(ConsumerOptions{Arguments: c.args, Sink: newSink()})
		equal(t, err, c.want)
	}
	c, err := f.q.Attach(ConsumerOptions{Arguments: table("x-priority", int64(1)<<40, "x-whatever", true), Sink: newSink()})
	if err != nil || c.Options().Priority != maxPriority || c.Queue() != f.q {
		t.Fatal(err, c)
	}
}
