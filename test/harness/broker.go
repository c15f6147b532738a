package harness

import (
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	readyLine = "Server startup complete" // the last line the broker prints when AMQP accepts
	stopLimit = 10 * time.Second          // what SIGTERM promises
	logLines  = 60                        // of the broker's output in the report of a failed test
)

// Options choose how a broker is started. The zero value is an empty data
// directory and no further arguments.
type Options struct {
	Dir       string   // data directory; "" = a new one, removed after the test
	Arguments []string // further arguments of `leveret server`; not for an external broker
}

// Broker is a broker process with its data directory and port, which stay the
// same over restarts. Its methods fail the test when the process does not do
// as told; they are for the test's own goroutine.
type Broker struct {
	t         testing.TB
	dir       string
	port      int
	arguments []string
	log       *output
	process   *process // the last one started
}

// Start starts a broker with an empty data directory on a free port. It is
// killed when the test ends, and its output shown when the test has failed.
func Start(t testing.TB) *Broker {
	t.Helper()
	return StartWith(t, Options{})
}

// StartWith starts a broker as Start does, with a directory or arguments of
// the caller's choice.
func StartWith(t testing.TB, o Options) *Broker {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	b := &Broker{t: t, dir: o.Dir, port: freePort(t), arguments: o.Arguments, log: newOutput()}
	t.Cleanup(b.end)
	b.Start()
	return b
}

// Address is the AMQP listener as host:port.
func (b *Broker) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.port)) }

// URL is the AMQP URL of guest on the default vhost. It has no path: half of the
// client libraries take "/" for the vhost of the empty name.
func (b *Broker) URL() string { return "amqp://guest:guest@" + b.Address() }

// Dir is the data directory.
func (b *Broker) Dir() string { return b.dir }

// PID is the process id of the last process started.
func (b *Broker) PID() int { return b.process.cmd.Process.Pid }

// Output is all that the broker's processes have printed so far.
func (b *Broker) Output() string {
	text, _ := b.log.after(0)
	return text
}

// Start starts the broker again after Stop or Kill, on the same directory and
// port, and returns when AMQP accepts.
func (b *Broker) Start() {
	b.t.Helper()
	from := b.log.len()
	b.Launch()
	if External() {
		b.awaitGreeting(90 * time.Second)
		return
	}
	b.awaitLine(from, 30*time.Second)
}

// Launch starts the process as Start does and does not wait.
func (b *Broker) Launch() {
	b.t.Helper()
	p, err := launch(b.command(), b.log)
	if err != nil {
		b.t.Fatalf("start the broker: %v", err)
	}
	b.process = p
}

// Stop asks the broker to end with SIGTERM and fails the test unless it does
// within ten seconds with exit code 0.
func (b *Broker) Stop() {
	b.t.Helper()
	if code := b.Terminate(); code != 0 {
		b.t.Fatalf("the broker ended with exit code %d on SIGTERM, want 0", code)
	}
}

// Terminate sends SIGTERM and returns the exit code. It fails the test when
// the broker has not ended after ten seconds.
func (b *Broker) Terminate() int {
	b.t.Helper()
	limit := stopLimit
	if External() {
		limit = time.Minute
	}
	if err := syscall.Kill(b.PID(), syscall.SIGTERM); err != nil {
		b.t.Fatalf("SIGTERM: %v", err)
	}
	if !b.process.wait(limit) {
		b.t.Fatalf("the broker still runs %v after SIGTERM", limit)
	}
	return b.process.cmd.ProcessState.ExitCode()
}

// Kill ends the broker with SIGKILL and returns when it is gone.
func (b *Broker) Kill() {
	b.t.Helper()
	if err := b.process.signal(syscall.SIGKILL); err != nil {
		b.t.Fatalf("SIGKILL: %v", err)
	}
	if !b.process.wait(time.Minute) {
		b.t.Fatal("the broker is still there a minute after SIGKILL")
	}
}

// Restart is Stop and Start.
func (b *Broker) Restart() {
	b.t.Helper()
	b.Stop()
	b.Start()
}

// Alive tells whether the last process started still runs.
func (b *Broker) Alive() bool {
	select {
	case <-b.process.done:
		return false
	default:
		return true
	}
}

func (b *Broker) command() *exec.Cmd {
	if External() {
		script := strings.Fields(os.Getenv("LEVERET_TARGET_CMD"))
		script = append(script, strconv.Itoa(b.port), b.dir)
		cmd := exec.Command(script[0], script[1:]...)
		cmd.Env = environment()
		return cmd
	}
	arguments := append([]string{"server", "--data-dir", b.dir, "--amqp", b.Address(), "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"}, b.arguments...)
	cmd := Command(b.t, arguments...)
	cmd.Env = environment()
	return cmd
}

// awaitLine returns when the broker says that it accepts connections.
func (b *Broker) awaitLine(from int, limit time.Duration) {
	b.t.Helper()
	deadline := time.After(limit)
	for {
		text, more := b.log.after(from)
		if strings.Contains(text, readyLine) {
			return
		}
		select {
		case <-more:
		case <-b.process.done:
			b.t.Fatalf("the broker ended with exit code %d instead of starting", b.process.cmd.ProcessState.ExitCode())
		case <-deadline:
			b.t.Fatalf("the broker did not print %q within %v", readyLine, limit)
		}
	}
}

// awaitGreeting returns when the port answers a protocol header with a frame.
func (b *Broker) awaitGreeting(limit time.Duration) {
	b.t.Helper()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if greets(b.Address()) {
			return
		}
		if !b.Alive() {
			b.t.Fatalf("the external broker ended with exit code %d instead of starting", b.process.cmd.ProcessState.ExitCode())
		}
	}
	b.t.Fatalf("the external broker did not answer on %s within %v", b.Address(), limit)
}

func greets(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second)) // a connection that cannot have one fails below
	if _, err := conn.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return false
	}
	var head [7]byte
	_, err = io.ReadFull(conn, head[:])
	return err == nil && head[0] == 1
}

// end is the test's cleanup.
func (b *Broker) end() {
	if b.process != nil && b.Alive() {
		_ = b.process.signal(syscall.SIGKILL) // it may end by itself just now
		b.process.wait(time.Minute)
	}
	if b.t.Failed() {
		b.t.Logf("output of the broker on %s:\n%s", b.Address(), b.log.tail(logLines))
	}
}

// freePort picks from below the range the system hands out to clients:
// otherwise a client that reconnects while the broker is down could get its
// port, or even connect to itself.
func freePort(t testing.TB) int {
	t.Helper()
	for range 200 {
		port := 10000 + rand.IntN(20000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		l.Close()
		return port
	}
	t.Fatal("no free port found in 200 tries")
	return 0
}
