package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one run of a broker: its output, and its end.
type process struct {
	cmd  *exec.Cmd
	log  *output
	done chan struct{} // closed when it has ended and cmd.ProcessState is set
}

// launch starts the command in a process group of its own.
func launch(cmd *exec.Cmd, log *output) (*process, error) {
	p := &process{cmd: cmd, log: log, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes()
	cmd.WaitDelay = 2 * time.Second
	started := make(chan error)
	go p.run(started) // ends with the process
	return p, <-started
}

// run starts the process and waits for it on one locked thread: the death of
// the thread that started it is what ends a broker left behind by a test
// process that was cut off.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // the exit code is in ProcessState
	}
	close(p.done)
}

// signal sends to the whole group: a start script and what it started.
func (p *process) signal(s syscall.Signal) error {
	return syscall.Kill(-p.cmd.Process.Pid, s)
}

// wait reports whether the process ended within the time given.
func (p *process) wait(limit time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(limit):
		return false
	}
}

// output keeps what a process prints and lets a reader wait for a text.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed and replaced at each write
}

func newOutput() *output { return &output{more: make(chan struct{})} }

// Write implements io.Writer for both streams of the process.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.more)
	o.more = make(chan struct{})
	return o.text.Write(b)
}

// after returns what was printed from an offset on, and a channel that is
// closed when there is more.
func (o *output) after(offset int) (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text.Bytes()[offset:]), o.more
}

func (o *output) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Len()
}

// tail is the end of the output, for the report of a failed test.
func (o *output) tail(lines int) string {
	text, _ := o.after(0)
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(all) > lines {
		all = append([]string{fmt.Sprintf("(%d lines before)", len(all)-lines)}, all[len(all)-lines:]...)
	}
	return strings.Join(all, "\n")
}

// environment is the test's own without what would steer the broker's Go
// runtime or its settings by accident.
func environment() []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "LEVERET_") && !strings.HasPrefix(entry, "GODEBUG=") {
			env = append(env, entry)
		}
	}
	return env
}
