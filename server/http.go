package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/leveretmq/leveret/mgmt"
	"github.com/leveretmq/leveret/persistence"
)

// web is the node's HTTP side; the zero value serves nothing.
type web struct {
	mgmt         *mgmt.Server // nil: both are off
	api, metrics net.Listener // nil: off
}

// listenHTTP opens what the options ask for and serves it.
func (s *Server) listenHTTP(ctx context.Context) (err error) {
	if s.opt.HTTP == "" && s.opt.Metrics == "" {
		return nil
	}
	w := &s.web
	if w.api, err = listenTCP(ctx, s.opt.HTTP); err != nil {
		return err
	}
	if w.metrics, err = listenTCP(ctx, s.opt.Metrics); err != nil {
		return err
	}
	w.mgmt = mgmt.New(mgmt.Options{Broker: s.broker, AMQP: s.amqp, Node: s.node(), Logger: s.opt.Logger})
	if w.api != nil {
		s.opt.Logger.Info(fmt.Sprintf("Management plugin: HTTP (non-TLS) listener started on port %d", w.api.Addr().(*net.TCPAddr).Port))
		s.serveHTTP(w.api, w.mgmt.Serve)
	}
	if w.metrics != nil {
		s.opt.Logger.Info(fmt.Sprintf("Prometheus metrics: HTTP (non-TLS) listener started on port %d", w.metrics.Addr().(*net.TCPAddr).Port))
		s.serveHTTP(w.metrics, w.mgmt.ServeMetrics)
	}
	return nil
}

// listenTCP gives nil for no address.
func listenTCP(ctx context.Context, addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", addr)
}

func (s *Server) serveHTTP(l net.Listener, serve func(net.Listener) error) {
	s.wg.Go(func() { // ends when Shutdown ends the API
		if err := serve(l); err != nil {
			s.fail(err)
		}
	})
}

// node is what the API shows of the process.
func (s *Server) node() mgmt.Node {
	return mgmt.Node{Started: time.Now(), DataDir: s.opt.DataDir, Mechanisms: []string{"PLAIN", "AMQPLAIN"},
		ConfigFiles: s.opt.ConfigFiles, Plugins: s.opt.Plugins,
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
	if s.web.api != nil {
		all = append(all, mgmt.Listener{Protocol: "http", Addr: s.web.api.Addr()})
	}
	if s.web.metrics != nil {
		all = append(all, mgmt.Listener{Protocol: "http/prometheus", Addr: s.web.metrics.Addr()})
	}
	return all
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
	if w.mgmt == nil {
		return errors.Join(closeIfOpen(w.api), closeIfOpen(w.metrics))
	}
	return w.mgmt.Shutdown(ctx)
}

func closeIfOpen(l net.Listener) error {
	if l == nil {
		return nil
	}
	return l.Close()
}

// HTTPAddr is the address of the management API, empty when it is off.
func (s *Server) HTTPAddr() string { return addrOf(s.web.api) }

// MetricsAddr is the address of the Prometheus metrics, empty when they are off.
func (s *Server) MetricsAddr() string { return addrOf(s.web.metrics) }

func addrOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}
