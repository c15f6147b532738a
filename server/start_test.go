package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/persistence"
)

// begun starts a node that is shut down at the end of the test at the latest.
func begun(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) }) // its error has been seen
	return s
}

// fill puts a durable queue with some messages into a data directory.
func fill(t *testing.T, dir string) {
	t.Helper()
	s := begun(t, Options{DataDir: dir})
	n := &node{t: t, b: s.broker}
	c := n.session()
	done := make(chan error, 1)
	c.DeclareQueue(&wire.QueueDeclare{Queue: "q", Durable: true}, func(_ broker.QueueInfo, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	p := c.NewPublisher(1, returned{})
	for range 100 {
		n.publish(p, message{key: "q", persistent: true, size: 1000})
	}
	p.Flush()
	p.Close()
	c.Close()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// flip changes one octet of the file that the pattern finds.
func flip(t *testing.T, pattern string, at int64) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no file %s, %v", pattern, err)
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 0x40
	if err := os.WriteFile(names[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A start that fails says why, and leaves nothing behind: no goroutine, no
// listener, no lock.
func TestStartsThatFail(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, k := range []struct {
		name    string
		prepare func(t *testing.T, o *Options)
		want    string
		over    bool // the same directory starts once the option is gone
	}{
		{"compatibility", func(_ *testing.T, o *Options) { o.Compatibility = "2.0" }, `compatibility "2.0": must be 3.10, 3.13 or 4.3`, true},
		{"address in use", func(_ *testing.T, o *Options) { o.AMQP = taken.Addr().String() }, "address already in use", true},
		{"address of the API in use", func(_ *testing.T, o *Options) { o.HTTP = taken.Addr().String() }, "address already in use", true},
		{"no address", func(_ *testing.T, o *Options) { o.AMQP = "nonsense" }, "missing port in address", true},
		{"directory is a file", func(t *testing.T, o *Options) {
			o.DataDir = filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(o.DataDir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not a directory", false},
		{"directory in use", func(t *testing.T, o *Options) { begun(t, Options{DataDir: o.DataDir}) }, "in use", false},
		{"metadata damaged", func(t *testing.T, o *Options) {
			if err := os.WriteFile(filepath.Join(o.DataDir, "meta.db"), []byte(strings.Repeat("nonsense", 4096)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "open metadata in", false},
		{"metadata missing", func(t *testing.T, o *Options) {
			if err := os.Remove(filepath.Join(o.DataDir, "meta.db")); err != nil {
				t.Fatal(err)
			}
		}, "meta.db: no such file", false},
		{"log damaged", func(t *testing.T, o *Options) { flip(t, filepath.Join(o.DataDir, "log", "0*.seg"), 0) }, "segment header is damaged", false},
		{"definitions missing", func(_ *testing.T, o *Options) { o.Definitions = filepath.Join(o.DataDir, "none.json") }, "none.json", true},
	} {
		t.Run(k.name, func(t *testing.T) {
			o := Options{DataDir: t.TempDir()}
			fill(t, o.DataDir)
			dir := o.DataDir
			before := goleak.IgnoreCurrent()
			k.prepare(t, &o)
			if k.name == "directory in use" {
				before = goleak.IgnoreCurrent()
			}
			s, err := Start(t.Context(), o)
			if err == nil {
				_ = s.Shutdown(t.Context())
				t.Fatal("it starts")
			}
			if !strings.Contains(err.Error(), k.want) {
				t.Errorf("%q, want %q in it", err, k.want)
			}
			if err := goleak.Find(before); err != nil {
				t.Error(err)
			}
			if k.over {
				begun(t, Options{DataDir: dir})
			}
		})
	}
}

// Without its metadata a log is opened on demand only; what it holds is kept,
// and said.
func TestSalvageWithoutMetadata(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	if err := os.Remove(filepath.Join(dir, "meta.db")); err != nil {
		t.Fatal(err)
	}
	told := new(complaints)
	s := begun(t, Options{DataDir: dir, Salvage: true, Logger: slog.New(slog.NewTextHandler(told, nil))})
	if n := s.log.Stats().Orphans; n != 100 {
		t.Errorf("%d records are kept, want 100", n)
	}
	if text := told.String(); !strings.Contains(text, "records=100") {
		t.Errorf("nothing was said of them: %s", text)
	}
}

// The first write error ends the node: it is told, what waits is answered, and
// Shutdown ends.
func TestWriteErrorEndsTheNode(t *testing.T) {
	fs := persistence.NewMemory()
	s := begun(t, Options{DataDir: t.TempDir(), fs: fs})
	n := &node{t: t, b: s.broker}
	c := n.session()
	declared := make(chan error, 1)
	c.DeclareQueue(&wire.QueueDeclare{Queue: "q", Durable: true}, func(_ broker.QueueInfo, err error) { declared <- err })
	if err := <-declared; err != nil {
		t.Fatal(err)
	}
	broken := errors.New("input/output error")
	fs.SetFault(func(_ int, op, _ string) error {
		if op == "write" || op == "sync" {
			return broken
		}
		return nil
	})
	deleted := make(chan error, 1)
	c.DeleteQueue(&wire.QueueDelete{Queue: "q"}, func(_ int, err error) { deleted <- err })
	wait := func(what string, ch <-chan error, want error) {
		t.Helper()
		select {
		case err := <-ch:
			if err == nil || want != nil && !errors.Is(err, want) {
				t.Fatalf("%s: %v, want %v", what, err, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: nothing", what)
		}
	}
	wait("Err", s.Err(), broken)
	wait("the deletion that waits for the log", deleted, nil)
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(context.Background()) }() // ends below
	wait("Shutdown", ended, broken)
	if err := s.Shutdown(t.Context()); !errors.Is(err, broken) {
		t.Fatalf("once more: %v, want the same", err)
	}
}

// Each start has a number of its own: what an earlier one has spilled is dead.
func TestIncarnations(t *testing.T) {
	m := persistence.NewMemoryMeta()
	for want := uint64(1); want < 4; want++ {
		if got, err := nextIncarnation(m); err != nil || got != want {
			t.Fatalf("%d, %v; want %d", got, err, want)
		}
	}
	err := metaAdapter{m}.Load(func(key, _ []byte) error {
		t.Errorf("the broker is shown key %q", key)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Commit([]persistence.Change{{Key: []byte{incarnationKey}, Value: []byte("odd")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := nextIncarnation(m); err == nil || err.Error() != "metadata: incarnation has 3 octets, not 8" {
		t.Fatalf("a damaged number: %v", err)
	}
	full := errors.New("disk full")
	m = persistence.NewMemoryMeta()
	m.SetFault(func([]persistence.Change) error { return full })
	if _, err := nextIncarnation(m); !errors.Is(err, full) {
		t.Fatalf("a number that cannot be stored: %v", err)
	}
}

// Nodes in one process know nothing of each other.
func TestNodesSideBySide(t *testing.T) {
	a, b := begun(t, Options{}), begun(t, Options{})
	n, m := &node{t: t, b: a.broker}, &node{t: t, b: b.broker}
	done := make(chan error, 2)
	n.session().DeclareQueue(&wire.QueueDeclare{Queue: "q"}, func(_ broker.QueueInfo, err error) { done <- err })
	m.session().DeclareQueue(&wire.QueueDeclare{Queue: "q", Passive: true}, func(_ broker.QueueInfo, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var e *wire.Error
	if err := <-done; !errors.As(err, &e) || e.Code != wire.NotFound {
		t.Fatalf("the other node's queue: %v, want 404", err)
	}
	if a.URL() == b.URL() {
		t.Fatal("two nodes at one address")
	}
}
