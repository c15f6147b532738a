package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"reflect"
	"testing"
	"testing/iotest"
)

// FuzzParseMethod: nothing panics, what decodes encodes to something that
// decodes to the same, and errors are of the kinds that amqp knows.
func FuzzParseMethod(f *testing.F) {
	rnd := rand.New(rand.NewSource(4))
	for _, m := range everyMethod() {
		f.Add(payload(m))
		fill(rnd, m)
		f.Add(payload(m))
	}
	f.Add([]byte("\x00\x32\x00\x0a\x00\x00\x05aa"))
	f.Add([]byte("\x00\x63\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseMethod(b)
		if err != nil {
			var reply *Error
			if !errors.Is(err, ErrUnknownMethod) && !errors.Is(err, ErrBadTable) && !errors.As(err, &reply) {
				t.Fatalf("error %v", err)
			}
			return
		}
		class, method := m.ID()
		if c, n, ok := MethodID(b); !ok || c != class || n != method {
			t.Fatalf("%d,%d decoded as %s", c, n, m.Name())
		}
		encoded := payload(m)
		again, err := ParseMethod(encoded)
		if err != nil || reflect.TypeOf(again) != reflect.TypeOf(m) || !bytes.Equal(payload(again), encoded) {
			t.Fatalf("%+v\nbecame %+v, error %v", m, again, err)
		}
	})
}

// FuzzHotMethods: the hand-written readers take exactly what the generated
// ones take, but for UTF-8, and read the same.
func FuzzHotMethods(f *testing.F) {
	f.Add(payload(&BasicPublish{Exchange: "x", RoutingKey: "k", Mandatory: true}))
	f.Add(payload(&BasicAck{DeliveryTag: 1, Multiple: true}))
	f.Add([]byte("\x00\x3c\x00\x28\x00\x00\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, pubErr := ParsePublish(b)
		tag, multiple, ackErr := ParseAck(b)
		var d decoder
		if len(b) >= 4 {
			d.b = b[4:]
		}
		switch {
		case IsPublish(b):
			var m BasicPublish
			m.decode(&d)
			if ok := d.err == nil && len(d.b) == 0; ok != (pubErr == nil) {
				t.Fatalf("publish: error %v, generated %v", pubErr, d.err)
			}
			if pubErr == nil && (string(p.Exchange) != m.Exchange || string(p.RoutingKey) != m.RoutingKey ||
				p.Mandatory != m.Mandatory || p.Immediate != m.Immediate) {
				t.Fatalf("%+v read as %+v", m, p)
			}
		case IsAck(b):
			var m BasicAck
			m.decode(&d)
			if ok := d.err == nil && len(d.b) == 0; ok != (ackErr == nil) || ok && m != (BasicAck{tag, multiple}) {
				t.Fatalf("ack: %d %t %v, generated %+v %v", tag, multiple, ackErr, m, d.err)
			}
		}
	})
}

// FuzzTable: ParseFields, ScanTable and the check of properties agree on what
// a table is, and what is decoded is encoded again.
func FuzzTable(f *testing.F) {
	for _, c := range everyType {
		f.Add([]byte("\x01a" + c.encoded))
	}
	f.Add([]byte("\x01k?\x00"))
	f.Add([]byte("\x01kL\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte(nest(maxNesting, false)))
	f.Add([]byte(nest(maxNesting+2, true)))
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := ParseFields(b)
		if valid := validFields(b, 0); valid != (err == nil) {
			t.Fatalf("valid: %t, but ParseFields says %v", valid, err)
		}
		i := 0
		scanned := ScanTable(b, func(name []byte, _ byte, _ []byte) bool {
			if err == nil && table[i].Name != string(name) {
				t.Fatalf("field %d is %q or %q", i, name, table[i].Name)
			}
			i++
			return true
		})
		if err != nil {
			return
		}
		if scanned != nil || i != len(table) {
			t.Fatalf("scanned %d of %d, error %v", i, len(table), scanned)
		}
		encoded := AppendTable(nil, table)
		again, rest, err := ParseTable(encoded)
		if err != nil || len(rest) != 0 || !bytes.Equal(AppendTable(nil, again), encoded) {
			t.Fatalf("%v\nbecame %v, error %v", table, again, err)
		}
	})
}

