package persistence

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func set(key, value string) Change { return Change{Key: []byte(key), Value: []byte(value)} }

func unset(key string) Change { return Change{Key: []byte(key)} }

// contents returns all of a Meta as one line.
func contents(t *testing.T, m Meta) string {
	t.Helper()
	var b strings.Builder
	err := m.Load(func(key, value []byte) error {
		fmt.Fprintf(&b, "%s=%s ", key, value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}

func TestMeta(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	disk, err := OpenMeta(path)
	if err != nil {
		t.Fatal(err)
	}
	memory := NewMemoryMeta()
	tests := []struct {
		name    string
		changes []Change
		want    string
		fails   bool
	}{
		{"nothing", nil, "", false},
		{"set", []Change{set("b", "2"), set("a", "1")}, "a=1 b=2", false},
		{"replace and remove", []Change{set("a", "3"), unset("b"), set("c", "")}, "a=3 c=", false},
		{"the last of one key wins", []Change{set("d", "1"), unset("d"), set("d", "2")}, "a=3 c= d=2", false},
		{"remove what is missing", []Change{unset("zzz")}, "a=3 c= d=2", false},
		{"all or nothing", []Change{set("e", "1"), set("", "no key")}, "a=3 c= d=2", true},
		{"binary keys", []Change{set("\x00\xff", "x"), unset("\x00\xff")}, "a=3 c= d=2", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for kind, m := range map[string]Meta{"disk": disk, "memory": memory} {
				if err := m.Commit(tt.changes); (err != nil) != tt.fails {
					t.Errorf("%s: Commit returned %v", kind, err)
				}
				if got := contents(t, m); got != tt.want {
					t.Errorf("%s holds %q, want %q", kind, got, tt.want)
				}
			}
		})
	}
	if _, err := OpenMeta(path); err == nil {
		t.Error("opened twice")
	}
	if err := errors.Join(disk.Close(), memory.Close()); err != nil {
		t.Fatal(err)
	}
	disk, err = OpenMeta(path)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	if got := contents(t, disk); got != "a=3 c= d=2" {
		t.Errorf("after a restart: %q", got)
	}
	stop := errors.New("enough")
	for kind, m := range map[string]Meta{"disk": disk, "memory": memory} {
		n := 0
		err := m.Load(func([]byte, []byte) error { n++; return stop })
		if !errors.Is(err, stop) || n != 1 {
			t.Errorf("%s: Load returned %v after %d", kind, err, n)
		}
	}
}

func TestMemoryMetaCrash(t *testing.T) {
	m := NewMemoryMeta()
	value := []byte("1")
	if err := m.Commit([]Change{{Key: []byte("a"), Value: value}}); err != nil {
		t.Fatal(err)
	}
	value[0] = 'x' // the caller's buffer
	crashed := m.Clone()
	lost := errors.New("lost")
	m.SetFault(func(c []Change) error {
		if len(c) > 1 {
			return lost
		}
		return nil
	})
	if err := m.Commit([]Change{set("b", "1"), set("c", "1")}); !errors.Is(err, lost) {
		t.Errorf("Commit returned %v", err)
	}
	if err := m.Commit([]Change{set("d", "1")}); err != nil {
		t.Error(err)
	}
	if a, b := contents(t, crashed), contents(t, m); a != "a=1" || b != "a=1 d=1" {
		t.Errorf("clone %q, original %q", a, b)
	}
}

func TestOpenMetaRefusesOtherFiles(t *testing.T) {
	if _, err := OpenMeta(t.TempDir()); err == nil || !strings.Contains(err.Error(), "open metadata") {
		t.Errorf("a folder: %v", err)
	}
}
