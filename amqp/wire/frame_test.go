package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestAppendHeader(t *testing.T) {
	got := AppendHeader([]byte("x"), 0x0102, 0x0304, []byte{0x10, 0, 2})
	want := "x\x02\x01\x02\x00\x00\x00\x0f\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x03\x04\x10\x00\x02\xce"
	if string(got) != want {
		t.Fatalf("frame %q, want %q", got, want)
	}
	h, err := ParseHeader(got[8 : len(got)-1])
	if err != nil || h.Class != 60 || h.Weight != 0 || h.BodySize != 0x0304 || string(h.Props) != "\x10\x00\x02" {
		t.Errorf("header %+v, error %v", h, err)
	}
}

func TestParseHeaderFields(t *testing.T) {
	h, err := ParseHeader([]byte("\x00\x32\x00\x07\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00"))
	if err != nil || h.Class != 50 || h.Weight != 7 || h.BodySize != 1<<64-1 {
		t.Errorf("header %+v, error %v", h, err)
	}
}

func TestParseHeaderShort(t *testing.T) {
	for n := range 12 {
		_, err := ParseHeader(make([]byte, n))
		var e *Error
		if !errors.As(err, &e) || e.Code != FrameError || !strings.HasPrefix(e.Error(), "FRAME_ERROR - type 2, all octets = <<") {
			t.Errorf("%d octets: %v", n, err)
		}
	}
}

func TestAppendBody(t *testing.T) {
	for _, c := range []struct {
		name     string
		body     int
		frameMax uint32
		sizes    []int
	}{
		{"empty has no frame", 0, 4096, nil},
		{"one octet", 1, 4096, []int{1}},
		{"exactly one frame", 4088, 4096, []int{4088}},
		{"one octet more", 4089, 4096, []int{4088, 1}},
		{"three frames", 3 * 4088, 4096, []int{4088, 4088, 4088}},
		{"unlimited", 1 << 20, 0, []int{1 << 20}},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := bytes.Repeat([]byte("0123456789"), c.body/10+1)[:c.body]
			r := NewReader(bytes.NewReader(AppendBody(nil, 9, body, c.frameMax)))
			r.SetFrameMax(0)
			var joined []byte
			for i, size := range c.sizes {
				h, err := r.Head()
				if err != nil || h != (Head{FrameBody, 9, uint32(size)}) {
					t.Fatalf("frame %d: %+v, error %v", i, h, err)
				}
				part, err := r.Payload()
				if err != nil {
					t.Fatal(err)
				}
				joined = append(joined, part...)
			}
			if _, err := r.Head(); err == nil || !bytes.Equal(joined, body) {
				t.Errorf("body of %d octets came as %d, then %v", len(body), len(joined), err)
			}
		})
	}
}

func TestAppendBodyHead(t *testing.T) {
	got := append(AppendBodyHead(nil, 0x0102, 0x01020304), "rest"...)
	if string(got) != "\x03\x01\x02\x01\x02\x03\x04rest" {
		t.Errorf("head %q", got)
	}
}

func TestAppendHeartbeat(t *testing.T) {
	if got := AppendHeartbeat(nil); string(got) != "\x08\x00\x00\x00\x00\x00\x00\xce" {
		t.Errorf("frame %q", got)
	}
}

func TestCodes(t *testing.T) {
	for _, c := range []struct {
		code Code
		name string
		hard bool
	}{
		{ReplySuccess, "REPLY_SUCCESS", false}, {ContentTooLarge, "CONTENT_TOO_LARGE", false}, {NoRoute, "NO_ROUTE", false},
		{NoConsumers, "NO_CONSUMERS", false}, {ConnectionForced, "CONNECTION_FORCED", true}, {InvalidPath, "INVALID_PATH", true},
		{AccessRefused, "ACCESS_REFUSED", false}, {NotFound, "NOT_FOUND", false}, {ResourceLocked, "RESOURCE_LOCKED", false},
		{PreconditionFailed, "PRECONDITION_FAILED", false}, {FrameError, "FRAME_ERROR", true}, {SyntaxError, "SYNTAX_ERROR", true},
		{CommandInvalid, "COMMAND_INVALID", true}, {ChannelError, "CHANNEL_ERROR", true}, {UnexpectedFrame, "UNEXPECTED_FRAME", true},
		{ResourceError, "RESOURCE_ERROR", true}, {NotAllowed, "NOT_ALLOWED", true}, {NotImplemented, "NOT_IMPLEMENTED", true},
		{InternalError, "INTERNAL_ERROR", true},
	} {
		if c.code.Name() != c.name || c.code.Hard() != c.hard {
			t.Errorf("%d is %s, hard %t", c.code, c.code.Name(), c.code.Hard())
		}
	}
}

func TestErrorText(t *testing.T) {
	cause := errors.New("disk")
	for _, c := range []struct {
		name string
		err  *Error
		want string
	}{
		{"formatted", Errorf(NotFound, "no queue '%s' in vhost '%s'", "q", "/"), "NOT_FOUND - no queue 'q' in vhost '/'"},
		{"name alone", &Error{Code: InternalError}, "INTERNAL_ERROR"},
		{"cause is not told", &Error{Code: InternalError, Text: "x", Cause: cause}, "INTERNAL_ERROR - x"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if err := error(&Error{Code: InternalError, Cause: cause}); !errors.Is(err, cause) {
		t.Error("the cause cannot be found")
	}
}
