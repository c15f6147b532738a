// Package server puts one node together: the log and metadata of package
// persistence, the broker, and its AMQP listener. It is the Go API for
// embedding a broker; any number of nodes may run in one process.
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/persistence"
)

// Options says what node to start. The zero value is a broker in memory on a
// free port of the loopback interface.
type Options struct {
	// DataDir holds everything durable; empty keeps it in memory.
	DataDir string
	// AMQP is the address to listen on, 127.0.0.1:0 by default.
	AMQP string
	// Listeners are the addresses to listen on when there are several; AMQP is
	// left out then. The first is that of URL.
	Listeners []Listener
	TLS       TLS
	Sockets   Sockets
	// Protocol holds limits and timeouts of AMQP; its Broker and Logger are set
	// by Start.
	Protocol amqp.Options
	// HTTP is the address of the management API; empty is none.
	HTTP string
	// Metrics is the address of the Prometheus metrics; empty is none.
	Metrics string
	Web     Web
	// ConfigFiles and Plugins are shown by the management API: what the node was
	// configured by, and RabbitMQ's names of what it is taken to have.
	ConfigFiles, Plugins []string
	// Compatibility is the RabbitMQ version whose answers are given: 3.10, 3.13
	// or 4.3; empty is 3.13.
	Compatibility string
	// Version is RabbitMQ's version that clients are told; empty is that of
	// Compatibility.
	Version string
	// NodeName is shown to clients; leveret@<host> by default.
	NodeName string
	// ClusterName is shown to clients in its place; it is kept. Empty: the one
	// kept, else NodeName.
	ClusterName string
	// FirstBoot is what an empty DataDir is filled with.
	FirstBoot broker.FirstBoot
	// Definitions is a file, or a directory of .json files, that is imported at
	// each start and by Reload; FirstBoot has no effect then. Empty: none.
	Definitions string
	// LoopbackUsers may log in from this machine only; nil is guest.
	LoopbackUsers []string
	// Events is the virtual host whose exchange amq.rabbitmq.event tells what
	// happens; empty: none does.
	Events string
	// LogExchange, which Logger has to go through, publishes the log to
	// amq.rabbitmq.log in the first virtual host; nil: it is not published.
	LogExchange *broker.LogExchange
	// Limits bounds what the whole node has.
	Limits broker.NodeLimits
	// ConsumerTimeout is as in broker.Options.
	ConsumerTimeout time.Duration
	// Salvage starts on a damaged log, leaving out what cannot be read, and
	// without the metadata that a log belongs to.
	Salvage bool
	// Watermarks are zero, hence none, in a broker for tests.
	Watermarks Watermarks
	Logger     *slog.Logger
	// fs is the file system of the log, for tests; nil: the machine's.
	fs persistence.FS
}

func (o Options) withDefaults() Options {
	if o.AMQP == "" {
		o.AMQP = "127.0.0.1:0"
	}
	if len(o.Listeners) == 0 {
		o.Listeners = []Listener{{Addr: o.AMQP}}
	}
	if o.Definitions != "" {
		o.FirstBoot.Nothing = true
	}
	if o.NodeName == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "localhost"
		}
		o.NodeName = "leveret@" + host
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.fs == nil {
		o.fs = persistence.OS(o.DataDir)
	}
	return o
}

// Server is a running node.
type Server struct {
	opt       Options
	lock      io.Closer
	meta      persistence.Meta
	log       *persistence.Log
	broker    *broker.Broker
	amqp      *amqp.Server
	listeners []net.Listener // as in opt.Listeners
	identity  identity
	web       web
	wg        sync.WaitGroup
	failed    chan error // the first error that ended the node
	stopped   chan struct{}
	stop      sync.Once
	stopErr   error
}

// Start starts a node; when it returns, AMQP is accepted. ctx bounds the start
// only.
func Start(ctx context.Context, o Options) (*Server, error) {
	s := &Server{opt: o.withDefaults(), failed: make(chan error, 1), stopped: make(chan struct{})}
	err := s.open()
	if err == nil {
		err = s.importDefinitions(ctx)
	}
	if err == nil {
		err = s.nameCluster(ctx)
	}
	if err == nil {
		s.tell()
	}
	if err == nil {
		err = s.listen(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.release(ctx))
	}
	s.startWatch()
	return s, nil
}

