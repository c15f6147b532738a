package conformance

import (
	"fmt"
	"strings"
)

// methodTable names every method of AMQP 0-9-1 with RabbitMQ's extensions and
// the type of each argument:
//
//	t bit, o octet, w short, l long, q long long, s short string,
//	S long string, F table; a * after the name: content follows
//
// It was written from the published specification, not taken from the broker.
const methodTable = `
10 10 connection.start version-major:o version-minor:o server-properties:F mechanisms:S locales:S
10 11 connection.start-ok client-properties:F mechanism:s response:S locale:s
10 20 connection.secure challenge:S
10 21 connection.secure-ok response:S
10 30 connection.tune channel-max:w frame-max:l heartbeat:w
10 31 connection.tune-ok channel-max:w frame-max:l heartbeat:w
10 40 connection.open virtual-host:s reserved-1:s reserved-2:t
10 41 connection.open-ok reserved-1:s
10 50 connection.close reply-code:w reply-text:s class-id:w method-id:w
10 51 connection.close-ok
10 60 connection.blocked reason:s
10 61 connection.unblocked
10 70 connection.update-secret new-secret:S reason:s
10 71 connection.update-secret-ok
20 10 channel.open reserved-1:s
20 11 channel.open-ok reserved-1:S
20 20 channel.flow active:t
20 21 channel.flow-ok active:t
20 40 channel.close reply-code:w reply-text:s class-id:w method-id:w
20 41 channel.close-ok
30 10 access.request realm:s exclusive:t passive:t active:t write:t read:t
30 11 access.request-ok ticket:w
40 10 exchange.declare reserved-1:w exchange:s type:s passive:t durable:t auto-delete:t internal:t nowait:t arguments:F
40 11 exchange.declare-ok
40 20 exchange.delete reserved-1:w exchange:s if-unused:t nowait:t
40 21 exchange.delete-ok
40 30 exchange.bind reserved-1:w destination:s source:s routing-key:s nowait:t arguments:F
40 31 exchange.bind-ok
40 40 exchange.unbind reserved-1:w destination:s source:s routing-key:s nowait:t arguments:F
40 51 exchange.unbind-ok
50 10 queue.declare reserved-1:w queue:s passive:t durable:t exclusive:t auto-delete:t nowait:t arguments:F
50 11 queue.declare-ok queue:s message-count:l consumer-count:l
50 20 queue.bind reserved-1:w queue:s exchange:s routing-key:s nowait:t arguments:F
50 21 queue.bind-ok
50 30 queue.purge reserved-1:w queue:s nowait:t
50 31 queue.purge-ok message-count:l
50 40 queue.delete reserved-1:w queue:s if-unused:t if-empty:t nowait:t
50 41 queue.delete-ok message-count:l
50 50 queue.unbind reserved-1:w queue:s exchange:s routing-key:s arguments:F
50 51 queue.unbind-ok
60 10 basic.qos prefetch-size:l prefetch-count:w global:t
60 11 basic.qos-ok
60 20 basic.consume reserved-1:w queue:s consumer-tag:s no-local:t no-ack:t exclusive:t nowait:t arguments:F
60 21 basic.consume-ok consumer-tag:s
60 30 basic.cancel consumer-tag:s nowait:t
60 31 basic.cancel-ok consumer-tag:s
60 40 basic.publish* reserved-1:w exchange:s routing-key:s mandatory:t immediate:t
60 50 basic.return* reply-code:w reply-text:s exchange:s routing-key:s
60 60 basic.deliver* consumer-tag:s delivery-tag:q redelivered:t exchange:s routing-key:s
60 70 basic.get reserved-1:w queue:s no-ack:t
60 71 basic.get-ok* delivery-tag:q redelivered:t exchange:s routing-key:s message-count:l
60 72 basic.get-empty reserved-1:s
60 80 basic.ack delivery-tag:q multiple:t
60 90 basic.reject delivery-tag:q requeue:t
60 100 basic.recover-async requeue:t
60 110 basic.recover requeue:t
60 111 basic.recover-ok
60 120 basic.nack delivery-tag:q multiple:t requeue:t
85 10 confirm.select nowait:t
85 11 confirm.select-ok
90 10 tx.select
90 11 tx.select-ok
90 20 tx.commit
90 21 tx.commit-ok
90 30 tx.rollback
90 31 tx.rollback-ok
`

// propertyTable lists the properties of class basic in the order of their flag
// bits, from bit 15 down. T is a 64-bit timestamp.
const propertyTable = `content-type:s content-encoding:s headers:F delivery-mode:o priority:o correlation-id:s
reply-to:s expiration:s message-id:s timestamp:T type:s user-id:s app-id:s cluster-id:s`

type methodID struct{ class, method uint16 }

// argument is one field of a method or one content property.
type argument struct {
	name string
	kind byte
}

func (a argument) reserved() bool { return strings.HasPrefix(a.name, "reserved-") }

type method struct {
	id      methodID
	name    string
	content bool
	args    []argument
}

// codec encodes and decodes methods and content headers by table.
type codec struct {
	byName     map[string]*method
	byID       map[methodID]*method
	properties []argument
}

func newCodec() (*codec, error) {
	c := &codec{byName: map[string]*method{}, byID: map[methodID]*method{}}
	for line := range strings.Lines(strings.TrimSpace(methodTable)) {
		m, err := parseMethod(line)
		if err != nil {
			return nil, fmt.Errorf("method table: %q: %w", line, err)
		}
		c.byName[m.name], c.byID[m.id] = m, m
	}
	var err error
	c.properties, err = parseArguments(strings.Fields(propertyTable))
	return c, err
}

func parseMethod(line string) (*method, error) {
	m := &method{}
	if _, err := fmt.Sscan(line, &m.id.class, &m.id.method, &m.name); err != nil {
		return nil, err
	}
	m.name, m.content = strings.CutSuffix(m.name, "*")
	var err error
	m.args, err = parseArguments(strings.Fields(line)[3:])
	return m, err
}

func parseArguments(fields []string) ([]argument, error) {
	var out []argument
	for _, f := range fields {
		name, kind, ok := strings.Cut(f, ":")
		if !ok || len(kind) != 1 {
			return nil, fmt.Errorf("bad field %q", f)
		}
		out = append(out, argument{name: name, kind: kind[0]})
	}
	return out, nil
}
