package server

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/leveretmq/leveret/mgmt"
	"github.com/leveretmq/leveret/persistence"
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
	s.web.api = mgmt.New(mgmt.Options{Broker: s.broker, AMQP: s.amqp, Node: s.node(), Logger: s.opt.Logger})
	s.opt.Logger.Info(fmt.Sprintf("Management plugin: HTTP (non-TLS) listener started on port %d", l.Addr().(*net.TCPAddr).Port))
	s.wg.Go(func() { // ends when Shutdown ends the API
		if err := s.web.api.Serve(l); err != nil {
			s.fail(err)
		}
	})
	return nil
}

// node is what the API shows of the process.
func (s *Server) node() mgmt.Node {
	return mgmt.Node{Started: time.Now(), DataDir: s.opt.DataDir, Mechanisms: []string{"PLAIN", "AMQPLAIN"},
		Listeners: s.shownListeners, Resources: s.resources}
}

func (s *Server) shownListeners() []mgmt.Listener {
	var all []mgmt.Listener
	for n, l := range s.listeners {
		shown := mgmt.Listener{Protocol: "amqp", Addr: l.Addr()}
		if s.opt.Listeners[n].TLS {
			shown.Protocol = "amqp/ssl"
		}
		all = append(all, shown)
	}
	return append(all, mgmt.Listener{Protocol: "http", Addr: s.web.listener.Addr()})
}

// resources are what the watermarks are held against.
func (s *Server) resources() mgmt.Resources {
	r := mgmt.Resources{MemoryUsed: memoryUsed(), MemoryLimit: s.opt.Watermarks.Memory, DiskLimit: s.opt.Watermarks.DiskFree}
	if s.opt.DataDir != "" {
		r.DiskFree, _ = persistence.DiskFree(s.opt.DataDir) // 0 when that is not known
	}
	return r
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
