package wire

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// What RabbitMQ 3.10.8 answered to these octets: the texts are those of the
// recorded scenarios named, the others were seen on the same broker.
func TestMethodErrorsAsRecorded(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		named         bool // the close names class and method
		text          string
	}{
		{"frame-empty-method", "", false, "FRAME_ERROR - type 1, all octets = <<>>: unknown_frame"},
		{"three octets", "\x00\x0a\x00", false, "FRAME_ERROR - type 1, all octets = <<0,10,0>>: unknown_frame"},
		{"frame-method-truncated-args", "\x00\x32\x00\x0a\x00\x00\x05aa", true, "FRAME_ERROR - cannot decode <<0,0,5,97,97>>"},
		{"frame-method-trailing-bytes", "\x00\x3c\x00\x0a\x00\x00\x00\x00\x00\x01\x00\x00\x00", true,
			"FRAME_ERROR - cannot decode <<0,0,0,0,0,1,0,0,0>>"},
		{"no arguments", "\x00\x3c\x00\x0a", true, "FRAME_ERROR - cannot decode <<>>"},
		{"text is printed as octets", "\x00\x3c\x00\x0aabc", true, "FRAME_ERROR - cannot decode <<97,98,99>>"},
		{"63 octets", "\x00\x3c\x00\x0a" + strings.Repeat("\x01", 63), true,
			"FRAME_ERROR - cannot decode <<" + strings.Repeat("1,", 62) + "1>>"},
		{"300 octets are cut at 255", "\x00\x3c\x00\x0a" + strings.Repeat("z", 300), true,
			("FRAME_ERROR - cannot decode <<" + strings.Repeat("122,", 60))[:252] + "..."},
		{"lengths before table types", "\x00\x32\x00\x0a\x00\x00\x00\x02\x00\x00\x00\x03\x01k?\x00", true,
			"FRAME_ERROR - cannot decode <<0,0,0,2,0,0,0,3,1,107,63,0>>"},
		{"lengths before UTF-8", "\x00\x3c\x00\x1e\x02\xff\xfe\x00\x00", true, "FRAME_ERROR - cannot decode <<2,255,254,0,0>>"},
		{"table length beyond the frame", "\x00\x32\x00\x0a\x00\x00\x00\x02\x00\x00\x00\x32\x01kV", true,
			"FRAME_ERROR - cannot decode <<0,0,0,2,0,0,0,50,1,107,86>>"},
		{"queue name not UTF-8", "\x00\x32\x00\x0a\x00\x00\x02\xff\xfe\x02\x00\x00\x00\x00", false, "FRAME_ERROR - Malformed UTF-8 in shortstr"},
		{"reserved name not UTF-8", "\x00\x14\x00\x0a\x02\xff\xfe", false, "FRAME_ERROR - Malformed UTF-8 in shortstr"},
		{"UTF-8 before table types", "\x00\x32\x00\x0a\x00\x00\x01\xff\x02\x00\x00\x00\x03\x01k?", false,
			"FRAME_ERROR - Malformed UTF-8 in shortstr"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseMethod([]byte(c.payload))
			var reply *Error
			var named *MethodError
			if !errors.As(err, &reply) || reply.Code != FrameError || reply.Error() != c.text {
				t.Errorf("error %v\nwant  %s", err, c.text)
			}
			if errors.As(err, &named) != c.named {
				t.Errorf("the close names the method: %t", !c.named)
			}
		})
	}
}

// RabbitMQ's reader dies of these, so the socket closes without a word.
func TestMethodErrorsWithoutAWord(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		want          error
	}{
		{"frame-unknown-class", "\x00\x63\x00\x01", ErrUnknownMethod},
		{"frame-unknown-method", "\x00\x32\x00\x63\x00\x00", ErrUnknownMethod},
		{"frame-table-unknown-type", "\x00\x32\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x04\x01k?\x00", ErrBadTable},
		{"value longer than its table", "\x00\x32\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x08\x01kS\x00\x00\x00\x09a", ErrBadTable},
	} {
		if m, err := ParseMethod([]byte(c.payload)); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, error %v", c.name, m, err)
		}
	}
}

// Neither publish nor properties nor names in tables have to be UTF-8, and type
// L is a signed 64-bit number.
func TestTakenAsRecorded(t *testing.T) {
	p, err := ParsePublish([]byte("\x00\x3c\x00\x28\x00\x00\x00\x02\xff\xfe\x01"))
	if err != nil || string(p.RoutingKey) != "\xff\xfe" {
		t.Errorf("publish %+v, error %v", p, err)
	}
	m, err := ParseMethod([]byte("\x00\x32\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x0b\x01\xffL\xff\xff\xff\xff\xff\xff\xff\xff"))
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := m.(*QueueDeclare).Arguments.Get("\xff"); v != int64(-1) {
		t.Errorf("L decoded as %T %v", v, v)
	}
	for _, props := range []string{"\x80\x00\x01\xff", "\x00\x01", "\x00\x02", "\x10\x02\x01", "\x20\x00\x00\x00\x00\x03\x01\xffV"} {
		_, parsed := ParseProperties([]byte(props))
		_, scanned := ScanProperties([]byte(props))
		if parsed != nil || scanned != nil {
			t.Errorf("%q: errors %v, %v", props, parsed, scanned)
		}
	}
}

