package clients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/test/harness"
)

const (
	suiteModule = "github.com/rabbitmq/amqp091-go"
	// suitePasses is how many top-level tests and examples of the client's own
	// suite pass; it changes with the version of the module only.
	suitePasses = 228
)

// suiteLeftOut are the tests of that suite that need more than AMQP.
var suiteLeftOut = []string{ // read-only
	"^TestConnection_Close_WhenMemoryAlarmIsActive$", // calls rabbitmqctl
	"^TestConnectionRecovery",                        // drops connections through the management API
}

// TestSuiteOfTheGoClient runs the integration suite of amqp091-go, in a copy of
// the module, against the broker.
func TestSuiteOfTheGoClient(t *testing.T) {
	t.Parallel()
	source, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", suiteModule).Output()
	if err != nil {
		t.Fatalf("%s is not in the module cache (go mod download): %v", suiteModule, err)
	}
	copied := filepath.Join(t.TempDir(), "amqp091-go")
	if err := os.CopyFS(copied, os.DirFS(strings.TrimSpace(string(source)))); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "test", "-json", "-count=1", "-tags", "integration", "-timeout", "5m",
		"-skip", strings.Join(suiteLeftOut, "|"), ".")
	cmd.Dir = copied
	cmd.Env = append(os.Environ(), "AMQP_URL="+harness.Start(t).URL()+"/", "GOFLAGS=-mod=mod", "GOWORK=off")
	out, runErr := cmd.Output()
	passed, failed, skipped := verdicts(t, out)
	if runErr != nil || len(failed) > 0 {
		t.Errorf("go test: %v", runErr)
		for _, name := range failed {
			t.Errorf("%s:\n%s", name, outputOf(out, name))
		}
		if len(failed) == 0 {
			t.Error(outputOf(out, ""))
		}
	}
	if len(passed) != suitePasses {
		t.Errorf("%d tests passed, want %d", len(passed), suitePasses)
	}
	t.Logf("%d passed, skipped by themselves: %q", len(passed), skipped)
}

// event is one line of `go test -json`.
type event struct {
	Action string
	Test   string
	Output string
}

func events(out []byte) []event {
	var all []event
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil {
			all = append(all, e)
		}
	}
	return all
}

// verdicts sorts the top-level tests by how they ended.
func verdicts(t *testing.T, out []byte) (passed, failed, skipped []string) {
	t.Helper()
	top := regexp.MustCompile(`^(Test|Example|Fuzz)[^/]*$`)
	for _, e := range events(out) {
		if !top.MatchString(e.Test) {
			continue
		}
		switch e.Action {
		case "pass":
			passed = append(passed, e.Test)
		case "fail":
			failed = append(failed, e.Test)
		case "skip":
			skipped = append(skipped, e.Test)
		}
	}
	return passed, failed, skipped
}

// outputOf is what a test and its subtests printed; "" is all of the package.
func outputOf(out []byte, name string) string {
	var text strings.Builder
	for _, e := range events(out) {
		if e.Action == "output" && (name == "" || e.Test == name || strings.HasPrefix(e.Test, name+"/")) {
			text.WriteString(e.Output)
		}
	}
	return text.String()
}
