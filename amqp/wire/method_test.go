package wire

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"reflect"
	"strings"
	"testing"
)

// everyMethod gives a zero value of each generated method.
func everyMethod() []Method {
	var all []Method
	for class := uint32(0); class <= 90; class += 5 {
		for method := range uint32(128) {
			if m := newMethod(class<<16 | method); m != nil {
				all = append(all, m)
			}
		}
	}
	return all
}

// fill puts random values in all fields of the struct m points to.
func fill(rnd *rand.Rand, m Method) {
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i).Addr().Interface().(type) {
		case *bool:
			*f = rnd.Intn(2) == 1
		case *uint8:
			*f = uint8(rnd.Uint32())
		case *uint16:
			*f = uint16(rnd.Uint32())
		case *uint32:
			*f = rnd.Uint32()
		case *uint64:
			*f = rnd.Uint64()
		case *string:
			*f = strings.Repeat("é", rnd.Intn(128))
		case *Timestamp:
			*f = Timestamp(rnd.Uint64())
		case *Table:
			for range rnd.Intn(4) {
				c := everyType[rnd.Intn(len(everyType))]
				*f = append(*f, Field{c.name, c.value})
			}
		default:
			panic(fmt.Sprintf("a field type that fill does not know: %T", f))
		}
	}
}

// payload is what a method frame carries.
func payload(m Method) []byte {
	class, method := m.ID()
	return m.Append([]byte{byte(class >> 8), byte(class), byte(method >> 8), byte(method)})
}

func TestEveryMethodRoundTrips(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	for _, m := range everyMethod() {
		t.Run(m.Name(), func(t *testing.T) {
			for range 50 {
				fill(rnd, m)
				got, err := ParseMethod(payload(m))
				if err != nil || !reflect.DeepEqual(got, m) {
					t.Fatalf("sent %+v\ngot %+v, error %v", m, got, err)
				}
			}
		})
	}
}

// Each prefix of each method is 501 naming the method, and so is an octet too
// many: nothing is read beyond the payload.
func TestEveryMethodChecksItsLength(t *testing.T) {
	rnd := rand.New(rand.NewSource(2))
	for _, m := range everyMethod() {
		t.Run(m.Name(), func(t *testing.T) {
			fill(rnd, m)
			whole := payload(m)
			for n := 4; n < len(whole); n++ {
				checkMethodError(t, m, whole[:n:n])
			}
			checkMethodError(t, m, append(whole, 0))
		})
	}
}

func checkMethodError(t *testing.T, m Method, payload []byte) {
	t.Helper()
	_, err := ParseMethod(payload)
	var named *MethodError
	var reply *Error
	if !errors.As(err, &named) || !errors.As(err, &reply) || reply.Code != FrameError {
		t.Fatalf("%q: error %v, want 501", payload, err)
	}
	if class, method := m.ID(); named.Class != class || named.Method != method {
		t.Errorf("error names %d,%d, want %s", named.Class, named.Method, m.Name())
	}
}

func TestMethodTable(t *testing.T) {
	names := map[string]bool{}
	content := map[string]bool{"basic.publish": true, "basic.return": true, "basic.deliver": true, "basic.get-ok": true}
	for _, m := range everyMethod() {
		if names[m.Name()] {
			t.Errorf("%s is there twice", m.Name())
		}
		names[m.Name()] = true
		if m.HasContent() != content[m.Name()] {
			t.Errorf("%s has content: %t", m.Name(), m.HasContent())
		}
	}
	for _, name := range []string{"connection.update-secret", "connection.update-secret-ok", "connection.blocked", "connection.unblocked",
		"basic.nack", "exchange.bind", "exchange.unbind-ok", "confirm.select", "tx.rollback-ok", "access.request", "access.request-ok"} {
		if !names[name] {
			t.Errorf("%s is missing", name)
		}
	}
	if len(names) < 66 {
		t.Errorf("only %d methods", len(names))
	}
}

