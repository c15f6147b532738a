// Package servertest starts a broker inside a Go test, as net/http/httptest
// starts a web server.
package servertest

import (
	"context"
	"testing"

	"github.com/leveretmq/leveret/server"
)

// Options says what broker to start; the zero value is one in memory.
type Options struct {
	// Dir keeps what is durable; a later broker on it goes on.
	Dir string
	// Compatibility is as server.Options has it.
	Compatibility string
	// NodeName is as server.Options has it.
	NodeName string
	// HTTP is the address of the management API; empty is none.
	HTTP string
	// Metrics is the address of the Prometheus metrics; empty is none.
	Metrics string
}

// Start starts a broker on a free port of the loopback interface. It is shut
// down when the test ends.
func Start(t testing.TB, o ...Options) *server.Server {
	t.Helper()
	var opt Options
	if len(o) > 0 {
		opt = o[0]
	}
	s, err := server.Start(t.Context(), server.Options{DataDir: opt.Dir, Compatibility: opt.Compatibility, HTTP: opt.HTTP, Metrics: opt.Metrics, NodeName: opt.NodeName})
	if err != nil {
		t.Fatalf("start broker: %v", err)
	}
	t.Cleanup(func() {
		// The test's own context is done by now.
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("shut down broker: %v", err)
		}
	})
	return s
}
