package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The test binary plays broker and load tool for itself.
const pretend = "LEVERET_BENCH_PRETEND"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Getenv(pretend) != "" {
		switch os.Args[1] {
		case "server":
			pretendBroker(os.Args)
		case "bench":
			pretendTool(os.Args)
		}
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// pretendBroker greets everybody.
func pretendBroker(args []string) {
	if os.Getenv(pretend) == "broken" {
		fmt.Println("the disk is full")
		os.Exit(1)
	}
	l, err := net.Listen("tcp", args[slices.Index(args, "--amqp")+1])
	if err != nil {
		panic(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer c.Close()
			if _, err := io.ReadFull(c, make([]byte, 8)); err == nil {
				_, _ = c.Write([]byte{1}) // who hangs up is not interested
			}
		}()
	}
}

// pretendTool reports the same figures whatever it is asked.
func pretendTool(args []string) {
	if slices.Contains(args, "--fsync-probe") {
		fmt.Print(`{"phases":[{"per_second":1000,"broker":{"cpu_us_per_message":50}}]}`)
		os.Exit(0)
	}
	if slices.Contains(args, "fan") {
		fmt.Fprintln(os.Stderr, "the broker closed the channel")
		os.Exit(1)
	}
	fmt.Print(`{"phases":[{"messages":5,"per_second":2000000,"broker":{"cpu_us_per_message":0.5,"rss_bytes":2e7,"peak_rss_bytes":3e7}},
		{"messages":5,"per_second":3000000,"broker":{"cpu_us_per_message":0.4,"rss_bytes":2e7,"peak_rss_bytes":4e7}}]}`)
	os.Exit(0)
}

// bench runs the program on the pretenders.
func bench(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	if os.Getenv(pretend) == "" {
		t.Setenv(pretend, "yes")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, progress strings.Builder
	args = append([]string{"-no-rabbitmq", "-generator", self, "-target", "ours=" + self, "-scratch", t.TempDir(), "-runs", "2"}, args...)
	err = run(context.Background(), args, &out, &progress)
	return out.String(), progress.String(), err
}

func TestTable(t *testing.T) {
	out, progress, err := bench(t, "-rows", "transient,window-1,fill-drain,cold-start")
	if err != nil {
		t.Fatalf("%v\n%s", err, progress)
	}
	for _, want := range []string{
		"| case | ours | bar | |\n|---|---|---|---|\n",
		"| transient, auto-ack, 1 publisher 1 consumer | 2.00 M/s, 0.50 µs | ≥ 1.50 M/s, ≤ 0.60 µs | met |\n",
		"fill 2.00 M/s, fill 0.50 µs, drain 3.00 M/s, drain 0.40 µs, RSS 40.0 MB |",
		"≤ 80.0 µs, ≥ 700 /s (bare: 1.0 k/s, 50.0 µs) | met |\n",
		"| cold start to accepting AMQP |",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the table lacks %q:\n%s", want, out)
		}
	}
	if n := strings.Count(progress, "transient: run"); n != 2 {
		t.Errorf("%d runs of the first row, want 2", n)
	}
}

func TestFailuresAreShownAndOthersGoOn(t *testing.T) {
	out, progress, err := bench(t, "-rows", "transient,fanout,topic", "-strict")
	if err == nil || !strings.Contains(err.Error(), "a bar is not met") {
		t.Errorf("error = %v", err)
	}
	if !strings.Contains(out, "| failed | ≤ 0.40 µs | FAILED |") || !strings.Contains(out, "| 2.00 M/s, 0.50 µs | ≤ 3.00 µs | met |") {
		t.Errorf("table:\n%s", out)
	}
	if !strings.Contains(progress, "the broker closed the channel") {
		t.Errorf("progress does not say why:\n%s", progress)
	}
}

func TestBrokerThatDoesNotStart(t *testing.T) {
	t.Setenv(pretend, "broken")
	out, progress, err := bench(t, "-rows", "transient")
	if err != nil || !strings.Contains(out, "FAILED") || !strings.Contains(progress, "ended before it accepted AMQP") || !strings.Contains(progress, "the disk is full") {
		t.Errorf("error %v, table %s, progress %s", err, out, progress)
	}
}

func TestScratchIsRemoved(t *testing.T) {
	t.Setenv(pretend, "yes")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{"-no-rabbitmq", "-generator", self, "-target", "ours=" + self, "-scratch", dir, "-runs", "1", "-rows", "transient"}
	if err := run(context.Background(), args, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestWrongFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-nope", "flag provided but not defined"},
		{"stray", `unexpected argument "stray"`},
		{"-target x", "must be name=path"},
		{"-rows transient,nope", `no row "nope"`},
		{"-duration 1ms", "-duration 1ms"},
		{"-runs 0", "-runs 0"},
		{"-scale 2", "-scale 2"},
	} {
		t.Run(c.args, func(t *testing.T) {
			err := run(context.Background(), strings.Fields(c.args), io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}

func TestListNamesEveryRowOnce(t *testing.T) {
	var out strings.Builder
	if err := run(context.Background(), []string{"-list"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, w := range rows() {
		if seen[w.key] || w.measure == nil || len(w.bars) == 0 || !strings.Contains(out.String(), w.title) {
			t.Errorf("row %q: twice, without measure or bars, or not listed", w.key)
		}
		seen[w.key] = true
	}
	if len(seen) < 20 {
		t.Errorf("%d rows", len(seen))
	}
}

func TestForgetKeepsContents(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	if err := os.WriteFile(name, []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := forget(dir); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "kept" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestKillAndStartAgain(t *testing.T) {
	t.Setenv(pretend, "yes")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBroker(t.Context(), leveret("ours", self), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	first := b.pid()
	if _, err := b.restart(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if b.pid() == first || !greets(address(b.port)) {
		t.Errorf("pid %d after %d, greets %v", b.pid(), first, greets(address(b.port)))
	}
	if err := b.sleep(); err != nil {
		t.Error(err)
	}
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	if err := exec.Command("kill", "-0", fmt.Sprint(b.pid())).Run(); err == nil {
		t.Error("the broker is still there")
	}
}

// The rows about embedding need no broker beside the table's own process.
func TestEmbeddedRows(t *testing.T) {
	out, progress, err := bench(t, "-rows", "embedded-start,binary", "-runs", "1")
	if err != nil || strings.Contains(out, "FAILED") || strings.Contains(out, "not measured") {
		t.Fatalf("%v\n%s\n%s", err, out, progress)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(self)
	if err != nil {
		t.Fatal(err)
	}
	if want := number(float64(info.Size())/1e6, megabytes); !strings.Contains(out, "| "+want+" | ≤ 30.0 MB |") {
		t.Errorf("the table lacks %q:\n%s", want, out)
	}
}