// open opens what the node keeps, and the broker over it.
func (s *Server) open() error {
	var log *logAdapter
	incarnation, err := s.openStore()
	if err != nil {
		return err
	}
	o := broker.Options{Meta: metaAdapter{s.meta}, Clock: wallClock{}, Rand: rand.Reader, Logger: s.opt.Logger,
		Compatibility: s.opt.Compatibility, Version: s.opt.Version, NodeName: s.opt.NodeName,
		FirstBoot: s.opt.FirstBoot, LoopbackUsers: s.opt.LoopbackUsers, Limits: s.opt.Limits, ConsumerTimeout: s.opt.ConsumerTimeout, OnError: s.fail}
	if s.opt.DataDir != "" {
		log = &logAdapter{}
		o.Log = log
	}
	if s.broker, err = broker.Open(o); err != nil || log == nil {
		return err
	}
	s.log, err = persistence.Open(persistence.Options{FS: s.opt.fs, Owner: s.broker, Locked: true,
		Incarnation: incarnation, Salvage: s.opt.Salvage, OnError: s.logFailed,
		OnFull: func(full bool) { s.broker.SetAlarm(broker.DiskAlarm, full) }, Logger: s.opt.Logger})
	if err != nil {
		return fmt.Errorf("open message store in %s: %w", s.opt.DataDir, err)
	}
	log.Log = s.log
	s.broker.Restored(s.log.Clean())
	if n := s.log.Stats().Orphans; n > 0 {
		s.opt.Logger.Warn("records of queues that do not exist are kept in the message store", "records", n)
	}
	return nil
}

// openStore locks the data directory and opens the metadata.
func (s *Server) openStore() (incarnation uint64, err error) {
	dir := s.opt.DataDir
	if dir == "" {
		s.meta = persistence.NewMemoryMeta()
		return 1, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return 0, err
	}
	if s.lock, err = persistence.LockDir(dir); err != nil {
		return 0, err
	}
	if err := s.checkMeta(); err != nil {
		return 0, err
	}
	if s.meta, err = persistence.OpenMeta(filepath.Join(dir, "meta.db")); err != nil {
		return 0, fmt.Errorf("open metadata in %s: %w", dir, err)
	}
	return nextIncarnation(s.meta)
}

// checkMeta refuses a log whose metadata is gone: the queues of its messages
// would be gone too, without a word. Metadata is always made first.
func (s *Server) checkMeta() error {
	log := filepath.Join(s.opt.DataDir, "log")
	files, err := os.ReadDir(log)
	isSegment := func(f fs.DirEntry) bool { return filepath.Ext(f.Name()) == ".seg" } // text logs may be there too
	if errors.Is(err, fs.ErrNotExist) || !slices.ContainsFunc(files, isSegment) || s.opt.Salvage {
		return nil
	}
	if err == nil {
		_, err = os.Stat(filepath.Join(s.opt.DataDir, "meta.db"))
	}
	if err != nil {
		return fmt.Errorf("metadata of the messages in %s: %w", log, err)
	}
	return nil
}

// fail notes the error that ends the node; the first one counts.
func (s *Server) fail(err error) {
	select {
	case s.failed <- err:
		s.opt.Logger.Error("node cannot go on", "err", err)
	default:
	}
}

// logFailed tells the broker too, after the error itself: it counts.
func (s *Server) logFailed(err error) {
	s.fail(err)
	s.broker.Fail()
}

// Err gives the error that ended the node, when one has.
func (s *Server) Err() <-chan error { return s.failed }

// Addr is the address that AMQP is accepted on, the first of several.
func (s *Server) Addr() string { return s.listeners[0].Addr().String() }

// URL is what a client on this machine connects to.
func (s *Server) URL() string {
	scheme := "amqp"
	if s.opt.Listeners[0].TLS {
		scheme = "amqps"
	}
	return scheme + "://guest:guest@" + s.Addr() + "/"
}

// Shutdown ends all connections with 320, keeps what has to be kept, and
// returns when nothing of the node runs any more.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop.Do(func() { s.stopErr = s.release(ctx) })
	return s.stopErr
}

// release ends whatever of the node was started, last first.
func (s *Server) release(ctx context.Context) error {
	close(s.stopped)
	errs := []error{s.web.close(ctx)}
	if s.amqp != nil {
		errs = append(errs, s.amqp.Shutdown(ctx)) // bounds its own wait for clients
	}
	for _, l := range s.listeners {
		_ = l.Close() // Shutdown has closed those that were served
	}
	s.wg.Wait()
	if s.broker != nil {
		errs = append(errs, s.broker.Close(ctx))
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.meta != nil {
		errs = append(errs, s.meta.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}
