package clients

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/test/harness"
)

const tools = "amqp-tools"

// TestTools drives the command-line programs of librabbitmq.
func TestTools(t *testing.T) {
	t.Parallel()
	need(t, tools, "amqp-declare-queue", "amqp-publish", "amqp-get", "amqp-consume", "amqp-delete-queue")
	broker := harness.Start(t)
	run := func(t *testing.T, input, want string, command ...string) {
		t.Helper()
		command = append(command[:1:1], append([]string{"--url", broker.URL()}, command[1:]...)...)
		out, code := tool(t, input, command...)
		if code != 0 || out != want {
			t.Fatalf("%s: exit code %d, output %q, want %q", strings.Join(command, " "), code, out, want)
		}
	}
	run(t, "", "tools.work\n", "amqp-declare-queue", "--queue", "tools.work", "--durable")
	run(t, "", "tools.work\n", "amqp-declare-queue", "--queue", "tools.work", "--durable") // again, as it is
	for n := range 5 {
		run(t, "", "", "amqp-publish", "--routing-key", "tools.work", "--persistent", "--body", fmt.Sprintf("m%d", n))
	}
	run(t, "from a pipe", "", "amqp-publish", "--routing-key", "tools.work", "--persistent", "--content-type", "text/plain")
	run(t, "", "m0", "amqp-get", "--queue", "tools.work")
	run(t, "", "m1m2", "amqp-consume", "--queue", "tools.work", "--count", "2", "--prefetch-count", "1", "cat")

	broker.Restart()
	run(t, "", "m3", "amqp-get", "--queue", "tools.work")
	run(t, "", "m4from a pipe", "amqp-consume", "--queue", "tools.work", "--count", "2", "cat")
	if out, code := tool(t, "", "amqp-get", "--url", broker.URL(), "--queue", "tools.work"); code != 2 || out != "" {
		t.Errorf("amqp-get of an empty queue: exit code %d, output %q, want 2 and none", code, out)
	}
	run(t, "left", "", "amqp-publish", "--routing-key", "tools.work")
	if _, code := tool(t, "", "amqp-delete-queue", "--url", broker.URL(), "--queue", "tools.work", "--if-empty"); code == 0 {
		t.Error("amqp-delete-queue --if-empty deleted a queue with a message")
	}
	run(t, "", "1\n", "amqp-delete-queue", "--queue", "tools.work")
}

// TestToolsRequeue consumes with a command that fails: amqp-consume then ends
// without an ack, so the message comes back.
func TestToolsRequeue(t *testing.T) {
	t.Parallel()
	need(t, tools, "amqp-declare-queue", "amqp-publish", "amqp-get", "amqp-consume")
	broker := harness.Start(t)
	url := broker.URL()
	for _, command := range [][]string{
		{"amqp-declare-queue", "--url", url, "--queue", "tools.requeue"},
		{"amqp-publish", "--url", url, "--routing-key", "tools.requeue", "--body", "again"},
	} {
		if out, code := tool(t, "", command...); code != 0 {
			t.Fatalf("%s: exit code %d: %s", command[0], code, out)
		}
	}
	tool(t, "", "amqp-consume", "--url", url, "--queue", "tools.requeue", "--count", "1", "false")
	if out, code := tool(t, "", "amqp-get", "--url", url, "--queue", "tools.requeue"); code != 0 || out != "again" {
		t.Errorf("after a failed amqp-consume: exit code %d, output %q, want the message", code, out)
	}
}

// tool runs one program and returns its standard output and exit code.
func tool(t *testing.T, input string, command ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin = strings.NewReader(input)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatalf("%s: %v", command[0], err)
	}
	if complaints.Len() > 0 {
		t.Logf("%s says: %s", command[0], complaints.String())
	}
	return out.String(), cmd.ProcessState.ExitCode()
}
