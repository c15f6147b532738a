package server

import (
	"context"
	"errors"
	"net"

	"github.com/leveretmq/leveret/amqp"
)

// Listener is one address that AMQP is accepted on.
type Listener struct {
	Addr string // HOST:PORT; an empty host is all addresses, port 0 a free one
}

// listen opens all listeners before the first one is served, so that a start
// that fails has let nobody in. What it logs is what tools wait for.
func (s *Server) listen(ctx context.Context) error {
	var lc net.ListenConfig
	for _, o := range s.opt.Listeners {
		l, err := lc.Listen(ctx, "tcp", o.Addr)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
	}
	o := s.opt.Protocol
	o.Broker, o.Logger = s.broker, s.opt.Logger
	s.amqp = amqp.New(o)
	s.opt.Logger.Info("Ready to start client connection listeners")
	for _, l := range s.listeners {
		s.opt.Logger.Info("started TCP listener on " + l.Addr().String())
		s.wg.Go(func() { // ends when Shutdown closes the listener
			if err := s.amqp.Serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
				s.fail(err)
			}
		})
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
