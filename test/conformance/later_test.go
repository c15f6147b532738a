package conformance

import (
	"strings"
	"testing"
)

// laterNames reads a list like testdata/not-yet.txt: a line "[reason]" opens a
// list of scenario names, one a line. It gives the reason for each name.
func laterNames(t *testing.T, file string) map[string]string {
	t.Helper()
	b, err := testdata.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	reason := ""
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			reason = strings.Trim(line, "[]")
		case reason == "":
			t.Fatalf("%s: %q stands under no reason", file, line)
		case out[line] != "":
			t.Fatalf("%s: %q is listed twice", file, line)
		default:
			out[line] = reason
		}
	}
	return out
}

// TestNotYet holds the list of scenarios that are left out to what exists: no
// scenario is dropped in silence, none is listed that is gone.
func TestNotYet(t *testing.T) {
	later := laterNames(t, "not-yet.txt")
	seen := map[string]bool{}
	run := 0
	for _, s := range mustLoad(t, "testdata") {
		if seen[s.Name] {
			t.Errorf("%s: two scenarios have this name", s.Name)
		}
		seen[s.Name] = true
		if _, listed := later[s.Name]; !listed {
			run++
		}
	}
	for name := range later {
		if !seen[name] {
			t.Errorf("not-yet.txt: no scenario %q", name)
		}
	}
	if run+len(later) != recorded {
		t.Errorf("%d run + %d not yet = %d scenarios, want %d", run, len(later), run+len(later), recorded)
	}
}

// TestOwnNames keeps the added scenarios apart from the recorded ones, also in
// the names they use on the broker.
func TestOwnNames(t *testing.T) {
	seen := map[string]bool{}
	defer func() {
		for name := range laterNames(t, "own-not-yet.txt") {
			if !seen[name] {
				t.Errorf("own-not-yet.txt: no scenario %q", name)
			}
		}
	}()
	for _, s := range mustLoad(t, "testdata/own") {
		if !strings.HasPrefix(s.Name, "own-") || seen[s.Name] {
			t.Errorf("%s: want a name of its own that begins with own-", s.Name)
		}
		seen[s.Name] = true
		for _, name := range append(s.Cleanup.Queues, s.Cleanup.Exchanges...) {
			if !strings.HasPrefix(name, s.Name+".") {
				t.Errorf("%s: uses %s, which does not begin with its name", s.Name, name)
			}
		}
	}
}
