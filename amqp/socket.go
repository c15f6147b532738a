package amqp

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// errIdle interrupts a read at a frame boundary, so that the reader comes back
// and waits without a buffer.
var errIdle = errors.New("amqp: idle")

// longAgo as a read deadline interrupts the reader.
var longAgo = time.Unix(1, 0)

// socket is the reading side of a connection. Its read deadline serves three
// ends without a timer of our own: somebody has something for the reader (wake),
// a time has come (heartbeat, timeouts), and the connection went idle.
type socket struct {
	nc  net.Conn
	raw syscall.RawConn // nil: cannot be waited on without a buffer
	// attend runs on the reader whenever a read was interrupted, and returns
	// when it wants to run again (zero: only when woken). An error ends the
	// connection.
	attend func() (next time.Time, err error)
	peeked bool // what peek saw
	peek   func(fd uintptr) bool

	// Owned by the reader.
	heard    bool // octets came since the heartbeat last looked
	active   bool // octets came since the last interruption
	boundary bool // between two frames: may be interrupted by errIdle
	cold     bool // wait without a buffer
	coldAt   time.Time

	woken chan struct{} // capacity 1; for a reader that waits but does not read

	mu      sync.Mutex
	pending bool // the deadline is in the past: attend has to run
}

func newSocket(nc net.Conn) *socket {
	s := &socket{nc: nc, woken: make(chan struct{}, 1)}
	if sc, ok := nc.(syscall.Conn); ok && canPeek {
		if raw, err := sc.SyscallConn(); err == nil {
			s.raw, s.peek = raw, s.peekFD
		}
	}
	return s
}

func (s *socket) peekFD(fd uintptr) bool {
	s.peeked = readable(fd)
	return s.peeked
}

// coldAfter is how long a connection is silent before its buffer is given up.
const coldAfter = 200 * time.Millisecond

// wake makes the reader run attend soon. Anybody may call it.
func (s *socket) wake() {
	s.mu.Lock()
	s.wakeLocked()
	s.mu.Unlock()
}

func (s *socket) wakeLocked() {
	if s.pending {
		return
	}
	s.pending = true
	s.nc.SetReadDeadline(longAgo)
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// Read reads what there is, attending to interruptions meanwhile.
func (s *socket) Read(b []byte) (int, error) {
	for {
		n, err := s.nc.Read(b)
		if n > 0 {
			s.heard, s.active = true, true
			return n, nil
		}
		switch {
		case err == nil:
			err = io.ErrNoProgress
		case errors.Is(err, os.ErrDeadlineExceeded):
			if err = s.interrupted(); err == nil {
				continue
			}
		}
		return 0, err
	}
}

// Wait returns when a read would not block; a busy connection does not wait
// here but in Read, with its buffer.
func (s *socket) Wait() error {
	for s.cold {
		err := s.raw.Read(s.peek)
		switch {
		case err == nil:
			s.cold = false
			s.coldAt = time.Time{}
			s.soon()
		case errors.Is(err, os.ErrDeadlineExceeded):
			if err = s.interrupted(); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return nil
}

// soon brings the deadline forward, so that a connection that was cold is
// looked at again when it falls silent.
func (s *socket) soon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pending {
		s.nc.SetReadDeadline(time.Now().Add(coldAfter))
	}
}

// interrupted runs attend and sets the next deadline.
func (s *socket) interrupted() error {
	s.mu.Lock()
	s.pending = false
	s.mu.Unlock()
	next, err := s.attend()
	if err != nil {
		return err
	}
	idle := s.cool(&next)
	s.mu.Lock()
	if !s.pending {
		s.nc.SetReadDeadline(next)
	}
	s.mu.Unlock()
	if idle {
		return errIdle
	}
	return nil
}

// cool decides whether the connection goes cold now, or else when to look
// again.
func (s *socket) cool(next *time.Time) (idle bool) {
	if s.raw == nil || s.cold {
		return false
	}
	now, active := time.Now(), s.active
	s.active = false
	switch {
	case active || s.coldAt.IsZero():
		s.coldAt = now.Add(coldAfter)
	case s.boundary && !now.Before(s.coldAt):
		s.cold = true
		return true
	case !s.boundary:
		s.coldAt = now.Add(coldAfter)
	}
	if next.IsZero() || s.coldAt.Before(*next) {
		*next = s.coldAt
	}
	return false
}
