package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/cmd/leveret/config"
)

// running is a node in this process whose output is read line by line.
type running struct {
	t     *testing.T
	file  string // its configuration
	lines chan string
	seen  []string
	stop  context.CancelFunc
	err   chan error
}

// anyPort keeps a node off the ports of another.
const anyPort = "listeners.tcp.1 = 127.0.0.1:0\nmanagement.tcp.port = 0\nprometheus.tcp.port = 0\n"

// run starts a node with a configuration file of the given text.
func run(t *testing.T, text string) *running {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{t: t, file: filepath.Join(dir, "rabbitmq.conf"), lines: make(chan string, 100), stop: cancel, err: make(chan error, 1)}
	r.write(text)
	out, in := io.Pipe()
	n := node{out: in, errOut: in, configure: func() (config.Options, error) {
		src := config.Sources{File: r.file, Default: config.Default()}
		src.Default.DataDir = filepath.Join(dir, "data")
		return config.Load(src)
	}}
	go func() { // ends with the node
		r.err <- n.run(ctx)
		in.Close()
	}()
	go func() { // the same
		for s := bufio.NewScanner(out); s.Scan(); {
			r.lines <- s.Text()
		}
		close(r.lines)
	}()
	t.Cleanup(func() {
		cancel()
		for range r.lines { // until the node has ended
		}
	})
	return r
}

func (r *running) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// await reads until a line contains a text.
func (r *running) await(text string) string {
	r.t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-r.lines:
			r.seen = append(r.seen, line)
			if strings.Contains(line, text) {
				return line
			}
			if !ok {
				r.t.Fatalf("the node ended without %q:\n%s", text, strings.Join(r.seen, "\n"))
			}
		case <-limit:
			r.t.Fatalf("no %q in\n%s", text, strings.Join(r.seen, "\n"))
		}
	}
}

// TestBootLines: the lines that tools wait for come in RabbitMQ's order, and
// the last one when clients are let in.
func TestBootLines(t *testing.T) {
	r := run(t, anyPort+"hipe_compile = false\nenabled_plugins = rabbitmq_management, rabbitmq_stream")
	var addr string
	for _, want := range []string{
		"  Starting broker...",
		"[info] <0.1.0> Starting RabbitMQ",
		"[info] <0.1.0> config file(s) : " + r.file,
		"[warning] <0.1.0> " + r.file + ":4: hipe_compile is accepted without effect",
		"[info] <0.1.0> Ready to start client connection listeners",
		"[info] <0.1.0> started TCP listener on 127.0.0.1:",
		" completed with 2 plugins.",
		"[info] <0.1.0> Server startup complete; 2 plugins started.",
		"[info] <0.1.0>  * rabbitmq_management",
		"[info] <0.1.0>  * rabbitmq_stream",
	} {
		if line := r.await(want); strings.Contains(want, "started TCP") {
			addr = line[strings.LastIndex(line, " ")+1:]
		}
	}
	c, err := amqp.Dial("amqp://guest:guest@" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	r.await("user 'guest' authenticated and granted access to vhost '/'")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	r.await("closing AMQP connection <0.2.0> (127.0.0.1:")
	r.stop()
	r.await("[notice] <0.1.0> SIGTERM received - shutting down")
	if err := <-r.err; err != nil {
		t.Error(err)
	}
}

// TestReadyWithoutConsole: whoever waits for the last line gets it even when
// the console shows errors only.
func TestReadyWithoutConsole(t *testing.T) {
	r := run(t, anyPort+"log.console.level = error")
	if line := r.await("Server startup complete"); line != "Server startup complete; 0 plugins started." {
		t.Errorf("got %q", line)
	}
	if slices.ContainsFunc(r.seen, func(line string) bool { return strings.Contains(line, "[info]") }) {
		t.Errorf("got\n%s", strings.Join(r.seen, "\n"))
	}
}

// TestReload: SIGHUP takes over what has changed, and nothing of a file with
// errors.
func TestReload(t *testing.T) {
	const listener = anyPort + "log.file = x.log\n"
	r := run(t, listener)
	r.await("Server startup complete")
	hangup := func() {
		t.Helper()
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	r.write(listener + "log.levl = error\n")
	hangup()
	r.await("[error] <0.1.0> configuration was not reloaded: " + r.file + ":5: unknown key log.levl; did you mean log.level?")
	moved := filepath.Join(filepath.Dir(r.file), "data", "log", "x.log")
	if err := os.Rename(moved, moved+".old"); err != nil {
		t.Fatal(err)
	}
	r.write(listener + "log.default.level = notice\n")
	hangup()
	r.await("[notice] <0.1.0> configuration was reloaded")
	r.stop()
	r.await("[notice] <0.1.0> SIGTERM received")
	if err := <-r.err; err != nil {
		t.Error(err)
	}
	for _, line := range r.seen[slices.IndexFunc(r.seen, func(s string) bool { return strings.Contains(s, "not reloaded") }):] {
		if strings.Contains(line, "[info]") {
			t.Errorf("an info line after the level was raised: %s", line)
		}
	}
	if text, err := os.ReadFile(moved); err != nil || !strings.Contains(string(text), "SIGTERM received") {
		t.Errorf("the new log file: %v, %q", err, text)
	}
}

// TestLogExchange: who binds a queue gets the lines of the log.
func TestLogExchange(t *testing.T) {
	r := run(t, anyPort+"log.exchange = true\nenabled_plugins = rabbitmq_event_exchange")
	line := r.await("started TCP listener on ")
	r.await("Server startup complete")
	c, err := amqp.Dial("amqp://guest:guest@" + line[strings.LastIndex(line, " ")+1:] + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for exchange, key := range map[string]string{"amq.rabbitmq.log": "info", "amq.rabbitmq.event": "connection.created"} {
		if err := ch.QueueBind(q.Name, key, exchange, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	deliveries, err := ch.Consume(q.Name, "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := amqp.Dial("amqp://guest:guest@" + line[strings.LastIndex(line, " ")+1:] + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for seen := map[string]bool{}; !seen["info"] || !seen["connection.created"]; {
		select {
		case d := <-deliveries:
			seen[d.RoutingKey] = true
		case <-time.After(20 * time.Second):
			t.Fatalf("only %v came", seen)
		}
	}
}
