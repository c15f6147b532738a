package mgmt

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"

	"github.com/leveretmq/leveret/broker"
)

// Options say what the API is over.
type Options struct {
	Broker *broker.Broker
	Logger *slog.Logger // nil: slog.Default
}

// Server answers the management API.
type Server struct {
	opt    Options
	http   *http.Server
	logins attempts
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

// New returns a Server over opt.Broker.
func New(opt Options) *Server {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	s := &Server{opt: opt}
	s.http = &http.Server{
		Handler: s.handler(), MaxHeaderBytes: headMost, ReadHeaderTimeout: headWait,
		ReadTimeout: readWait, WriteTimeout: answerWait, IdleTimeout: idleWait,
		ErrorLog: slog.NewLogLogger(opt.Logger.Handler(), slog.LevelDebug),
	}
	return s
}

// Handler is the API as a handler.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Serve answers what comes by l until Shutdown. It closes l.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown ends the serving; calls under way may end until ctx does.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		_ = s.http.Close() // what is left is cut off
	}
	return err
}

// handler puts the route table behind one router.
func (s *Server) handler() http.Handler {
	m := mux.NewRouter().UseEncodedPath().SkipClean(true)
	m.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.newCall(w, r).fail(missing())
	})
	for _, e := range endpoints(routes) {
		m.Handle(e.path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.serve(s.newCall(w, r)) }))
	}
	return trimmed(m)
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
