package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

func TestProxyHeader(t *testing.T) {
	v4 := "\x01\x02\x03\x04\x05\x06\x07\x08\x00\x09\x16\x28" // 1.2.3.4:9 to 5.6.7.8:5672
	v6 := "\x20\x01" + strings.Repeat("\x00", 13) + "\x01" + "\x20\x01" + strings.Repeat("\x00", 13) + "\x02" + "\x00\x09\x16\x28"
	for _, c := range []struct{ name, text, from, to string }{
		{"version 1", "PROXY TCP4 1.2.3.4 5.6.7.8 9 5672\r\n", "1.2.3.4:9", "5.6.7.8:5672"},
		{"version 1, IPv6", "PROXY TCP6 2001::1 2001::2 9 5672\r\n", "[2001::1]:9", "[2001::2]:5672"},
		{"version 1, unknown", "PROXY UNKNOWN\r\n", "", ""},
		{"version 1, unknown with more", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "", ""},
		{"version 1, port", "PROXY TCP4 1.2.3.4 5.6.7.8 9 65536\r\n", "error", ""},
		{"version 1, address", "PROXY TCP4 1.2.3 5.6.7.8 9 1\r\n", "error", ""},
		{"version 1, fields", "PROXY TCP4 1.2.3.4 5.6.7.8 9\r\n", "error", ""},
		{"version 1, protocol", "PROXY UDP4 1.2.3.4 5.6.7.8 9 1\r\n", "error", ""},
		{"version 1, endless", "PROXY TCP4 " + strings.Repeat("1", 200), "error", ""},
		{"version 1, cut off", "PROXY TCP4 1.2.3.4 ", "error", ""},
		{"version 2", proxyV2 + "\x21\x11\x00\x0c" + v4, "1.2.3.4:9", "5.6.7.8:5672"},
		{"version 2, IPv6", proxyV2 + "\x21\x21\x00\x24" + v6, "[2001::1]:9", "[2001::2]:5672"},
		{"version 2, extensions", proxyV2 + "\x21\x11\x00\x0f" + v4 + "\x04\x00\x00", "1.2.3.4:9", "5.6.7.8:5672"},
		{"version 2, local", proxyV2 + "\x20\x00\x00\x00", "", ""},
		{"version 2, UNIX socket", proxyV2 + "\x21\x31\x00\x00", "", ""},
		{"version 2, too short", proxyV2 + "\x21\x11\x00\x04\x01\x02\x03\x04", "error", ""},
		{"version 2, cut off", proxyV2 + "\x21\x11\x00\x0c\x01", "error", ""},
		{"version 2, too long", proxyV2 + "\x21\x11\xff\xff", "error", ""},
		{"version 3", proxyV2 + "\x31\x11\x00\x0c" + v4, "error", ""},
		{"AMQP", "AMQP\x00\x00\x09\x01 and more", "error", ""},
		{"nothing", "", "error", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := strings.NewReader(c.text + "AMQP")
			if c.from == "error" {
				r = strings.NewReader(c.text)
			}
			from, to, err := readProxyHeader(r)
			if (err != nil) != (c.from == "error") {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			if from.IsValid() != (c.from != "") || c.from != "" && (from.String() != c.from || to.String() != c.to) {
				t.Errorf("from %v to %v, want %q to %q", from, to, c.from, c.to)
			}
			if rest, _ := io.ReadAll(r); string(rest) != "AMQP" {
				t.Errorf("left %q, want what follows the header", rest)
			}
		})
	}
}

// FuzzProxyHeader: no octets break the reader, and addresses come in pairs.
func FuzzProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 1.2.3.4 5.6.7.8 9 5672\r\n"))
	f.Add([]byte(proxyV2 + "\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x09\x16\x28"))
	f.Fuzz(func(t *testing.T, b []byte) {
		from, to, err := readProxyHeader(bytes.NewReader(b))
		if err == nil && from.IsValid() != to.IsValid() {
			t.Errorf("from %v to %v", from, to)
		}
	})
}

// TestProxyListener: a connection has its client's addresses, one that sends
// nothing keeps nobody out, and Close ends all.
func TestProxyListener(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newProxyListener(inner, slog.New(slog.DiscardHandler), time.Minute)
	dial := func(text string) net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	silent, wrong := dial(""), dial("AMQP\x00\x00\x09\x01....")
	dial("PROXY TCP4 1.2.3.4 5.6.7.8 9 5672\r\nhello\n")
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	if c.RemoteAddr().String() != "1.2.3.4:9" || c.LocalAddr().String() != "5.6.7.8:5672" || line != "hello\n" || err != nil {
		t.Errorf("from %v to %v: %q, %v", c.RemoteAddr(), c.LocalAddr(), line, err)
	}
	if _, err := wrong.Read(make([]byte, 1)); err == nil {
		t.Error("a connection without a header got an answer")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("the silent connection got an answer")
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
