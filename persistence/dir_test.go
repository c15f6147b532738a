package persistence

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLockDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "for me")
	lock, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockDir(dir); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second lock: %v", err)
	}
	if _, err := Open(Options{FS: OS(dir), Owner: newOwner()}); !errors.Is(err, ErrLocked) {
		t.Errorf("Open in a locked directory: %v", err)
	}
	l, err := Open(Options{FS: OS(dir), Owner: newOwner(), Locked: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Close(), lock.Close()); err != nil {
		t.Fatal(err)
	}
	l, err = Open(Options{FS: OS(dir), Owner: newOwner()})
	if err != nil {
		t.Fatalf("after the lock was given back: %v", err)
	}
	if _, err := LockDir(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("lock beside an open log: %v", err)
	}
	l.Close()
}

func TestLockInMemory(t *testing.T) {
	fs := NewMemory()
	l, _ := open(t, Options{FS: fs})
	if _, err := Open(Options{FS: fs, Owner: newOwner()}); !errors.Is(err, ErrLocked) {
		t.Errorf("second log: %v", err)
	}
	l.Close()
	l, _ = open(t, Options{FS: fs})
	l.Close()
}

func TestFormat(t *testing.T) {
	tests := []struct {
		name, content, want string
	}{
		{"this one", "1\n", ""},
		{"without newline", "1", ""},
		{"empty: creation was cut short", "", ""},
		{"newer", "2\n", "format 2, written by a newer version"},
		{"not a number", "hello", "does not hold a format number"},
		{"zero", "0\n", "does not hold a format number"},
		{"negative", "-1", "does not hold a format number"},
		{"binary", "\x00\x01\x02", "does not hold a format number"},
		{"far too long", strings.Repeat("1", 5000), "does not hold a format number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, formatName), []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			lock, err := LockDir(dir)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				lock.Close()
			} else if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
			l, err := Open(Options{FS: OS(dir), Owner: newOwner()})
			if (err == nil) != (tt.want == "") {
				t.Errorf("Open returned %v", err)
			}
			if err == nil {
				l.Close()
			}
			got, _ := os.ReadFile(filepath.Join(dir, formatName))
			if tt.want != "" && string(got) != tt.content {
				t.Error("a refused directory was changed")
			}
		})
	}
}

func TestDataDirectoryIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	l, w := open(t, Options{FS: OS(dir)})
	await(t, l, w.publish([]uint64{1, 1}, 0, "", 10))
	l.Close()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestParseName(t *testing.T) {
	tests := []struct {
		name   string
		number uint64
		spare  bool
		ok     bool
	}{
		{"000000000000000a.seg", 10, false, true},
		{"spare-0000000000000001.seg", 1, true, true},
		{"clean", 0, false, false},
		{"a.seg", 0, false, false},
		{"000000000000000a.bad", 0, false, false},
		{"00000000000000-1.seg", 0, false, false},
		{"spare-xyz.seg", 0, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			number, spare, ok := parseName(tt.name)
			if ok != tt.ok || ok && (number != tt.number || spare != tt.spare) {
				t.Errorf("got %d, %v, %v", number, spare, ok)
			}
		})
	}
}
