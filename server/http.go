package server

import (
	"context"
	"net"

	"github.com/leveretmq/leveret/mgmt"
)

// web is the node's HTTP side; the zero value serves nothing.
type web struct {
	api      *mgmt.Server
	listener net.Listener // nil: off
}

// listenHTTP opens what the options ask for and serves it.
func (s *Server) listenHTTP(ctx context.Context) error {
	if s.opt.HTTP == "" {
		return nil
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.opt.HTTP)
	if err != nil {
		return err
	}
	s.web.listener = l
	s.web.api = mgmt.New(mgmt.Options{Broker: s.broker, Logger: s.opt.Logger})
	s.wg.Go(func() { // ends when Shutdown ends the API
		if err := s.web.api.Serve(l); err != nil {
			s.fail(err)
		}
	})
	return nil
}

// close ends the serving.
func (w *web) close(ctx context.Context) error {
	if w.api == nil {
		return nil
	}
	return w.api.Shutdown(ctx)
}

// HTTPAddr is the address of the management API, empty when it is off.
func (s *Server) HTTPAddr() string {
	if s.web.listener == nil {
		return ""
	}
	return s.web.listener.Addr().String()
}
