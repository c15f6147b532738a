package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// A product is something that can be started as a broker.
type product struct {
	name string
	// slow products get fewer operations in rows that count them.
	slow   bool
	binary string // of ours
	// command prepares a start on a data directory and a port; cleanup, if any,
	// runs after the broker has ended.
	command func(dir string, port int) (cmd *exec.Cmd, cleanup func(), err error)
}

// leveret is a build of ours.
func leveret(name, binary string) *product {
	return &product{name: name, binary: binary, command: func(dir string, port int) (*exec.Cmd, func(), error) {
		if _, err := os.Stat(binary); err != nil {
			return nil, nil, fmt.Errorf("%s: %w (make build?)", name, err)
		}
		return exec.Command(binary, "server", "--data-dir", filepath.Join(dir, "data"), "--amqp", address(port), "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--log-level", "warn"), nil, nil
	}}
}

// rabbitMQ is the Debian package's server script, without its services: own
// node name, own epmd, everything it writes under dir.
func rabbitMQ(script string) *product {
	return &product{name: "RabbitMQ", slow: true, command: func(dir string, port int) (*exec.Cmd, func(), error) {
		dist, err := freePort()
		if err != nil {
			return nil, nil, err
		}
		epmd, err := freePort()
		if err != nil {
			return nil, nil, err
		}
		cmd := exec.Command(script)
		cmd.Env = append(os.Environ(), "HOME="+dir, "ERL_EPMD_PORT="+strconv.Itoa(epmd), "ERL_CRASH_DUMP_SECONDS=0",
			fmt.Sprintf("RABBITMQ_NODENAME=bench%d@localhost", port), fmt.Sprintf("RABBITMQ_NODE_PORT=%d", port), fmt.Sprintf("RABBITMQ_DIST_PORT=%d", dist),
			"RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "mnesia"), "RABBITMQ_LOG_BASE="+filepath.Join(dir, "log"), "RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"),
			"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "plugins"), "RABBITMQ_CONF_ENV_FILE=/dev/null", "RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "none"))
		stopEpmd := func() {
			kill := exec.Command("epmd", "-kill")
			kill.Env = append(os.Environ(), "ERL_EPMD_PORT="+strconv.Itoa(epmd))
			_ = kill.Run() // it may be gone already
		}
		return cmd, stopEpmd, nil
	}}
}

// A broker is a product at work on one data directory; it can be started again.
type broker struct {
	product *product
	dir     string
	port    int
	cmd     *exec.Cmd
	cleanup func()
	log     bytes.Buffer
	ended   chan struct{}
	asleep  bool
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (b *broker) uri() string { return "amqp://guest:guest@" + address(b.port) + "/" }

func (b *broker) pid() int { return b.cmd.Process.Pid }

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// newBroker starts a product on an empty directory.
func newBroker(ctx context.Context, p *product, scratch string) (*broker, error) {
	dir, err := os.MkdirTemp(scratch, "broker-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	b := &broker{product: p, dir: dir, port: port}
	if _, err := b.start(ctx); err != nil {
		return nil, errors.Join(err, b.remove())
	}
	return b, nil
}

// startWithin bounds a start, recovery of a large backlog included.
const startWithin = 3 * time.Minute

// start runs the process and says how long it took until AMQP answered.
func (b *broker) start(ctx context.Context) (time.Duration, error) {
	cmd, cleanup, err := b.product.command(b.dir, b.port)
	if err != nil {
		return 0, err
	}
	b.log.Reset()
	b.cmd, b.cleanup, b.ended = cmd, cleanup, make(chan struct{})
	cmd.Stdout, cmd.Stderr = &b.log, &b.log
	cmd.Dir = b.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // signals reach wrapper and node alike
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", b.product.name, err)
	}
	go func() { // ends with the process; stop and kill wait for it
		_ = cmd.Wait()
		close(b.ended)
	}()
	if err := b.await(ctx, began.Add(startWithin)); err != nil {
		return 0, errors.Join(fmt.Errorf("%s: %w", b.product.name, err), b.kill(), fmt.Errorf("it printed: %s", b.log.String()))
	}
	return time.Since(began), nil
}

// await tries until the broker answers the protocol header with a frame.
func (b *broker) await(ctx context.Context, until time.Time) error {
	for {
		if greets(address(b.port)) {
			return nil
		}
		select {
		case <-b.ended:
			return errors.New("ended before it accepted AMQP")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(until) {
			return fmt.Errorf("did not accept AMQP within %v", startWithin)
		}
	}
}

func greets(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(startWithin)) // a failure shows below
	if _, err := c.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return false
	}
	first := make([]byte, 1)
	_, err = c.Read(first)
	return err == nil && first[0] == 1
}

// signal reaches the broker's whole process group.
func (b *broker) signal(s syscall.Signal) error {
	if err := syscall.Kill(-b.pid(), s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %s: %w", b.product.name, err)
	}
	return nil
}

// sleep and wake keep a broker off the processors while another is measured.
func (b *broker) sleep() error {
	b.asleep = true
	return b.signal(syscall.SIGSTOP)
}

func (b *broker) wake() error {
	b.asleep = false
	return b.signal(syscall.SIGCONT)
}

// kill ends it as a power cut would.
func (b *broker) kill() error {
	err := b.signal(syscall.SIGKILL)
	<-b.ended
	if b.cleanup != nil {
		b.cleanup()
	}
	return err
}

// stop ends it in order, or after 20 s without.
func (b *broker) stop() error {
	if b.asleep {
		if err := b.wake(); err != nil {
			return err
		}
	}
	if err := b.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-b.ended:
	case <-time.After(20 * time.Second):
	}
	return b.kill()
}

// remove deletes what a stopped broker left.
func (b *broker) remove() error { return os.RemoveAll(b.dir) }

// diskUse is what the broker's files occupy, in octets; files that go away
// meanwhile count as nothing.
func (b *broker) diskUse() (total int64) {
	_ = filepath.WalkDir(b.dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			if s, ok := info.Sys().(*syscall.Stat_t); ok {
				total += s.Blocks * 512
			}
		}
		return nil
	})
	return total
}
