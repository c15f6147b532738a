package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/leveretmq/leveret/amqp"
)

// Listener is one address that AMQP is accepted on.
type Listener struct {
	Addr string // HOST:PORT; an empty host is all addresses, port 0 a free one
	TLS  bool   // Options.TLS has the certificate
}

// Sockets tunes what listeners accept. The zero value is Go's defaults.
type Sockets struct {
	Delay       bool // small writes wait for more (no TCP_NODELAY)
	NoKeepAlive bool
	// SendBuffer and ReceiveBuffer are octets of the kernel; 0: its choice.
	SendBuffer, ReceiveBuffer int
	// Proxy says that a load balancer begins each connection with a PROXY header
	// (version 1 or 2), which is believed. Nobody else may reach the listener.
	Proxy bool
}

// proxyTimeout bounds the wait for a PROXY header.
const proxyTimeout = 10 * time.Second

// tuned is a listener whose connections are tuned.
type tuned struct {
	net.Listener
	o Sockets
}

// Accept implements net.Listener. What cannot be tuned is taken as it is.
func (t tuned) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	s, ok := c.(*net.TCPConn)
	if err != nil || !ok {
		return c, err
	}
	if t.o.Delay {
		_ = s.SetNoDelay(false)
	}
	if t.o.SendBuffer > 0 {
		_ = s.SetWriteBuffer(t.o.SendBuffer)
	}
	if t.o.ReceiveBuffer > 0 {
		_ = s.SetReadBuffer(t.o.ReceiveBuffer)
	}
	return c, nil
}

// listen opens all listeners before the first one is served, so that a start
// that fails has let nobody in. What it logs is what tools wait for.
func (s *Server) listen(ctx context.Context) error {
	if err := s.bind(ctx); err != nil {
		return err
	}
	o := s.opt.Protocol
	o.Broker, o.Logger = s.broker, s.opt.Logger
	s.amqp = amqp.New(o)
	if err := s.listenHTTP(ctx); err != nil {
		return err
	}
	s.opt.Logger.Info("Ready to start client connection listeners")
	for n, l := range s.listeners {
		kind := "TCP"
		if s.opt.Listeners[n].TLS {
			kind = "TLS (SSL)"
		}
		s.opt.Logger.Info("started " + kind + " listener on " + l.Addr().String())
		s.wg.Go(func() { // ends when Shutdown closes the listener
			if err := s.amqp.Serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
				s.fail(err)
			}
		})
	}
	return nil
}

// bind opens the listeners, and the certificate that they need.
func (s *Server) bind(ctx context.Context) error {
	var lc net.ListenConfig
	if s.opt.Sockets.NoKeepAlive {
		lc.KeepAlive = -1
	}
	for _, o := range s.opt.Listeners {
		if o.TLS && s.identity.now.Load() == nil {
			s.identity.opt = s.opt.TLS
			if err := s.identity.load(); err != nil {
				return err
			}
		}
		l, err := lc.Listen(ctx, "tcp", o.Addr)
		if err != nil {
			return err
		}
		l = tuned{l, s.opt.Sockets}
		if s.opt.Sockets.Proxy {
			l = newProxyListener(l, s.opt.Logger, cmp.Or(s.opt.Protocol.HandshakeTimeout, proxyTimeout))
		}
		if o.TLS {
			l = tls.NewListener(l, s.identity.config())
		}
		s.listeners = append(s.listeners, l)
	}
	return nil
}

// Addrs are the addresses that AMQP is accepted on, in the order of the options.
func (s *Server) Addrs() []string {
	var all []string
	for _, l := range s.listeners {
		all = append(all, l.Addr().String())
	}
	return all
}
