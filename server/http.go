package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/leveretmq/leveret/mgmt"
	"github.com/leveretmq/leveret/persistence"
)

// Web is what the management API and the metrics are beside their plain
// addresses in Options.
type Web struct {
	// HTTPS and SecureMetrics are addresses with TLS; empty is none.
	HTTPS, SecureMetrics                 string
	HTTPSCertificate, MetricsCertificate TLS
	API                                  mgmt.Settings
	Metrics                              mgmt.MetricsSettings
}

// web is the node's HTTP side; the zero value serves nothing.
type web struct {
	mgmt      *mgmt.Server // nil: not started
	listeners []*webListener
}

// webListener is one of its addresses.
type webListener struct {
	net.Listener
	protocol string    // as mgmt.Listener has it
	identity *identity // nil: plain
}

// The protocols of web listeners, by RabbitMQ's names.
const (
	plainAPI      = "http"
	secureAPI     = "https"
	plainMetrics  = "http/prometheus"
	secureMetrics = "https/prometheus"
)

// listenHTTP opens what the options ask for and serves it.
func (s *Server) listenHTTP(ctx context.Context) error {
	o := &s.opt
	for _, l := range []struct {
		addr, protocol string
		cert           *TLS
	}{
		{o.HTTP, plainAPI, nil}, {o.Web.HTTPS, secureAPI, &o.Web.HTTPSCertificate},
		{o.Metrics, plainMetrics, nil}, {o.Web.SecureMetrics, secureMetrics, &o.Web.MetricsCertificate},
	} {
		if err := s.web.open(ctx, l.addr, l.protocol, l.cert); err != nil {
			return err
		}
	}
	if len(s.web.listeners) == 0 {
		return nil
	}
	s.web.mgmt = mgmt.New(mgmt.Options{Broker: s.broker, AMQP: s.amqp, Node: s.node(), API: o.Web.API, Metrics: o.Web.Metrics, Logger: o.Logger})
	for _, l := range s.web.listeners {
		s.opt.Logger.Info(l.started())
		s.wg.Go(func() { // ends when Shutdown ends the API
			if err := l.serve(s.web.mgmt); err != nil {
				s.fail(err)
			}
		})
	}
	return nil
}

// open adds a listener, if there is an address.
func (w *web) open(ctx context.Context, addr, protocol string, cert *TLS) error {
	if addr == "" {
		return nil
	}
	l := &webListener{protocol: protocol}
	if cert != nil {
		l.identity = &identity{opt: *cert}
		if err := l.identity.load(); err != nil {
			return err
		}
	}
	var lc net.ListenConfig
	var err error
	if l.Listener, err = lc.Listen(ctx, "tcp", addr); err != nil {
		return err
	}
	if l.identity != nil {
		l.Listener = tls.NewListener(l.Listener, l.identity.config())
	}
	w.listeners = append(w.listeners, l)
	return nil
}

// started is what tools wait for in the log.
func (l *webListener) started() string {
	what, how := "Management plugin", "HTTP (non-TLS)"
	if l.protocol == plainMetrics || l.protocol == secureMetrics {
		what = "Prometheus metrics"
	}
	if l.identity != nil {
		how = "HTTPS"
	}
	return fmt.Sprintf("%s: %s listener started on port %d", what, how, l.Addr().(*net.TCPAddr).Port)
}

func (l *webListener) serve(m *mgmt.Server) error {
	if l.protocol == plainMetrics || l.protocol == secureMetrics {
		return m.ServeMetrics(l)
	}
	return m.Serve(l)
}

// reload reads the certificates again.
func (w *web) reload() error {
	var errs []error
	for _, l := range w.listeners {
		if l.identity != nil {
			errs = append(errs, l.identity.load())
		}
	}
	return errors.Join(errs...)
}

// node is what the API shows of the process.
func (s *Server) node() mgmt.Node {
	mechanisms := s.opt.Protocol.Mechanisms
	if mechanisms == nil {
		mechanisms = []string{"AMQPLAIN", "PLAIN"}
	}
	return mgmt.Node{Started: time.Now(), DataDir: s.opt.DataDir, Mechanisms: slices.Clone(mechanisms),
		ConfigFiles: s.opt.ConfigFiles, Plugins: s.opt.Plugins, Listeners: s.shownListeners, Resources: s.resources}
}

func (s *Server) shownListeners() []mgmt.Listener {
	var all []mgmt.Listener
	for n, l := range s.listeners {
		shown := mgmt.Listener{Protocol: "amqp", Addr: l.Addr()}
		if s.opt.Listeners[n].TLS {
			shown.Protocol, shown.NotAfter = "amqp/ssl", s.identity.expiry()
		}
		all = append(all, shown)
	}
	for _, l := range s.web.listeners {
		all = append(all, mgmt.Listener{Protocol: l.protocol, Addr: l.Addr(), NotAfter: l.identity.expiry()})
	}
	return all
}

// expiry is when the certificate ends, zero when there is none.
func (i *identity) expiry() time.Time {
	if i == nil {
		return time.Time{}
	}
	c := i.now.Load()
	if c == nil || len(c.Certificates) == 0 || len(c.Certificates[0].Certificate) == 0 {
		return time.Time{}
	}
	cert, err := x509.ParseCertificate(c.Certificates[0].Certificate[0])
	if err != nil {
		return time.Time{}
	}
	return cert.NotAfter
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
	if w.mgmt != nil {
		return w.mgmt.Shutdown(ctx)
	}
	for _, l := range w.listeners {
		_ = l.Close() // nothing was served
	}
	return nil
}

// HTTPAddr is the address of the management API, empty when it is off.
func (s *Server) HTTPAddr() string { return s.web.addr(plainAPI) }

// HTTPSAddr is the address of the management API with TLS, empty when it is off.
func (s *Server) HTTPSAddr() string { return s.web.addr(secureAPI) }

// MetricsAddr is the address of the Prometheus metrics, empty when they are off.
func (s *Server) MetricsAddr() string { return s.web.addr(plainMetrics) }

func (w *web) addr(protocol string) string {
	for _, l := range w.listeners {
		if l.protocol == protocol {
			return l.Addr().String()
		}
	}
	return ""
}
