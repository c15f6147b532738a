package amqp

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// timed runs f in a bubble with a clock of its own.
func timed(t *testing.T, opt Options, f func(t *testing.T, s *Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, startServer(t, opt)) })
}

func TestBrokenHandshakesEndInSilence(t *testing.T) {
	startOk := &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US"}
	cases := []struct {
		name string
		send func(c *client)
		wait time.Duration
	}{
		{"nothing sent", func(*client) {}, 10 * time.Second},
		{"half a header", func(c *client) { c.write([]byte("AMQP")) }, 10 * time.Second},
		{"unknown mechanism", func(c *client) {
			c.greet()
			c.send(0, &wire.ConnectionStartOk{Mechanism: "FOO"})
		}, 3 * time.Second},
		{"wrong password without the capability", func(c *client) {
			c.greet()
			c.send(0, &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00guest\x00no"})
		}, 3 * time.Second},
		{"open before tune-ok", func(c *client) {
			c.greet()
			c.send(0, startOk)
			want[*wire.ConnectionTune](c)
			c.send(0, &wire.ConnectionOpen{VirtualHost: "/"})
		}, 3 * time.Second},
		{"frame-max above the offer", func(c *client) {
			c.greet()
			c.send(0, startOk)
			want[*wire.ConnectionTune](c)
			c.send(0, &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131073})
		}, 3 * time.Second},
		{"frame-max too small", func(c *client) {
			c.greet()
			c.send(0, startOk)
			want[*wire.ConnectionTune](c)
			c.send(0, &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 4095})
		}, 3 * time.Second},
		{"no limit of channels", func(c *client) {
			c.greet()
			c.send(0, startOk)
			want[*wire.ConnectionTune](c)
			c.send(0, &wire.ConnectionTuneOk{FrameMax: 131072})
		}, 3 * time.Second},
		{"a method of a channel", func(c *client) {
			c.greet()
			c.send(1, &wire.ChannelOpen{})
		}, 3 * time.Second},
		{"unknown method", func(c *client) {
			c.greet()
			c.write([]byte{1, 0, 0, 0, 0, 0, 4, 0, 99, 0, 1, wire.FrameEnd})
		}, 3 * time.Second},
		{"tune-ok and then nothing", func(c *client) {
			c.login(nil)
			c.send(0, &wire.ConnectionTuneOk{ChannelMax: 1, FrameMax: 4096})
		}, 10 * time.Second},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			timed(t, Options{}, func(t *testing.T, s *Server) {
				c, begin := pipe(t, s), time.Now()
				k.send(c)
				c.closed()
				if took := time.Since(begin); took != k.wait {
					t.Errorf("closed after %v, want %v", took, k.wait)
				}
			})
		})
	}
}

// greet sends the header and reads connection.start.
func (c *client) greet() {
	c.write([]byte(protocolHeader))
	want[*wire.ConnectionStart](c)
}

func TestWrongPasswordIsToldToWhoUnderstands(t *testing.T) {
	timed(t, Options{}, func(t *testing.T, s *Server) {
		c := pipe(t, s)
		c.greet()
		c.send(0, &wire.ConnectionStartOk{ClientProperties: allCapabilities(), Mechanism: "PLAIN", Response: "\x00guest\x00no"})
		m := want[*wire.ConnectionClose](c)
		if m.ReplyCode != 403 || m.ClassID != 0 || m.MethodID != 0 {
			t.Errorf("got %+v", m)
		}
		c.closed()
	})
}

func TestWrongHeaderIsAnsweredWithOurs(t *testing.T) {
	timed(t, Options{}, func(t *testing.T, s *Server) {
		c := pipe(t, s)
		c.write([]byte("AMQP\x00\x01\x00\x00"))
		if b, err := c.r.Peek(8); err != nil || string(b) != protocolHeader {
			t.Fatalf("got %q, %v", b, err)
		}
		c.r.Skip(8)
		c.closed()
	})
}

func TestHeartbeats(t *testing.T) {
	timed(t, Options{}, func(t *testing.T, s *Server) {
		c := pipe(t, s).open(10)
		begin := time.Now()
		n := 0
		for {
			h, _, err := c.next()
			if err != nil {
				break
			}
			if h.Type != wire.FrameHeartbeat {
				t.Fatalf("got frame type %d", h.Type)
			}
			n++
		}
		if took := time.Since(begin); took < 20*time.Second || took > 30*time.Second {
			t.Errorf("a silent client was dropped after %v, want two to three intervals of 10 s", took)
		}
		if n < 3 {
			t.Errorf("%d heartbeats came in two intervals, want one every 5 s", n)
		}
	})
}

func TestAnyOctetKeepsTheConnection(t *testing.T) {
	timed(t, Options{}, func(t *testing.T, s *Server) {
		c := pipe(t, s).open(2)
		go func() {
			for {
				if _, _, err := c.next(); err != nil {
					return
				}
			}
		}()
		for range 60 {
			<-time.After(time.Second)
			c.write([]byte{wire.FrameHeartbeat, 0, 0, 0, 0, 0, 0, wire.FrameEnd})
		}
	})
}

func TestNoHeartbeatWithoutInterval(t *testing.T) {
	timed(t, Options{}, func(t *testing.T, s *Server) {
		c := pipe(t, s).open(0)
		c.nc.SetReadDeadline(time.Now().Add(time.Hour))
		if h, _, err := c.next(); err == nil {
			t.Errorf("got frame type %d", h.Type)
		}
		c.nc.SetReadDeadline(time.Time{})
		c.channel(1)
	})
}

func TestShutdownTellsAndWaits(t *testing.T) {
	timed(t, Options{}, func(t *testing.T, s *Server) {
		polite, silent, young := pipe(t, s).open(0), pipe(t, s).open(0), pipe(t, s)
		young.greet()
		begin, done := time.Now(), make(chan error)
		go func() { done <- s.Shutdown(context.Background()) }()
		m := want[*wire.ConnectionClose](polite)
		if m.ReplyCode != 320 || m.ReplyText != "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'" {
			t.Errorf("got %+v", m)
		}
		polite.send(0, &wire.ConnectionCloseOk{})
		polite.closed()
		young.closed()
		want[*wire.ConnectionClose](silent)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("took %v with a client that does not answer, want 5 s", took)
		}
	})
}

func TestShutdownOfIdleServerIsQuick(t *testing.T) {
	timed(t, Options{}, func(t *testing.T, s *Server) {
		begin := time.Now()
		if err := s.Shutdown(context.Background()); err != nil || time.Since(begin) != 0 {
			t.Errorf("took %v, %v", time.Since(begin), err)
		}
	})
}

func TestCloseOkIsAwaitedOnlySoLong(t *testing.T) {
	timed(t, Options{}, func(t *testing.T, s *Server) {
		c, begin := pipe(t, s).open(0), time.Now()
		c.send(1, &wire.QueueDeclare{Queue: "q"})
		if m := want[*wire.ConnectionClose](c); m.ReplyCode != 504 || m.ClassID != 50 || m.MethodID != 10 {
			t.Errorf("got %+v", m)
		}
		c.closed()
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("closed after %v, want 5 s", took)
		}
	})
}

func TestSocketIsTheClientsAfterCloseOk(t *testing.T) {
	timed(t, Options{}, func(t *testing.T, s *Server) {
		c, begin := pipe(t, s).open(0), time.Now()
		c.send(0, &wire.ConnectionClose{ReplyCode: 200})
		want[*wire.ConnectionCloseOk](c)
		c.closed()
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("closed after %v, want 5 s", took)
		}
	})
}
