package logs

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/cmd/leveret/config"
)

// fileLogs opens logs that go to a file in a new directory only.
func fileLogs(t *testing.T, o config.Rotation) (*Logs, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	log := config.Log{Dir: dir, FileName: "x.log", File: config.Output{On: true}, Rotation: o}
	l, err := Open(log, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, dir
}

// contents are the names in a directory, each with the last words of its lines.
func contents(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var r io.Reader = f
		if strings.HasSuffix(e.Name(), ".gz") {
			if r, err = gzip.NewReader(f); err != nil {
				t.Fatal(err)
			}
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		words := []string{e.Name()}
		for _, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n") {
			words = append(words, line[strings.LastIndex(line, " ")+1:])
		}
		all = append(all, strings.Join(words, " "))
	}
	return all
}

func TestRotationBySize(t *testing.T) {
	for _, c := range []struct {
		name string
		o    config.Rotation
		want []string
	}{
		{"never", config.Rotation{}, []string{"x.log a b c d e"}},
		{"two lines each", config.Rotation{Size: 120, Keep: 5}, []string{"x.log e", "x.log.0 c d", "x.log.1 a b"}},
		{"the oldest goes", config.Rotation{Size: 60, Keep: 2}, []string{"x.log e", "x.log.0 d", "x.log.1 c"}},
		{"a line longer than the size", config.Rotation{Size: 1, Keep: 1}, []string{"x.log e", "x.log.0 d"}},
		{"nothing kept", config.Rotation{Size: 60}, []string{"x.log e"}},
		{"compressed", config.Rotation{Size: 60, Keep: 2, Compress: true}, []string{"x.log e", "x.log.0.gz d", "x.log.1.gz c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, dir := fileLogs(t, c.o)
			log := l.Logger()
			for _, word := range strings.Fields("a b c d e") {
				log.Info(word) // 50 octets and a little
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if got := contents(t, dir); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRotationByTime(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rabbitmq.conf")
	if err := os.WriteFile(file, []byte("log.file = x.log\nlog.file.rotation.date = $D0\nlog.file.rotation.size = 0\nlog.dir = "+dir+"/log"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := config.Load(config.Sources{File: file, Default: config.Default()})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 23, 59, 0, 0, time.Local)
	l, err := Open(o.Log, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	l.file.now = func() time.Time { return now }
	if err := l.Reopen(); err != nil { // the clock was another at Open
		t.Fatal(err)
	}
	log := l.Logger()
	log.Info("today")
	now = now.Add(time.Minute)
	log.Info("tomorrow")
	log.Info("too")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, dir+"/log"), []string{"x.log tomorrow too", "x.log.0 today"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestReopen: somebody else moved the file away.
func TestReopen(t *testing.T) {
	l, dir := fileLogs(t, config.Rotation{})
	log := l.Logger()
	log.Info("a")
	if err := os.Rename(filepath.Join(dir, "x.log"), filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	log.Info("b")
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	log.Info("c")
	if got, want := contents(t, dir), []string{"moved a b", "x.log c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRotationThatFails: lines go on to the file there is.
func TestRotationThatFails(t *testing.T) {
	l, dir := fileLogs(t, config.Rotation{Size: 60, Keep: 1})
	if err := os.MkdirAll(filepath.Join(dir, "x.log.0", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "x.log.1", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	log := l.Logger()
	for _, word := range strings.Fields("a b c") {
		log.Info(word)
	}
	text, err := os.ReadFile(filepath.Join(dir, "x.log"))
	if err != nil || strings.Count(string(text), "\n") != 3 {
		t.Errorf("%v: %s", err, text)
	}
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(dir, "file", "x.log"), dir} {
		if l, err := Open(config.Log{FileName: name, File: config.Output{On: true}}, nil, nil); err == nil {
			l.Close()
			t.Errorf("%s was opened", name)
		}
	}
}
