package persistence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
)

func create(t *testing.T, fsys FS, name string) File {
	t.Helper()
	f, err := fsys.OpenFile(name, true)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func put(t *testing.T, f File, s string, off int64) {
	t.Helper()
	if n, err := f.WriteAt([]byte(s), off); n != len(s) || err != nil {
		t.Fatalf("wrote %d: %v", n, err)
	}
}

// The file system in memory and the real one do the same.
func TestFileSystems(t *testing.T) {
	for name, fsys := range map[string]FS{"memory": NewMemory(), "disk": OS(t.TempDir())} {
		t.Run(name, func(t *testing.T) {
			if _, err := fsys.OpenFile("log/a", false); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("missing file: %v", err)
			}
			if names, err := fsys.ReadDir("log"); len(names) > 0 || err != nil {
				t.Errorf("missing folder: %v, %v", names, err)
			}
			f := create(t, fsys, "log/a")
			put(t, f, "hello", 70_000)
			b := make([]byte, 10)
			if n, err := f.ReadAt(b, 69_998); n != 7 || err != io.EOF || string(b[:7]) != "\x00\x00hello" {
				t.Errorf("read %q, %v", b[:n], err)
			}
			if n, err := f.ReadAt(b, 80_000); n != 0 || err != io.EOF {
				t.Errorf("read %d beyond the end, %v", n, err)
			}
			for _, size := range []int64{70_003, 10, 100_000} {
				if err := f.Truncate(size); err != nil {
					t.Fatal(err)
				}
				if got, _ := f.Size(); got != size {
					t.Errorf("size %d, want %d", got, size)
				}
			}
			all := make([]byte, 100_000)
			if _, err := f.ReadAt(all, 0); err != nil || strings.Trim(string(all), "\x00") != "" {
				t.Errorf("what was cut off came back: %v", err)
			}
			if err := errors.Join(f.Allocate(200_000), f.Datasync()); err != nil {
				t.Fatal(err)
			}
			if got, _ := f.Size(); got != 200_000 {
				t.Errorf("size after Allocate is %d", got)
			}
			create(t, fsys, "log/c").Close()
			if err := errors.Join(fsys.Rename("log/a", "log/b"), fsys.Remove("log/c"), fsys.SyncDir("log"), f.Close()); err != nil {
				t.Fatal(err)
			}
			if names, _ := fsys.ReadDir("log"); fmt.Sprint(names) != "[b]" {
				t.Errorf("names are %v", names)
			}
			if err := fsys.Rename("log/a", "log/b"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("rename of a missing file: %v", err)
			}
			if err := fsys.Remove("log/a"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("remove of a missing file: %v", err)
			}
		})
	}
}

// What was synced survives every crash; what was not is there, lost or torn.
func TestCrashKeepsWhatWasSynced(t *testing.T) {
	m := NewMemory()
	f := create(t, m, "log/a")
	put(t, f, strings.Repeat("s", 10_000), 0)
	f.Datasync()
	m.SyncDir("log")
	put(t, f, strings.Repeat("n", 5_000), 5_000)
	put(t, f, strings.Repeat("n", 5_000), 12_000)
	seen := map[string]bool{}
	for seed := range uint64(300) {
		c := m.Crash(rand.New(rand.NewPCG(seed, 0)))
		g, err := c.OpenFile("log/a", false)
		if err != nil {
			t.Fatal(err)
		}
		size, _ := g.Size()
		b := make([]byte, size)
		g.ReadAt(b, 0)
		if strings.Trim(string(b[:5_000]), "s") != "" || strings.Trim(string(b[5_000:10_000]), "sn") != "" {
			t.Fatal("synced octets are damaged")
		}
		seen[fmt.Sprint("size ", size)] = true
		seen[fmt.Sprint("all old ", !bytes.Contains(b, []byte("n")))] = true
		seen[fmt.Sprint("mixed ", bytes.Contains(b[5_000:10_000], []byte("sn")))] = true
	}
	for _, want := range []string{"size 10000", "size 17000", "all old true", "all old false", "mixed true"} {
		if !seen[want] {
			t.Errorf("never seen: %s", want)
		}
	}
	if size, _ := f.Size(); size != 17_000 {
		t.Error("the original has changed")
	}
}

func TestCrashOfNames(t *testing.T) {
	m := NewMemory()
	create(t, m, "log/kept")
	create(t, m, "log/renamed")
	create(t, m, "log/removed")
	m.SyncDir("log")
	create(t, m, "log/created")
	m.Rename("log/renamed", "log/new")
	m.Remove("log/removed")
	seen := map[string]bool{}
	for seed := range uint64(200) {
		names, _ := m.Crash(rand.New(rand.NewPCG(seed, 0))).ReadDir("log")
		all := fmt.Sprint(names)
		seen[all] = true
		if !strings.Contains(all, "kept") || strings.Contains(all, "new") == strings.Contains(all, "renamed") {
			t.Fatalf("names are %v", names)
		}
	}
	if !seen["[kept removed renamed]"] || !seen["[created kept new]"] || len(seen) != 8 {
		t.Errorf("%d outcomes: %v", len(seen), seen)
	}
}

func TestFaults(t *testing.T) {
	m := NewMemory()
	f := create(t, m, "a")
	broken := errors.New("broken")
	var ops []string
	m.SetFault(func(call int, op, name string) error {
		ops = append(ops, fmt.Sprint(call, " ", op, " ", name))
		switch call {
		case 3:
			return broken
		case 5:
			return ErrPowerCut
		}
		return nil
	})
	put(t, f, "x", 0)
	if _, err := f.WriteAt([]byte("y"), 0); !errors.Is(err, broken) {
		t.Errorf("call 3: %v", err)
	}
	b := make([]byte, 1)
	if f.ReadAt(b, 0); b[0] != 'x' {
		t.Error("a failed write had an effect")
	}
	if err := f.Datasync(); err != nil {
		t.Error(err)
	}
	if _, err := f.WriteAt([]byte("z"), 0); !errors.Is(err, ErrPowerCut) {
		t.Errorf("call 5: %v", err)
	}
	_, openErr := m.OpenFile("a", false)
	_, dirErr := m.ReadDir(".")
	_, lockErr := m.Lock("l")
	for i, err := range []error{f.Datasync(), f.Truncate(0), f.Allocate(9), m.SyncDir("."), m.Rename("a", "b"), openErr, dirErr, lockErr} {
		if !errors.Is(err, ErrPowerCut) {
			t.Errorf("%d without power: %v", i, err)
		}
	}
	if fmt.Sprint(ops) != "[2 write a 3 write a 4 sync a 5 write a]" || m.Calls() != 5 {
		t.Errorf("calls were %v", ops)
	}
}
