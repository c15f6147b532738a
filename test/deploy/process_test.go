package deploy

import (
	"bufio"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a broker whose standard output is read line by line.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
	seen  []string
}

// start starts a command; it is killed when the test ends.
func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	p := &process{t: t, cmd: cmd, lines: make(chan string, 1000)}
	go func() { // ends with the process
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
		close(p.lines)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // the same
	})
	return p
}

// await reads until a line contains a text.
func (p *process) await(text string) string {
	p.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			p.seen = append(p.seen, line)
			if strings.Contains(line, text) {
				return line
			}
			if !ok {
				p.t.Fatalf("ended without %q:\n%s", text, strings.Join(p.seen, "\n"))
			}
		case <-limit:
			p.t.Fatalf("no %q in\n%s", text, strings.Join(p.seen, "\n"))
		}
	}
}

// stop sends SIGTERM and wants exit code 0.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	for line := range p.lines {
		p.seen = append(p.seen, line)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("%v:\n%s", err, strings.Join(p.seen, "\n"))
	}
}
