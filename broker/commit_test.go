package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/leveretmq/leveret/broker/meta"
)

// slowMeta stores when the test says so.
type slowMeta struct {
	noMeta
	started chan string // the keys of each transaction
	answers chan error
}

func newSlowMeta() *slowMeta { return &slowMeta{started: make(chan string), answers: make(chan error)} }

func (m *slowMeta) Commit(cs []meta.Change) error {
	var keys []string
	for _, c := range cs {
		keys = append(keys, string(c.Key))
	}
	m.started <- strings.Join(keys, " ")
	return <-m.answers
}

func key(k string) []meta.Change { return []meta.Change{{Key: []byte(k), Value: []byte("v")}} }

// saver is a committer and what its replies have said, in their order.
type saver struct {
	*committer
	told   []string // read only while the committer waits
	errors []error  // what onError was called with
}

func newSaver(m Meta, log Log) *saver {
	s := &saver{}
	s.committer = newCommitter(Options{Meta: m, Log: log, Logger: slog.New(slog.DiscardHandler), OnError: func(err error) { s.errors = append(s.errors, err) }})
	return s
}

func (s *saver) put(pos uint64, k string) {
	var cs []meta.Change
	if k != "" {
		cs = key(k)
	}
	s.save(pos, cs, func(err error) { s.told = append(s.told, fmt.Sprint(k, ":", err)) })
}

func (s *saver) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(s.told, want) {
		t.Fatalf("told %q, want %q", s.told, want)
	}
}

// What comes while a transaction is written goes into one more, and everybody
// is answered in order.
func TestChangesAreCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newSlowMeta()
		s := newSaver(m, nil)
		s.put(0, "a")
		if got := <-m.started; got != "a" {
			t.Fatalf("stores %q, want a", got)
		}
		for _, k := range []string{"b", "", "c", "d"} { // no change of its own: waits for those before it
			s.put(0, k)
		}
		s.expect(t)
		m.answers <- nil
		if got := <-m.started; got != "b c d" {
			t.Fatalf("stores %q, want b c d", got)
		}
		s.expect(t, "a:<nil>")
		if s.done.Load() != 1 || s.ticket() != 5 {
			t.Fatalf("stored up to ticket %d of %d, want 1 of 5", s.done.Load(), s.ticket())
		}
		m.answers <- nil
		s.expect(t, "a:<nil>", "b:<nil>", ":<nil>", "c:<nil>", "d:<nil>")
		s.put(0, "") // nothing waits
		if n := len(s.told); n != 6 {
			t.Fatal("not answered at once when there is nothing to wait for")
		}
		if err := s.close(); err != nil || s.done.Load() != s.ticket() {
			t.Fatalf("close: %v, stored up to %d of %d", err, s.done.Load(), s.ticket())
		}
	})
}

// close stores what is left, even if it is being written to.
func TestCloseStoresTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newSlowMeta()
		s := newSaver(m, nil)
		s.put(0, "a")
		<-m.started
		s.put(0, "b")
		closed := make(chan error, 1)
		go func() { closed <- s.close() }() // ends below
		m.answers <- nil
		if got := <-m.started; got != "b" {
			t.Fatalf("stores %q, want b", got)
		}
		select {
		case <-closed:
			t.Fatal("closed before b is stored")
		default:
		}
		m.answers <- nil
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		s.expect(t, "a:<nil>", "b:<nil>")
	})
}

// A queue's tombstone is durable before the queue leaves the metadata.
func TestChangesFollowTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, log := newSlowMeta(), &stepLog{}
		s := newSaver(m, log)
		s.put(0, "first")
		<-m.started
		s.put(100, "a")
		s.put(50, "")
		m.answers <- nil
		synctest.Wait()
		for _, end := range []uint64{0, 51, 100} { // all below it
			log.sync(end)
			s.expect(t, "first:<nil>")
			select {
			case got := <-m.started:
				t.Fatalf("stores %q when the log is durable below %d", got, end)
			default:
			}
		}
		log.sync(101)
		if got := <-m.started; got != "a" {
			t.Fatalf("stores %q, want a", got)
		}
		m.answers <- nil
		s.expect(t, "first:<nil>", "a:<nil>", ":<nil>")
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	})
}

// After an error nothing more is stored: what comes later may build on what is
// lost, as a binding on its queue.
func TestNothingIsStoredAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newSlowMeta()
		s := newSaver(m, nil)
		s.put(0, "queue")
		<-m.started
		s.put(0, "binding")
		full := errors.New("disk full")
		m.answers <- full
		s.expect(t, "queue:disk full", "binding:disk full")
		s.put(0, "other")
		s.put(0, "")
		s.expect(t, "queue:disk full", "binding:disk full", "other:disk full", ":disk full")
		if !slices.Equal(s.errors, []error{full}) {
			t.Fatalf("reported %v, want the first error once", s.errors)
		}
		if s.done.Load() != 0 {
			t.Fatal("counts as stored, so that messages in the queue are confirmed")
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A deletion that waits for a log that has died is answered, and close ends.
func TestDeadLogEndsTheWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSaver(newSlowMeta(), &stepLog{})
		s.put(100, "a")
		s.expect(t)
		s.fail()
		s.expect(t, "a:the log has failed")
		s.put(100, "b")
		s.fail() // once more changes nothing
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		s.expect(t, "a:the log has failed", "b:the log has failed")
	})
}
