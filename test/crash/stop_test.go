package crash

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/test/harness"
	"github.com/leveretmq/leveret/test/harness/client"
)

// TestTerminate sends SIGTERM to a broker with connections of all kinds: each
// is told, and the process ends with exit code 0.
func TestTerminate(t *testing.T) {
	broker := harness.Start(t)
	idle := client.Open(t, broker.URL())
	consuming := client.Open(t, broker.URL())
	consuming.Declare("stop.consumed", true, nil)
	consuming.Deliveries("stop.consumed", false)
	publishing := client.Open(t, broker.URL())
	publishing.Declare("stop.published", true, nil)
	closed := map[string]chan *amqp.Error{}
	for name, channel := range map[string]*client.Channel{"idle": idle, "consuming": consuming, "publishing": publishing} {
		closed[name] = channel.Connection.NotifyClose(make(chan *amqp.Error, 1))
	}
	ended := publishUntilClosed(publishing, "stop.published")

	begin := time.Now()
	if code := broker.Terminate(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if took := time.Since(begin); took > 3*time.Second && !harness.External() {
		t.Errorf("took %v although every client answered", took)
	}
	<-ended
	const reason = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"
	for name, notified := range closed {
		err := <-notified
		if err == nil || err.Code != amqp.ConnectionForced || err.Reason != reason {
			t.Errorf("the %s connection closed with %v, want 320 %q", name, err, reason)
		}
	}
	if conn, err := net.Dial("tcp", broker.Address()); err == nil {
		conn.Close()
		t.Error("something still listens on the port")
	}
}

// publishUntilClosed publishes without a pause; the result is closed when a
// publish has failed.
func publishUntilClosed(channel *client.Channel, queue string) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: make([]byte, 100)}
		for channel.PublishWithContext(context.Background(), "", queue, false, false, m) == nil {
		}
	}()
	return ended
}

// TestTerminateWithDeafClient has a client that never answers the close: the
// broker ends in time all the same.
func TestTerminateWithDeafClient(t *testing.T) {
	broker := harness.Start(t)
	var conn *deaf
	connection, err := amqp.DialConfig(broker.URL(), amqp.Config{Dial: func(network, address string) (net.Conn, error) {
		c, err := net.Dial(network, address)
		conn = &deaf{Conn: c, freed: make(chan struct{})}
		return conn, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	conn.frozen.Store(true)
	broker.Stop() // fails after ten seconds
	close(conn.freed)
	connection.Close()
}

// deaf is a connection on which nothing arrives any more once it is frozen.
type deaf struct {
	net.Conn
	frozen atomic.Bool
	freed  chan struct{}
}

// Read implements net.Conn.
func (d *deaf) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if d.frozen.Load() {
		<-d.freed
	}
	return n, err
}

// TestSecondProcess starts a broker on a data directory that is in use.
func TestSecondProcess(t *testing.T) {
	if harness.External() {
		t.Log("a matter of Leveret's own")
		return
	}
	broker := harness.Start(t)
	channel := client.Open(t, broker.URL())
	channel.Declare("second.work", true, nil)
	channel.Publish("second.work", amqp.Persistent, "kept")

	out, code := refused(t, broker.Dir())
	if code == 0 || !strings.Contains(out, broker.Dir()) || !strings.Contains(out, "in use") {
		t.Errorf("the second process ended with exit code %d and said %q", code, out)
	}
	if got := string(channel.Pull("second.work").Body); got != "kept" {
		t.Errorf("the first process then delivered %q", got)
	}
}

// TestNewerFormat starts a broker on a directory that a later version wrote.
func TestNewerFormat(t *testing.T) {
	if harness.External() {
		t.Log("a matter of Leveret's own")
		return
	}
	broker := harness.Start(t)
	broker.Stop()
	if err := os.WriteFile(filepath.Join(broker.Dir(), "format"), []byte("4711\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, code := refused(t, broker.Dir())
	if code == 0 || !strings.Contains(out, "format 4711") {
		t.Errorf("exit code %d, output %q", code, out)
	}
}

// refused runs a broker that must not start, and returns what it said.
func refused(t *testing.T, dir string) (string, int) {
	t.Helper()
	cmd := harness.Command(t, "server", "--data-dir", dir, "--amqp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
	limit := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	out, _ := cmd.CombinedOutput() // the exit code says the same
	return string(out), cmd.ProcessState.ExitCode()
}
