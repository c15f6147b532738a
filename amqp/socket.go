package amqp

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// errIdle interrupts a read at a frame boundary, so that the reader comes back
// and waits without a buffer.
var errIdle = errors.New("amqp: idle")

// longAgo as a read deadline interrupts the reader; read-only.
var longAgo = time.Unix(1, 0)

// socket is the reading side of a connection. Its read deadline serves three
// ends without a timer of our own: somebody has something for the reader (wake),
// a time has come (heartbeat, timeouts), and the connection went idle.
type socket struct {
	nc  net.Conn
	raw syscall.RawConn // nil: it is waited on by reading one octet
	// attend runs on the reader whenever a read was interrupted, and returns
	// when it wants to run again (zero: only when woken). An error ends the
	// connection.
	attend func() (next time.Time, err error)
	peeked bool // what peek saw
	peek   func(fd uintptr) bool
	// flush runs before the reader waits.
	flush func()
	sent  []byte // what try sends, then what is left of it
	send  func(fd uintptr) bool

	// Owned by the reader.
	heard    bool // octets came since the heartbeat last looked
	active   bool // octets came since the last interruption
	boundary bool // between two frames: may be interrupted by errIdle
	cold     bool // wait without a buffer
	tasted   bool // first was read by Wait
	first    [1]byte
	coldAt   time.Time
	waits    waits

	came traffic

	woken chan struct{} // capacity 1; for a reader that waits but does not read

	mu      sync.Mutex
	pending bool // the deadline is in the past: attend has to run
}

// waits counts those while cold, since a time.
type waits struct {
	n     int
	since time.Time
}

// traffic is what came.
type traffic struct{ octets, reads atomic.Uint64 }

func newSocket(nc net.Conn) *socket {
	s := &socket{nc: nc, woken: make(chan struct{}, 1), flush: func() {}, cold: true}
	if sc, ok := nc.(syscall.Conn); ok && canPeek {
		if raw, err := sc.SyscallConn(); err == nil {
			s.raw, s.peek, s.send = raw, s.peekFD, s.sendFD
		}
	}
	return s
}

func (s *socket) peekFD(fd uintptr) bool {
	s.peeked = readable(fd)
	return s.peeked
}

func (s *socket) sendFD(fd uintptr) bool {
	s.sent = s.sent[sendSome(fd, s.sent):]
	return true
}

// try writes as much of b as goes out without waiting, and returns how much. An
// error is left to be met again.
func (s *socket) try(b []byte) int {
	if s.raw == nil {
		return 0
	}
	s.sent = b
	_ = s.raw.Write(s.send)
	left := len(s.sent)
	s.sent = nil
	return len(b) - left
}

// A connection is cold, and waits without a buffer at the price of two more
// system calls, until warmReads reads come within coldAfter; after coldAfter of
// silence it is cold again.
const (
	coldAfter = 200 * time.Millisecond
	warmReads = 8
)

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
	if s.tasted && len(b) > 0 {
		s.tasted = false
		return copy(b, s.first[:]), nil
	}
	for {
		s.flush()
		n, err := s.nc.Read(b)
		if n > 0 {
			s.heard, s.active = true, true
			s.came.octets.Add(uint64(n))
			s.came.reads.Add(1)
			return n, nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = s.interrupted()
		}
		if err != nil {
			return 0, err
		}
	}
}

// Wait returns when a read would not block; a busy connection does not wait
// here but in Read, with its buffer.
func (s *socket) Wait() error {
	for s.cold {
		s.flush()
		err := s.ready()
		if err == nil {
			s.warm()
			return nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = s.interrupted()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ready waits until a read would not.
func (s *socket) ready() error {
	if s.raw != nil {
		return s.raw.Read(s.peek)
	}
	n, err := s.nc.Read(s.first[:])
	if s.tasted = n > 0; s.tasted {
		s.heard, s.active = true, true
		return nil
	}
	return err
}

// warm counts a read of a cold connection.
func (s *socket) warm() {
	if s.waits.n++; s.waits.n < warmReads {
		return
	}
	now := time.Now()
	s.cold = now.Sub(s.waits.since) > coldAfter
	s.waits = waits{since: now}
	if !s.cold {
		s.coldAt = now.Add(coldAfter)
		s.mu.Lock()
		if !s.pending { // to be looked at when it falls silent
			s.nc.SetReadDeadline(s.coldAt)
		}
		s.mu.Unlock()
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
	if s.cold {
		return false
	}
	now, active := time.Now(), s.active
	s.active = false
	switch {
	case active:
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
