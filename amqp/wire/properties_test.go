package wire

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

// full has every property set.
func full() Properties {
	return Properties{
		Flags: 0xfffc, ContentType: "text/plain", ContentEncoding: "gzip", Headers: Table{{"k", int32(1)}, {"t", Table{{"n", nil}}}},
		DeliveryMode: 2, Priority: 9, CorrelationID: "corr", ReplyTo: "reply", Expiration: "60000", MessageID: "id",
		Timestamp: 1700000000, Type: "type", UserID: "guest", AppID: "app", ClusterID: "cluster",
	}
}

// single gives the case of one property alone and the octets of its value.
var single = []struct {
	name  string
	props Properties
	value string
}{
	{"content-type", Properties{Flags: FlagContentType, ContentType: "a"}, "\x01a"},
	{"content-encoding", Properties{Flags: FlagContentEncoding, ContentEncoding: "a"}, "\x01a"},
	{"headers", Properties{Flags: FlagHeaders, Headers: Table{{"k", true}}}, "\x00\x00\x00\x04\x01kt\x01"},
	{"empty headers", Properties{Flags: FlagHeaders}, "\x00\x00\x00\x00"},
	{"delivery-mode", Properties{Flags: FlagDeliveryMode, DeliveryMode: 2}, "\x02"},
	{"priority", Properties{Flags: FlagPriority, Priority: 255}, "\xff"},
	{"correlation-id", Properties{Flags: FlagCorrelationID, CorrelationID: "a"}, "\x01a"},
	{"reply-to", Properties{Flags: FlagReplyTo, ReplyTo: "a"}, "\x01a"},
	{"expiration", Properties{Flags: FlagExpiration, Expiration: ""}, "\x00"},
	{"message-id", Properties{Flags: FlagMessageID, MessageID: "a"}, "\x01a"},
	{"timestamp", Properties{Flags: FlagTimestamp, Timestamp: 1}, "\x00\x00\x00\x00\x00\x00\x00\x01"},
	{"type", Properties{Flags: FlagType, Type: "a"}, "\x01a"},
	{"user-id", Properties{Flags: FlagUserID, UserID: "a"}, "\x01a"},
	{"app-id", Properties{Flags: FlagAppID, AppID: "a"}, "\x01a"},
	{"cluster-id", Properties{Flags: FlagClusterID, ClusterID: "a"}, "\x01a"},
	{"none", Properties{}, ""},
}

func TestPropertiesSingle(t *testing.T) {
	for _, c := range single {
		t.Run(c.name, func(t *testing.T) {
			want := append([]byte{byte(c.props.Flags >> 8), byte(c.props.Flags)}, c.value...)
			if got := c.props.Append(nil); !bytes.Equal(got, want) {
				t.Fatalf("encoded %q, want %q", got, want)
			}
			got, err := ParseProperties(want)
			if err != nil || !reflect.DeepEqual(got, c.props) {
				t.Errorf("decoded %+v, error %v", got, err)
			}
			v, err := ScanProperties(want)
			if err != nil || v.Flags != c.props.Flags {
				t.Errorf("scanned %+v, error %v", v, err)
			}
		})
	}
}

func TestPropertiesFull(t *testing.T) {
	p := full()
	b := p.Append(nil)
	got, err := ParseProperties(b)
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Fatalf("decoded %+v, error %v", got, err)
	}
	v, err := ScanProperties(b)
	if err != nil {
		t.Fatal(err)
	}
	checkView(t, v, p)
}

// checkView compares a view with the decoded properties of the same octets.
func checkView(t *testing.T, v PropertyView, p Properties) {
	t.Helper()
	if v.Flags != p.Flags || v.DeliveryMode != p.DeliveryMode || v.Priority != p.Priority {
		t.Errorf("flags, mode or priority differ: %+v, %+v", v, p)
	}
	for _, s := range []struct {
		name string
		view []byte
		want string
		flag uint16
	}{
		{"correlation-id", v.CorrelationID, p.CorrelationID, FlagCorrelationID},
		{"reply-to", v.ReplyTo, p.ReplyTo, FlagReplyTo},
		{"expiration", v.Expiration, p.Expiration, FlagExpiration},
		{"message-id", v.MessageID, p.MessageID, FlagMessageID},
		{"user-id", v.UserID, p.UserID, FlagUserID},
	} {
		if string(s.view) != s.want || !p.Has(s.flag) && s.view != nil {
			t.Errorf("%s is %q, want %q", s.name, s.view, s.want)
		}
	}
	if p.Has(FlagHeaders) != (v.Headers != nil) {
		t.Errorf("headers %q, present: %t", v.Headers, p.Has(FlagHeaders))
	}
	headers, err := ParseFields(v.Headers)
	if err != nil || !bytes.Equal(AppendTable(nil, headers), AppendTable(nil, p.Headers)) {
		t.Errorf("headers %v, error %v, want %v", headers, err, p.Headers)
	}
}

// A consumer has to be able to tell no headers from an empty table of them.
func TestPropertyViewHeadersPresence(t *testing.T) {
	v, err := ScanProperties([]byte("\x20\x00\x00\x00\x00\x00"))
	if err != nil || v.Headers == nil || len(v.Headers) != 0 {
		t.Errorf("empty table: %q, error %v", v.Headers, err)
	}
	if v, _ := ScanProperties([]byte("\x10\x00\x01")); v.Headers != nil {
		t.Errorf("no table: %q", v.Headers)
	}
}

// RabbitMQ answers broken properties with 541 and the bare code name, on the
// connection.
func TestPropertiesTruncatedEverywhere(t *testing.T) {
	p := full()
	b := p.Append(nil)
	for n := range b {
		_, scanned := ScanProperties(b[:n])
		_, parsed := ParseProperties(b[:n])
		for _, err := range []error{scanned, parsed} {
			checkProperties541(t, err)
		}
	}
}

func checkProperties541(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != InternalError || e.Error() != "INTERNAL_ERROR" || !e.Code.Hard() {
		t.Errorf("error %v, want the 541 of the recorded scenario frame-property-truncated", err)
	}
}

func TestPropertiesTrailing(t *testing.T) {
	for _, c := range []struct{ name, props string }{
		{"after nothing", "\x00\x00x"},
		{"after delivery-mode", "\x10\x00\x02x"},
		{"after cluster-id", "\x00\x04\x01ax"},
		{"after headers", "\x20\x00\x00\x00\x00\x00x"},
		{"more flags announced and sent", "\x00\x01\x00\x00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ScanProperties([]byte(c.props))
			checkProperties541(t, err)
			_, err = ParseProperties([]byte(c.props))
			checkProperties541(t, err)
		})
	}
}

func TestPropertiesBrokenHeaders(t *testing.T) {
	for _, fields := range []string{"\x01k?\x00", "\x01kS\x00\x00\x00\x09a", "\x01kF\x00\x00\x00\x03\x01k?", "\x05k"} {
		_, err := ParseProperties(append([]byte{0x20, 0}, withLength(fields)...))
		checkProperties541(t, err)
	}
}

// The low flags would announce more flags, which no property has: they are
// never sent.
func TestPropertiesAppendMasksFlags(t *testing.T) {
	p := Properties{Flags: FlagPriority | 3, Priority: 1}
	if got := p.Append(nil); string(got) != "\x08\x00\x01" {
		t.Errorf("encoded %q", got)
	}
}
