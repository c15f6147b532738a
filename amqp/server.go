package amqp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// Options configure a Server. Zero values mean RabbitMQ's defaults.
type Options struct {
	Broker *broker.Broker // required
	Logger *slog.Logger   // nil: slog.Default
	Rand   io.Reader      // for consumer tags; nil: crypto/rand

	// Mechanisms are offered in this order: PLAIN, AMQPLAIN, EXTERNAL; nil:
	// AMQPLAIN PLAIN.
	Mechanisms      []string
	CertificateName CertificateName // for EXTERNAL

	ChannelMax       uint16        // channels per connection; 0: 2047
	FrameMax         uint32        // octets per frame; 0: 131072, at least 4096
	Heartbeat        time.Duration // offered interval, whole seconds; 0: 60 s, negative: none
	MaxMessageSize   uint64        // octets of one body; 0: 128 MiB
	HandshakeTimeout time.Duration // from accept to connection.open; 0: 10 s
	TLSTimeout       time.Duration // of a TLS handshake, before that; 0: 5 s
	// SilentClose is how long a client that broke the handshake waits for the
	// socket to close, so that guessing is slow; 0: 3 s.
	SilentClose time.Duration
	// CloseTimeout is how long we wait for close-ok, and for a client to close
	// the socket after ours; 0: 5 s.
	CloseTimeout time.Duration
}

func (o *Options) defaults() {
	or(&o.ChannelMax, 2047)
	or(&o.FrameMax, 131072)
	or(&o.Heartbeat, 60*time.Second)
	or(&o.MaxMessageSize, 128<<20)
	or(&o.HandshakeTimeout, 10*time.Second)
	or(&o.TLSTimeout, 5*time.Second)
	or(&o.SilentClose, 3*time.Second)
	or(&o.CloseTimeout, 5*time.Second)
	o.FrameMax = max(o.FrameMax, wire.FrameMinSize)
	o.Heartbeat = max(o.Heartbeat, 0)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Mechanisms == nil {
		o.Mechanisms = defaultMechanisms
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
}

func or[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// Server serves AMQP 0-9-1 connections.
type Server struct {
	opt      Options
	segments sync.Pool              // of *segment
	bodies   wire.Bodies            // of publishes under way
	alarm    atomic.Pointer[string] // why publishing is held; nil: it is not
	group    sync.WaitGroup         // connections
	churn    churn
	accepted atomic.Uint64 // connections so far, for their names in the log

	mu        sync.Mutex
	closing   bool
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
}

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = fmt.Errorf("amqp: server closed: %w", net.ErrClosed)

// New returns a Server over opt.Broker.
func New(opt Options) *Server {
	opt.defaults()
	s := &Server{
		opt:       opt,
		segments:  sync.Pool{New: func() any { return new(segment) }},
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*conn]struct{}),
	}
	opt.Broker.OnAlarm(s.hold)
	return s
}

// Serve accepts connections until l fails or the server shuts down. It closes l.
func (s *Server) Serve(l net.Listener) error {
	if !s.listen(l) {
		l.Close()
		return ErrServerClosed
	}
	defer s.unlisten(l)
	for delay := time.Duration(0); ; {
		nc, err := l.Accept()
		switch {
		case err == nil:
			delay = 0
			s.ServeConn(nc)
		case s.isClosing():
			return ErrServerClosed
		case !errors.Is(err, net.ErrClosed) && transient(err):
			// Out of descriptors: those who are connected go on; try again.
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			s.opt.Logger.Warn("cannot accept AMQP connection", "err", err)
			pause(delay)
		default:
			return err
		}
	}
}

func transient(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func pause(d time.Duration) { <-time.After(d) }

func (s *Server) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.listeners[l] = struct{}{}
	}
	return !s.closing
}

func (s *Server) unlisten(l net.Listener) {
	s.mu.Lock()
	delete(s.listeners, l)
	s.mu.Unlock()
	l.Close()
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// ServeConn serves one connection on a goroutine of its own.
func (s *Server) ServeConn(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.group.Go(c.serve) // the reader: ends with the socket, or by Shutdown
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

// each calls f for every connection, with no lock held.
func (s *Server) each(f func(*conn)) {
	s.mu.Lock()
	list := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	s.mu.Unlock()
	for _, c := range list {
		f(c)
	}
}

// Shutdown stops accepting, tells every client 320 and waits until they have
// gone, at most CloseTimeout and no longer than ctx; then it closes what is
// left. When it returns no goroutine of the server runs. The error is ctx's.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for l := range s.listeners {
		l.Close()
	}
	s.mu.Unlock()
	s.each(func(c *conn) {
		c.force(wire.Errorf(wire.ConnectionForced, "broker forced connection closure with reason 'shutdown'"))
	})
	gone := make(chan struct{})
	go func() { s.group.Wait(); close(gone) }() // ends with the connections, below
	timer := time.NewTimer(s.opt.CloseTimeout)
	defer timer.Stop()
	var err error
	select {
	case <-gone:
		return nil
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.each(func(c *conn) { c.out.kill() })
	<-gone
	return err
}

// hold holds publishing while reason is not empty: a connection that publishes
// is told so by connection.blocked, and what it publishes waits. Everything
// else goes on, so that consumers can drain what caused the alarm.
func (s *Server) hold(reason string) {
	if reason == "" {
		s.alarm.Store(nil)
	} else {
		s.alarm.Store(&reason)
	}
	s.each(func(c *conn) { c.in.wake() }) // some wait for this, some for the disk
}
