package clients

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// scriptLimit bounds one client's whole run, restart of the broker included.
const scriptLimit = 3 * time.Minute

// script is a client program under test. It prints `ok STEP` after each step it
// has checked, and any other word to ask for something, after which it waits
// for a line on its standard input.
type script struct {
	command []string
	env     []string
	steps   []string          // what it must have printed by the end, in order
	answers map[string]func() // what it may ask for
}

// run runs the script to its end and fails the test unless it went through all
// its steps and ended with exit code 0.
func (s script) run(t *testing.T) {
	t.Helper()
	cmd := exec.Command(s.command[0], s.command[1:]...)
	cmd.Env = append(os.Environ(), s.env...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	in, out := pipes(t, cmd)
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", s.command[0], err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // when the test ends before the script
	limit := time.AfterFunc(scriptLimit, func() { _ = cmd.Process.Kill() })
	steps, printed := s.follow(in, out)
	err := cmd.Wait()
	switch {
	case !limit.Stop():
		err = fmt.Errorf("not done after %v", scriptLimit)
	case err == nil && !slices.Equal(steps, s.steps):
		err = fmt.Errorf("steps %q, want %q", steps, s.steps)
	}
	if err != nil {
		t.Fatalf("%s: %v\nstandard output:\n%s\nstandard error:\n%s", filepath.Base(s.command[0]), err, printed, complaints.String())
	}
}

// follow reads what the script prints and answers what it asks for.
func (s script) follow(in io.Writer, out io.Reader) (steps []string, printed string) {
	var all strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		fmt.Fprintln(&all, line)
		if step, ok := strings.CutPrefix(line, "ok "); ok {
			steps = append(steps, step)
		} else if answer, ok := s.answers[line]; ok {
			answer()
			fmt.Fprintln(in, "done")
		}
	}
	return steps, all.String()
}

func pipes(t *testing.T, cmd *exec.Cmd) (io.WriteCloser, io.ReadCloser) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	return in, out
}

// need fails the test, by name, for a client that is not installed.
func need(t *testing.T, debian string, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if _, err := exec.LookPath(path); err == nil {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%s is missing: install the package %s (test/setup.sh installs all of them)", path, debian)
		}
	}
}
