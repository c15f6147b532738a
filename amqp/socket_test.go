package amqp

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// loopback gives the two ends of a TCP connection.
func loopback(t testing.TB) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// attended is a socket whose test is told of every attend.
func attended(nc net.Conn) (*socket, *int) {
	s, n := newSocket(nc), new(int)
	s.attend = func() (time.Time, error) {
		*n++
		return time.Time{}, nil
	}
	return s, n
}

func TestBusySocketGoesWarmAndSilentOneCold(t *testing.T) {
	if !canPeek {
		t.Log("this system has no way to wait without a buffer")
		return
	}
	near, far := loopback(t)
	s, _ := attended(near)
	if !s.cold {
		t.Fatal("a new socket is warm")
	}
	buf := make([]byte, 16)
	one := func() {
		t.Helper()
		if _, err := far.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Read(buf); n != 1 || err != nil {
			t.Fatalf("read %d, %v", n, err)
		}
	}
	for range 3 * warmReads {
		one()
	}
	if s.cold {
		t.Fatal("a busy socket is cold")
	}
	s.boundary = true
	if _, err := s.Read(buf); !errors.Is(err, errIdle) {
		t.Fatalf("a silent socket gave %v, want errIdle", err)
	}
	if !s.cold {
		t.Error("a silent socket is warm")
	}
	one()
}

func TestSocketIsNotIdleWithinAFrame(t *testing.T) {
	near, far := loopback(t)
	s, n := attended(near)
	s.cold = false
	s.coldAt = time.Now()
	s.wake()
	go func() {
		for range 3 { // long enough to be idle, were it between frames
			<-time.After(coldAfter)
		}
		far.Write([]byte("x"))
	}()
	if n, err := s.Read(make([]byte, 16)); n != 1 || err != nil {
		t.Fatalf("read %d, %v", n, err)
	}
	if *n < 2 {
		t.Errorf("attended %d times", *n)
	}
}

func TestNoWakeIsLost(t *testing.T) {
	kinds := []struct {
		name string
		ends func(t testing.TB) (near, far net.Conn)
	}{
		{"tcp", loopback},
		{"pipe", func(testing.TB) (net.Conn, net.Conn) { return net.Pipe() }},
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			near, far := k.ends(t)
			s := newSocket(near)
			done := errors.New("done")
			const rounds = 2000
			seen := make(chan struct{}, rounds)
			n := 0
			s.attend = func() (time.Time, error) {
				if n++; n == rounds {
					return time.Time{}, done
				}
				seen <- struct{}{}
				return time.Time{}, nil
			}
			go func() {
				for range rounds - 1 {
					s.wake()
					<-seen
				}
				s.wake()
			}()
			err := s.Wait()
			if err == nil {
				_, err = s.Read(make([]byte, 1))
			}
			if !errors.Is(err, done) {
				t.Errorf("got %v", err)
			}
			far.Close()
		})
	}
}

func TestSocketReadsWhatIsThereAfterAWake(t *testing.T) {
	near, far := loopback(t)
	s, n := attended(near)
	if _, err := far.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	s.wake()
	buf := make([]byte, 3)
	for got := 0; got < 3; {
		m, err := s.Read(buf[got:])
		if err != nil {
			t.Fatal(err)
		}
		got += m
	}
	if string(buf) != "abc" || *n != 1 {
		t.Errorf("got %q after %d attends", buf, *n)
	}
}

func TestWaitEndsWithTheStream(t *testing.T) {
	near, far := loopback(t)
	s, _ := attended(near)
	far.Close()
	if err := s.Wait(); err != nil {
		t.Errorf("wait: %v", err)
	}
	if n, err := s.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d, %v, want the end", n, err)
	}
}

// TestWaitByTasting: a connection that is no plain socket, as one with TLS, is
// waited on by one octet, which the next read gives.
func TestWaitByTasting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		s := newSocket(b)
		looks := 0
		s.attend = func() (time.Time, error) { looks++; return time.Time{}, nil }
		go func() { // ends when all is read
			s.wake()
			time.Sleep(time.Minute)
			a.Write([]byte("hello"))
		}()
		if err := s.Wait(); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(s, got); err != nil || string(got) != "hello" {
			t.Errorf("read %q, %v", got, err)
		}
		if looks == 0 {
			t.Error("a wake did not interrupt the wait")
		}
	})
}
