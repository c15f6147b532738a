package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// External tells whether the suites run against a broker of somebody else,
// named by LEVERET_TARGET_CMD.
func External() bool { return os.Getenv("LEVERET_TARGET_CMD") != "" }

// Command returns a command that runs the broker's binary with arguments of the
// caller's choice. It is not started.
func Command(t testing.TB, arguments ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(path, arguments...)
}

var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("LEVERET_BIN"); path != "" {
		return filepath.Abs(path)
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	return build(root)
})

// build writes bin/leveret. Test processes of several packages come here at the
// same time, so a lock lets them build one after the other; all but the first
// find the file up to date.
func build(root string) (string, error) {
	bin := filepath.Join(root, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(bin, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	path := filepath.Join(bin, "leveret")
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, "./cmd/leveret")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/leveret: %w\n%s", err, out)
	}
	return path, nil
}

// moduleRoot is the folder of go.mod above the package under test.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	path := strings.TrimSpace(string(out))
	if path == "" || path == os.DevNull {
		return "", errors.New("the tests run outside the module")
	}
	return filepath.Dir(path), nil
}