// FuzzProperties: the view and the decoded properties agree, on errors too.
func FuzzProperties(f *testing.F) {
	all := full()
	f.Add(all.Append(nil))
	for _, c := range single {
		f.Add(c.props.Append(nil))
	}
	f.Add([]byte("\x80\x00\x05a"))
	f.Add([]byte("\x00\x03"))
	f.Add([]byte("\x20\x00\x00\x00\x00\x04\x01k?\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, scanned := ScanProperties(b)
		p, parsed := ParseProperties(b)
		if (scanned == nil) != (parsed == nil) {
			t.Fatalf("scanned: %v, parsed: %v", scanned, parsed)
		}
		if parsed != nil {
			checkProperties541(t, scanned)
			checkProperties541(t, parsed)
			return
		}
		checkView(t, v, p)
		encoded := p.Append(nil)
		again, err := ParseProperties(encoded)
		if err != nil || !bytes.Equal(again.Append(nil), encoded) {
			t.Fatalf("%+v\nbecame %+v, error %v", p, again, err)
		}
	})
}

// FuzzReader: whichever way the stream arrives and is taken, the frames are
// those that a look at the whole of it gives.
func FuzzReader(f *testing.F) {
	f.Add(frame(FrameMethod, 1, payload(&BasicPublish{})), uint8(0))
	f.Add(append(AppendHeartbeat(nil), AppendBody(nil, 1, pattern(100), 0)...), uint8(1))
	f.Add(frame(FrameHeader, 1, pattern(FrameMinSize)), uint8(2))
	f.Add([]byte("\x03\x00\x01\xff\xff\xff\xff"), uint8(3))
	f.Add([]byte("\x01\x00\x01\x00\x00\x00\x01a\x00"), uint8(1))
	f.Add(frame(FrameMethod, 0, nil)[:7], uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, way uint8) {
		var src io.Reader = bytes.NewReader(stream)
		switch way & 3 {
		case 1:
			src = iotest.OneByteReader(src)
		case 2:
			src = &waiting{Reader: iotest.HalfReader(src)}
		case 3:
			src = iotest.DataErrReader(src)
		}
		r := NewReader(src)
		for rest := stream; ; {
			want, after, wantErr := oracle(rest)
			got, err := take(r, way&4 != 0)
			if err == nil != (wantErr == nil) || !bytes.Equal(got, want) {
				t.Fatalf("at %d: %q, error %v\nwant %q, error %v", len(stream)-len(rest), got, err, want, wantErr)
			}
			var a, b *Error
			if errors.As(err, &a) != errors.As(wantErr, &b) || a == nil && err != wantErr {
				t.Fatalf("at %d: error %v, want %v", len(stream)-len(rest), err, wantErr)
			}
			if err != nil {
				return
			}
			rest = after
		}
	})
}

func take(r *Reader, into bool) ([]byte, error) {
	h, err := r.Head()
	if err != nil {
		return nil, err
	}
	var payload []byte
	if into {
		payload = make([]byte, h.Size)
		err = r.ReadInto(payload)
	} else {
		payload, err = r.Payload()
	}
	if err != nil {
		return nil, err
	}
	return payload, nil
}

// oracle takes a frame off a stream that is all there.
func oracle(b []byte) (payload, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, io.EOF
	}
	if len(b) < 7 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	d := decoder{b: b[3:]}
	size := d.long()
	if size > FrameMinSize {
		return nil, nil, Errorf(FrameError, "too large")
	}
	if len(d.b) < int(size)+1 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	if d.b[size] != FrameEnd {
		return nil, nil, Errorf(FrameError, "end")
	}
	return d.b[:size], d.b[size+1:], nil
}