// The octets of some methods, so that a generator which reads and writes the
// same mistake is found out.
func TestMethodOctets(t *testing.T) {
	for _, c := range []struct {
		m       Method
		payload string
	}{
		{&QueueDeclare{Queue: "q", Durable: true, AutoDelete: true, Arguments: Table{{"k", true}}},
			"\x00\x32\x00\x0a\x00\x00\x01q\x0a\x00\x00\x00\x04\x01kt\x01"},
		{&QueueDeclare{Passive: true, Exclusive: true, NoWait: true}, "\x00\x32\x00\x0a\x00\x00\x00\x15\x00\x00\x00\x00"},
		{&ExchangeDeclare{Exchange: "x", Type: "topic", Internal: true}, "\x00\x28\x00\x0a\x00\x00\x01x\x05topic\x08\x00\x00\x00\x00"},
		{&ExchangeUnbindOk{}, "\x00\x28\x00\x33"},
		{&ConnectionTune{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 60}, "\x00\x0a\x00\x1e\x07\xff\x00\x02\x00\x00\x00\x3c"},
		{&ConnectionOpen{VirtualHost: "/"}, "\x00\x0a\x00\x28\x01/\x00\x00"},
		{&ConnectionClose{ReplyCode: 320, ReplyText: "t", ClassID: 1, MethodID: 2}, "\x00\x0a\x00\x32\x01\x40\x01t\x00\x01\x00\x02"},
		{&ConnectionUpdateSecret{NewSecret: "s", Reason: "r"}, "\x00\x0a\x00\x46\x00\x00\x00\x01s\x01r"},
		{&ChannelOpenOk{}, "\x00\x14\x00\x0b\x00\x00\x00\x00"},
		{&BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true, NoWait: true}, "\x00\x3c\x00\x14\x00\x00\x01q\x01c\x0a\x00\x00\x00\x00"},
		{&BasicNack{DeliveryTag: 1, Multiple: true, Requeue: true}, "\x00\x3c\x00\x78\x00\x00\x00\x00\x00\x00\x00\x01\x03"},
		{&BasicGetEmpty{}, "\x00\x3c\x00\x48\x00"},
		{&ConfirmSelect{Nowait: true}, "\x00\x55\x00\x0a\x01"},
		{&AccessRequest{Realm: "/data", Active: true, Read: true}, "\x00\x1e\x00\x0a\x05/data\x14"},
		{&AccessRequestOk{Ticket: 1}, "\x00\x1e\x00\x0b\x00\x01"},
	} {
		if got := payload(c.m); string(got) != c.payload {
			t.Errorf("%s encoded %q, want %q", c.m.Name(), got, c.payload)
		}
		if got, err := ParseMethod([]byte(c.payload)); err != nil || !reflect.DeepEqual(got, c.m) {
			t.Errorf("%s decoded %+v, error %v", c.m.Name(), got, err)
		}
	}
}

// Old clients put things in reserved fields and unused bits; RabbitMQ does not
// look.
func TestMethodIgnoresReserved(t *testing.T) {
	m, err := ParseMethod([]byte("\x00\x32\x00\x0a\x07\x07\x00\xe2\x00\x00\x00\x00"))
	if err != nil || !reflect.DeepEqual(m, &QueueDeclare{Durable: true}) {
		t.Errorf("decoded %+v, error %v", m, err)
	}
}

func TestAppendMethodFrame(t *testing.T) {
	got := AppendMethod([]byte("x"), 0x0102, &BasicQos{PrefetchCount: 3, Global: true})
	if string(got) != "x\x01\x01\x02\x00\x00\x00\x0b\x00\x3c\x00\x0a\x00\x00\x00\x00\x00\x03\x01\xce" {
		t.Errorf("frame %q", got)
	}
}

