package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeProc writes a process as Linux shows it.
func fakeProc(t *testing.T, proc, pid, stat, children string) {
	t.Helper()
	dir := filepath.Join(proc, pid)
	for name, content := range map[string]string{
		"stat":                      stat,
		"status":                    "Name:\tx\nVmHWM:\t    3072 kB\nVmRSS:\t    2048 kB\nRssAnon:\t    1024 kB\n",
		"task/" + pid + "/children": children,
		"fd/0":                      "",
		"fd/1":                      "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadUsageSumsDescendants(t *testing.T) {
	proc := t.TempDir()
	fakeProc(t, proc, "10", "10 (sh (x) y) S 1 1 1 0 -1 0 0 0 0 0 1 2 3 4 20 0", "11 99 ")
	fakeProc(t, proc, "11", "11 (beam) S 10 1 1 0 -1 0 0 0 0 0 100 50 0 0 20 0", "")
	u, err := readUsage(proc, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := usage{cpu: 1600 * time.Millisecond, system: 560 * time.Millisecond, rss: 4 << 20, peak: 6 << 20, anon: 2 << 20, files: 4}
	if u != want {
		t.Errorf("usage = %+v, want %+v", u, want)
	}
}

func TestReadUsageErrors(t *testing.T) {
	proc := t.TempDir()
	fakeProc(t, proc, "20", "20 (x) S 1", "")
	fakeProc(t, proc, "21", "21 (x) S 1 1 1 0 -1 0 0 0 0 0 1 2 three 4 20 0", "")
	for _, c := range []struct {
		name string
		pid  int
		want string
	}{
		{"no such process", 5, "--broker-pid 5"},
		{"stat cut short", 20, "not understood"},
		{"stat without numbers", 21, "not understood"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := readUsage(proc, c.pid); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}

func TestKilobytes(t *testing.T) {
	for _, c := range []struct {
		status string
		want   int64
	}{
		{"VmRSS:\t 12 kB\n", 12 << 10}, {"VmHWM: 3 kB\n", 0}, {"VmRSS:", 0}, {"VmRSS: many kB", 0},
	} {
		if got := kilobytes(c.status, "VmRSS:"); got != c.want {
			t.Errorf("kilobytes(%q) = %d, want %d", c.status, got, c.want)
		}
	}
}
