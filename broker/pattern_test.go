package broker

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// TestPatternsMatch compares both engines with what Erlang's re:run said of
// every pattern and subject.
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
		back, err := (&parser{expr: r.Pattern, rest: r.Pattern}).parse()
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range recorded.Subjects {
			want := r.Matches[i] == '1'
			if got := p.Match(s); got != want {
				t.Errorf("%q in %q: %v (linear %v)", r.Pattern, s, got, p.linear != nil)
			}
			if got := (&pattern{back: back}).Match(s); got != want {
				t.Errorf("%q in %q: %v going back", r.Pattern, s, got)
			}
		}
	}
}

func TestPatternErrors(t *testing.T) {
	cases := map[string]string{
		"(": `{"missing )",1}`, ")": `{"unmatched parentheses",0}`, "a)": `{"unmatched parentheses",1}`, "(?:a": `{"missing )",4}`,
		"*a": `{"nothing to repeat",0}`, "a**": `{"nothing to repeat",2}`, "a{2}{3}": `{"nothing to repeat",6}`, "(a|*)": `{"nothing to repeat",3}`,
		"^*": `{"nothing to repeat",1}`, `\b+`: `{"nothing to repeat",2}`, "|*": `{"nothing to repeat",1}`,
		"a{3,2}": `{"numbers out of order in {} quantifier",5}`, "a{99999}": `{"number too big in {} quantifier",7}`,
		"a{1,99999999999999999999}": `{"number too big in {} quantifier",24}`,
		"[a":                        `{"missing terminating ] for character class",2}`, "[]": `{"missing terminating ] for character class",2}`,
		"[^]": `{"missing terminating ] for character class",3}`, "[z-a]": `{"range out of order in character class",3}`,
		`[a-\d]`: `{"invalid range in character class",4}`, "[[:foo:]]": `{"unknown POSIX class name",3}`,
		`\`: `{"\\ at end of pattern",1}`, `[\`: `{"\\ at end of pattern",2}`, "(?": `{"unrecognized character after (? or (?-",2}`,
		"(?Z)": `{"unrecognized character after (? or (?-",2}`, `\1`: `{"reference to non-existent subpattern",2}`,
		`(a)\2`: `{"reference to non-existent subpattern",5}`, "(?<n": `{"syntax error in subpattern name (missing terminator)",4}`,
		`\x{100}`: `{"character value in \\x{} or \\o{} is too large",2}`, `\p{L}`: `{"\\p is not supported",2}`,
		"(?#": `{"missing ) after comment",3}`, strings.Repeat("(", 300): `{"parentheses are too deeply nested",250}`,
	}
	for expr, want := range cases {
		_, err := compilePattern(expr)
		var e *patternError
		if !errors.As(err, &e) || e.Error() != want {
			t.Errorf("%q: %v, want %s", expr, err, want)
		}
	}
}

// A pattern that would go back for ever finds nothing.
func TestPatternIsBounded(t *testing.T) {
	p, err := compilePattern(`^(?=a)((a+)+)+$`)
	if err != nil {
		t.Fatal(err)
	}
	if p.Match(strings.Repeat("a", 200) + "b") {
		t.Fatal("matches")
	}
}

// FuzzPattern: no expression and no name does harm, and where Go's own engine
// understands an expression the other one agrees.
func FuzzPattern(f *testing.F) {
	for _, expr := range []string{`^(?!amq\.).*`, `(a|b)*c{2,3}?`, `[[:alpha:]\d-z]+`, `(?i:x)(?<=y)`, `\x41|\Q.\E`} {
		f.Add(expr, "amq.topic")
	}
	f.Fuzz(func(t *testing.T, expr, s string) {
		if len(expr) > 50 || len(s) > 50 {
			return
		}
		p, err := compilePattern(expr)
		if err != nil {
			return
		}
		got := p.Match(s)
		if p.linear == nil || !isPlain(expr) || !isPlain(s) {
			return
		}
		back, err := (&parser{expr: expr, rest: expr}).parse()
		if err != nil {
			t.Fatal(err)
		}
		m := &matching{s: s, steps: maxSteps}
		for at := 0; at <= len(s); at++ {
			if back.match(m, at, func(int) bool { return true }) {
				if !got {
					t.Fatalf("%q in %q: only going back", expr, s)
				}
				return
			}
		}
		if got && m.steps > 0 {
			t.Fatalf("%q in %q: not going back", expr, s)
		}
	})
}
