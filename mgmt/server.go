package mgmt

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"

	"github.com/leveretmq/leveret/broker"
)

// Options say what the API is over.
type Options struct {
	Broker  *broker.Broker
	AMQP    Connections
	Node    Node
	API     Settings
	Metrics MetricsSettings
	Logger  *slog.Logger // nil: slog.Default
}

// Server answers the management API.
type Server struct {
	opt       Options
	endpoints []*endpoint
	http      *http.Server
	metrics   *http.Server
	logins    attempts
	samples   *sampler
	stop      context.CancelFunc // ends the sampler
	wg        sync.WaitGroup
}

// Limits of a call. A client that is slower, or sends more, is cut off.
const (
	bodyMost   = 20_000_000 // octets (RabbitMQ)
	headMost   = 64 << 10
	headWait   = 10 * time.Second
	readWait   = time.Minute
	answerWait = 5 * time.Minute
	idleWait   = time.Minute
)

// New returns a Server over opt.Broker, which takes samples until Shutdown.
func New(opt Options) *Server {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	s := &Server{opt: opt, endpoints: endpoints(routes)}
	s.samples = &sampler{broker: opt.Broker, conns: opt.AMQP, machine: s.machine, tracks: map[series]*track{}}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.wg.Go(func() { s.samples.run(ctx) }) // until Shutdown
	s.http = s.bounded(s.handler())
	s.metrics = s.bounded(s.MetricsHandler())
	return s
}

// bounded cuts off clients that are slow or endless.
func (s *Server) bounded(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, MaxHeaderBytes: headMost, ReadHeaderTimeout: headWait,
		ReadTimeout: readWait, WriteTimeout: answerWait, IdleTimeout: idleWait,
		ErrorLog: slog.NewLogLogger(s.opt.Logger.Handler(), slog.LevelDebug),
	}
}

// Handler is the API as a handler.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Serve answers what comes by l until Shutdown. It closes l.
func (s *Server) Serve(l net.Listener) error { return serve(s.http, l) }

func serve(h *http.Server, l net.Listener) error {
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown ends the serving; calls under way may end until ctx does.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	defer s.wg.Wait()
	err := errors.Join(s.http.Shutdown(ctx), s.metrics.Shutdown(ctx))
	if err != nil {
		_, _ = s.http.Close(), s.metrics.Close() // what is left is cut off
	}
	return err
}

// handler puts the route table behind one router.
func (s *Server) handler() http.Handler {
	m := mux.NewRouter().UseEncodedPath().SkipClean(true)
	m.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.newCall(w, r).fail(missing())
	})
	for _, e := range s.endpoints {
		m.Handle(e.path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.serve(s.newCall(w, r)) }))
	}
	return s.opt.API.prefixed(trimmed(m))
}

// trimmed takes one slash off the end of a path: RabbitMQ does not mind it.
func trimmed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := r.URL.EscapedPath(); len(path) > len("/api/") && path[len(path)-1] == '/' {
			u := *r.URL
			u.RawPath, u.Path = path[:len(path)-1], u.Path[:len(u.Path)-1]
			r = r.WithContext(r.Context())
			r.URL = &u
		}
		next.ServeHTTP(w, r)
	})
}

// attempts counts logins.
type attempts struct{ good, bad atomic.Uint64 }

func (a *attempts) count(good bool) {
	if good {
		a.good.Add(1)
	} else {
		a.bad.Add(1)
	}
}

// node is the node's name.
func (s *Server) node() string { return s.opt.Broker.NodeName() }
