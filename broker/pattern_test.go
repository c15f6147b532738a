package broker

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestPatternsMatch compares with what Erlang's re:run said of every pattern and
// subject.
func TestPatternsMatch(t *testing.T) {
	var recorded struct {
		Subjects []string
		Patterns []struct{ Pattern, Matches string }
	}
	text, err := os.ReadFile("testdata/patterns.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	for _, r := range recorded.Patterns {
		p, err := compilePattern(r.Pattern)
		if err != nil {
			t.Errorf("%q: %v", r.Pattern, err)
			continue
		}
		for i, s := range recorded.Subjects {
			if got := p.Match(s); got != (r.Matches[i] == '1') {
				t.Errorf("%q in %q: %v (linear %v)", r.Pattern, s, got, p.linear != nil)
			}
		}
	}
}

func TestPatternErrors(t *testing.T) {
	for expr, want := range map[string]string{"(": `{"missing )",1}`, "(?:a": `{"missing )",4}`, "[a": `{"missing closing ]",0}`} {
		if _, err := compilePattern(expr); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", expr, err, want)
		}
	}
}

// TestPatternGoesBackNotForEver: a name cannot hold the broker up.
func TestPatternGoesBackNotForEver(t *testing.T) {
	p, err := compilePattern(`^(?!x)(a+)+$`)
	if err != nil {
		t.Fatal(err)
	}
	if p.Match(strings.Repeat("a", 200) + "b") {
		t.Error("matched")
	}
}