// A header without property flags is 541 like other broken properties, a
// shorter one is no frame.
func TestHeaderAsRecorded(t *testing.T) {
	_, err := ParseHeader([]byte("\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	if want := "FRAME_ERROR - type 2, all octets = <<0,60,0,0,0,0,0,0,0,0,0>>: unknown_frame"; err == nil || err.Error() != want {
		t.Errorf("11 octets: %v", err)
	}
	for n := 12; n < 14; n++ {
		h, err := ParseHeader(make([]byte, n))
		if err != nil {
			t.Fatalf("%d octets: %v", n, err)
		}
		_, err = ScanProperties(h.Props)
		checkProperties541(t, err)
	}
	h, err := ParseHeader([]byte("\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x00\x05a"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = ScanProperties(h.Props) // frame-property-truncated
	checkProperties541(t, err)
}

// Headers that no consumer could read are refused however deep they are.
func TestScanPropertiesChecksHeaders(t *testing.T) {
	for _, fields := range []string{
		"\x01k?\x00", "\x01kS\x00\x00\x00\x09a", "\x01kF\x00\x00\x00\x03\x01k?", "\x01kA\x00\x00\x00\x01?", "\x05k",
		"\x01kA\x00\x00\x00\x08F\x00\x00\x00\x03\x01kt", nest(maxNesting+2, false), nest(maxNesting+2, true), nest(20000, true),
	} {
		_, err := ScanProperties(append([]byte{0x20, 0}, withLength(fields)...))
		checkProperties541(t, err)
	}
	for _, c := range everyType {
		p := Properties{Flags: FlagHeaders, Headers: Table{{"a", c.value}}}
		if _, err := ScanProperties(p.Append(nil)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestFrameErrorsAsRecorded(t *testing.T) {
	for _, c := range []struct{ name, stream, text string }{
		{"frame-end-marker", "\x01\x00\x01\x00\x00\x00\x04\x00\x0a\x002\x00",
			"FRAME_ERROR - type 1, all octets = <<0,10,0,50>>: {invalid_frame_end_marker,0}"},
		{"end octet after nothing", "\x01\x00\x01\x00\x00\x00\x00\x07", "FRAME_ERROR - type 1, all octets = <<>>: {invalid_frame_end_marker,7}"},
		{"end octet after text", "\x01\x00\x01\x00\x00\x00\x0bhello world\x07",
			"FRAME_ERROR - type 1, all octets = <<\"hello world\">>: {invalid_frame_end_marker,7}"},
		{"end octet after 17 octets", "\x03\x00\x01\x00\x00\x00\x11\x00bcdefghijklmnopq\x07",
			"FRAME_ERROR - type 3, first 16 octets = <<0,98,99,100,101,102,103,104,105,106,107,108,109,110,111,112>>: {invalid_frame_end_marker,7}"},
		{"frame-too-large", "\x03\x00\x01\x00\x02\x00\x01", "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,131073,131064}"},
		{"4 GiB", "\x03\x00\x01\xff\xff\xff\xff", "FRAME_ERROR - type 3, all octets = <<>>: {frame_too_large,4294967295,131064}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, into := range []bool{false, true} {
				r := NewReader(strings.NewReader(c.stream))
				r.SetFrameMax(131072)
				err := takeFrame(r, into)
				var reply *Error
				if !errors.As(err, &reply) || reply.Code != FrameError || reply.Error() != c.text {
					t.Errorf("error %v\nwant  %s", err, c.text)
				}
			}
		})
	}
}

// takeFrame reads one frame in either of the two ways.
func takeFrame(r *Reader, into bool) error {
	h, err := r.Head()
	if err != nil {
		return err
	}
	if into {
		return r.ReadInto(make([]byte, h.Size))
	}
	_, err = r.Payload()
	return err
}

// frame-type-0, -4, -7, -9 and a text that RabbitMQ prints as one.
func TestUnknownFrameAsRecorded(t *testing.T) {
	for _, c := range []struct {
		kind          uint8
		payload, text string
	}{
		{0, "\x01\x02", "FRAME_ERROR - type 0, all octets = <<1,2>>: unknown_frame"},
		{9, "\x01\x02", "FRAME_ERROR - type 9, all octets = <<1,2>>: unknown_frame"},
		{5, "a\tb\"c\n\\", "FRAME_ERROR - type 5, all octets = <<\"a\\tb\\\"c\\n\\\\\">>: unknown_frame"},
		{5, "a\x1b\x7f", "FRAME_ERROR - type 5, all octets = <<97,27,127>>: unknown_frame"},
		{5, strings.Repeat("a", 40), "FRAME_ERROR - type 5, first 16 octets = <<\"aaaaaaaaaaaaaaaa\">>: unknown_frame"},
	} {
		if got := UnknownFrame(c.kind, []byte(c.payload)).Error(); got != c.text {
			t.Errorf("text %s\nwant %s", got, c.text)
		}
	}
}

func TestLongReplyTextIsCut(t *testing.T) {
	for _, c := range []struct{ length, want int }{{241, 253}, {243, 255}, {244, 255}, {5000, 255}} {
		got := Errorf(NotFound, "%s", strings.Repeat("x", c.length)).Error()
		if cut := c.length > 243; len(got) != c.want || strings.HasSuffix(got, "...") != cut {
			t.Errorf("%d octets of text: %d, ends in %q", c.length, len(got), got[len(got)-4:])
		}
	}
}

// frame-payload-equals-frame-max: the limit is on the payload, not the frame.
func TestPayloadEqualsFrameMax(t *testing.T) {
	for _, into := range []bool{false, true} {
		body := AppendBody(nil, 1, make([]byte, 131072), 0)
		r := NewReader(strings.NewReader(string(body)))
		r.SetFrameMax(131072)
		if err := takeFrame(r, into); err != nil {
			t.Error(err)
		}
		if _, err := r.Head(); err != io.EOF {
			t.Errorf("after the frame: %v", err)
		}
	}
}
