package amqp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

func TestServeEndsWithShutdown(t *testing.T) {
	s := startServer(t, Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := &client{t, nc, wire.NewReader(nc)}
	c.open(0)
	go func() {
		want[*wire.ConnectionClose](c)
		c.send(0, &wire.ConnectionCloseOk{})
	}()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, ErrServerClosed) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve gave %v", err)
	}
	if err := s.Serve(l); !errors.Is(err, ErrServerClosed) {
		t.Errorf("Serve after Shutdown gave %v", err)
	}
}

// failing is a listener whose Accept fails a few times.
type failing struct {
	net.Listener
	left int
}

type temporary struct{ error }

func (temporary) Temporary() bool { return true }

func (f *failing) Accept() (net.Conn, error) {
	if f.left--; f.left > 0 {
		return nil, temporary{errors.New("too many open files")}
	}
	return nil, errors.New("broken")
}
func (f *failing) Close() error { return nil }

func TestServeOutlastsTemporaryErrors(t *testing.T) {
	timed(t, Options{}, func(t *testing.T, s *Server) {
		l, begin := &failing{left: 4}, time.Now()
		if err := s.Serve(l); err == nil || err.Error() != "broken" {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begin); took != 35*time.Millisecond { // 5 + 10 + 20
			t.Errorf("waited %v", took)
		}
	})
}

func TestShutdownIsBoundedByItsContext(t *testing.T) {
	timed(t, Options{}, func(t *testing.T, s *Server) {
		c := pipe(t, s).open(0)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		go want[*wire.ConnectionClose](c)
		begin := time.Now()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestForcedClose(t *testing.T) {
	timed(t, Options{}, func(t *testing.T, s *Server) {
		c := pipe(t, s).open(0).channel(1)
		s.each(func(conn *conn) {
			conn.force(wire.Errorf(wire.ConnectionForced, "Closed via management plugin"))
		})
		m := want[*wire.ConnectionClose](c)
		if m.ReplyCode != 320 || m.ClassID != 0 || m.MethodID != 0 || m.ReplyText != "CONNECTION_FORCED - Closed via management plugin" {
			t.Errorf("got %+v", m)
		}
		c.send(1, &wire.BasicQos{}) // dropped
		c.send(0, &wire.ConnectionCloseOk{})
		c.closed()
	})
}

// TestNothingIsLeftRunning relies on the bubble: it does not end while a
// goroutine of the server runs.
func TestNothingIsLeftRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startServer(t, Options{})
		for i := range 10 {
			c := pipe(t, s).open(uint16(i)).channel(1)
			c.declare(1, fmt.Sprint("q", i))
			c.send(1, &wire.BasicConsume{Queue: fmt.Sprint("q", i)})
			want[*wire.BasicConsumeOk](c)
			if i%2 == 0 {
				c.nc.Close()
			}
		}
		s.Shutdown(context.Background())
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.conns) != 0 {
			t.Errorf("%d connections are left", len(s.conns))
		}
	})
}

func TestManyConnectionsAtOnce(t *testing.T) {
	s := startServer(t, Options{})
	var group sync.WaitGroup
	for i := range 20 {
		c := dial(t, s)
		group.Go(func() {
			c.open(0)
			for ch := range uint16(5) {
				c.channel(ch + 1)
				name := fmt.Sprintf("q%d.%d", i, ch)
				c.declare(ch+1, name)
				for n := range 20 {
					body := fmt.Sprint(n)
					c.write(appendPublish(nil, ch+1, name, []byte(body)))
					c.send(ch+1, &wire.BasicGet{Queue: name, NoAck: true})
					want[*wire.BasicGetOk](c)
					if got := string(c.body()); got != body {
						t.Errorf("got %q, want %q", got, body)
					}
				}
			}
			c.send(0, &wire.ConnectionClose{})
			want[*wire.ConnectionCloseOk](c)
		})
	}
	group.Wait()
}

func TestPeer(t *testing.T) {
	near, _ := loopback(t)
	p := newPeer(near)
	if want := near.RemoteAddr().String() + " -> " + near.LocalAddr().String(); p.name != want || !p.loopback {
		t.Errorf("got %+v", p)
	}
	p.introduce(wire.Table{{Name: "product", Value: "x"}, {Name: "capabilities", Value: wire.Table{
		{Name: "connection.blocked", Value: true}, {Name: "consumer_cancel_notify", Value: "yes"}}}})
	if (p.can != capabilities{blocked: true}) {
		t.Errorf("got %+v", p.can)
	}
	p.introduce(wire.Table{{Name: "capabilities", Value: int32(1)}})
	if (p.can != capabilities{}) {
		t.Errorf("got %+v", p.can)
	}
}

func TestReplyTextFitsItsField(t *testing.T) {
	long := wire.Errorf(wire.NotFound, "%0300d", 0)
	if got := replyText(long); len(got) > 255 {
		t.Errorf("%d octets", len(got))
	}
}
