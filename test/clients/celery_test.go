package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/leveretmq/leveret/test/harness"
)

// TestCelery runs a real worker process: results over the rpc backend, a group,
// retries, a late-acknowledged task whose worker is killed and that a second
// worker finishes, and a worker that comes back after a restart of the broker.
func TestCelery(t *testing.T) {
	t.Parallel()
	need(t, "python3-celery", python, "/usr/lib/python3/dist-packages/celery")
	broker := harness.Start(t)
	w := &worker{t: t, url: broker.URL()}
	t.Cleanup(w.kill)
	w.start()
	script{
		command: []string{python, "celery/driver.py", filepath.Join(t.TempDir(), "started")},
		env:     w.env(),
		steps:   []string{"result", "group", "retry", "acks-late", "reconnect"},
		answers: map[string]func(){
			"kill-worker": func() { w.kill(); w.start() },
			"restart":     broker.Restart,
		},
	}.run(t)
}

// worker is a Celery worker process.
type worker struct {
	t   *testing.T
	url string
	cmd *exec.Cmd
	log *os.File
}

func (w *worker) env() []string {
	return []string{"AMQP_URL=" + w.url, "PYTHONDONTWRITEBYTECODE=1"}
}

func (w *worker) start() {
	log, err := os.Create(filepath.Join(w.t.TempDir(), "worker.log"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.log = log
	w.cmd = exec.Command(python, "-m", "celery", "-A", "tasks", "worker", "--pool", "solo", "--loglevel", "INFO",
		"--without-gossip", "--without-mingle", "--hostname", "worker@localhost")
	w.cmd.Dir = "celery"
	w.cmd.Env = append(os.Environ(), w.env()...)
	w.cmd.Env = append(w.cmd.Env, "C_FORCE_ROOT=1")
	w.cmd.Stdout, w.cmd.Stderr = log, log
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := w.cmd.Start(); err != nil {
		w.t.Fatalf("start the worker: %v", err)
	}
}

// kill ends the worker at once and, when the test has failed, shows its log.
func (w *worker) kill() {
	if w.cmd == nil {
		return
	}
	_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL)
	_ = w.cmd.Wait() // "signal: killed"
	w.cmd = nil
	if text, err := os.ReadFile(w.log.Name()); err == nil && w.t.Failed() {
		w.t.Logf("log of the worker:\n%s", text)
	}
	w.log.Close()
}