func TestLongShortStringIsCut(t *testing.T) {
	m, err := ParseMethod(payload(&BasicCancel{ConsumerTag: strings.Repeat("c", 300)}))
	if err != nil || len(m.(*BasicCancel).ConsumerTag) != 255 {
		t.Errorf("decoded %+v, error %v", m, err)
	}
}

// The hand-written codecs have to agree with the generated ones.
func TestHotMethodsAgree(t *testing.T) {
	rnd := rand.New(rand.NewSource(3))
	for range 200 {
		var pub BasicPublish
		var ack BasicAck
		var nack BasicNack
		var deliver BasicDeliver
		for _, m := range []Method{&pub, &ack, &nack, &deliver} {
			fill(rnd, m)
		}
		nack.Requeue = false
		checkPublish(t, &pub)
		if tag, multiple, err := ParseAck(payload(&ack)); err != nil || tag != ack.DeliveryTag || multiple != ack.Multiple || !IsAck(payload(&ack)) {
			t.Errorf("ack %+v read as %d, %t, error %v", ack, tag, multiple, err)
		}
		route := AppendRoute(nil, deliver.Exchange, deliver.RoutingKey)
		for _, frame := range []struct {
			hot []byte
			m   Method
		}{
			{AppendAck(nil, 7, ack.DeliveryTag, ack.Multiple), &ack},
			{AppendNack(nil, 7, nack.DeliveryTag, nack.Multiple), &nack},
			{AppendDeliver(nil, 7, deliver.ConsumerTag, deliver.DeliveryTag, deliver.Redelivered, route), &deliver},
		} {
			if want := AppendMethod(nil, 7, frame.m); !bytes.Equal(frame.hot, want) {
				t.Errorf("%s encoded %q, want %q", frame.m.Name(), frame.hot, want)
			}
		}
	}
}

func checkPublish(t *testing.T, m *BasicPublish) {
	t.Helper()
	b := payload(m)
	p, err := ParsePublish(b)
	if err != nil || !IsPublish(b) {
		t.Fatalf("publish %+v: error %v", m, err)
	}
	if string(p.Exchange) != m.Exchange || string(p.RoutingKey) != m.RoutingKey || p.Mandatory != m.Mandatory || p.Immediate != m.Immediate {
		t.Errorf("publish %+v read as %+v", m, p)
	}
	if !bytes.Equal(p.Route, AppendRoute(nil, m.Exchange, m.RoutingKey)) {
		t.Errorf("route %q", p.Route)
	}
	if exchange, key := SplitRoute(p.Route); !bytes.Equal(exchange, p.Exchange) || !bytes.Equal(key, p.RoutingKey) {
		t.Errorf("route splits in %q and %q", exchange, key)
	}
}

func TestHotMethodsCheckTheirLength(t *testing.T) {
	pub, ack := payload(&BasicPublish{Exchange: "exchange", RoutingKey: "key"}), payload(&BasicAck{})
	for n := range pub {
		if p, err := ParsePublish(pub[:n:n]); err == nil {
			t.Errorf("publish of %d octets read as %+v", n, p)
		}
	}
	for n := range ack {
		if tag, _, err := ParseAck(ack[:n:n]); err == nil {
			t.Errorf("ack of %d octets read as %d", n, tag)
		}
	}
	_, pubErr := ParsePublish(append(pub, 0))
	_, _, ackErr := ParseAck(append(ack, 0))
	if pubErr == nil || ackErr == nil {
		t.Error("an octet too many was taken")
	}
	if IsPublish(ack) || IsAck(pub) || IsPublish(nil) || IsAck(pub[:3]) {
		t.Error("methods are taken for another")
	}
}

func TestSplitRouteMalformed(t *testing.T) {
	for _, route := range []string{"", "\x01", "\x01a", "\x01a\x02b", "\xff"} {
		if exchange, key := SplitRoute([]byte(route)); exchange != nil || key != nil {
			t.Errorf("%q split in %q and %q", route, exchange, key)
		}
	}
}
