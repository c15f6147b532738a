package config

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	// What RabbitMQ's own parser makes of each line, but for the last three.
	cases := []struct{ name, line, key, value string }{
		{"plain", "a.b = 1", "a.b", "1"},
		{"no blanks", "a.b=1", "a.b", "1"},
		{"blanks around", "\t a.b  =  x y \t", "a.b", "x y"},
		{"carriage return", "a.b = x\r", "a.b", "x"},
		{"comment behind", "a.b = abc # c", "a.b", "abc"},
		{"comment without blank", "a.b = abc#def", "a.b", "abc"},
		{"double quotes stay", `a.b = "x"`, "a.b", `"x"`},
		{"one quote is a letter", "a.b = don't", "a.b", "don't"},
		{"equals sign in the value", "a.b = x=y", "a.b", "x=y"},
		{"words with signs", "loopback_users.a-b_c = true", "loopback_users.a-b_c", "true"},
		{"escaped dot", `default_users.a\.b.tags = x`, `default_users.a\.b.tags`, "x"},
		{"single quotes keep a #", "a = 'x # y' # z", "a", "x # y"},
		{"a quote that does not close", "a = 'x # y", "a", "'x"},
		{"byte order mark", "\ufeffa = 1", "a", "1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, errs := parse("f", "# first\n\n"+c.line)
			if strings.HasPrefix(c.line, "\ufeff") {
				got, errs = parse("f", c.line)
			}
			if len(errs) > 0 || len(got) != 1 || got[0].Key != c.key || got[0].Value != c.value {
				t.Fatalf("got %+v, %v; want %s = %q", got, errs, c.key, c.value)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"a.b":                      "f:2: not a line of the form key = value",
		"a b = s3cret":             "f:2: not a line of the form key = value",
		"a..b = 1":                 "f:2: not a line of the form key = value",
		".a = 1":                   "f:2: not a line of the form key = value",
		"a.$b = 1":                 "f:2: not a line of the form key = value",
		"a.b@c = 1":                "f:2: not a line of the form key = value",
		"= 1":                      "f:2: not a line of the form key = value",
		"[{rabbit,[]}].":           "f:2: not a line of the form key = value",
		"a.b =":                    "f:2: a.b: has no value",
		"a.b = # nothing":          "f:2: a.b: has no value",
		"include conf.d/x.conf":    "f:2: include is not supported: put the file into conf.d",
		"default_pass: s3cret\x00": "f:2: not a line of the form key = value",
	} {
		got, errs := parse("f", "x = 1\n"+line+"\ny = 2")
		if len(errs) != 1 || errs[0].Error() != want || len(got) != 2 {
			t.Errorf("%q: got %v and %d settings, want %q", line, errs, len(got), want)
		}
	}
}

// FuzzParse: no text breaks the reader; what it accepts is of the form that the
// rest relies on; what it refuses is not repeated, for it may be a secret.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a.b = 1\n", "# c\n\na=1#x", "default_pass = 'a # b'", "a = ''", `a\.b.c = 1`, "\\. = 1", "listeners.tcp.1 = ::1:5672\nheartbeat = x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		settings, errs := parse("f", text)
		for _, s := range settings {
			if !validKey(s.Key) || s.Value == "" || strings.Contains(s.Value, "\n") || !strings.HasPrefix(s.Origin, "f:") {
				t.Fatalf("accepted %+v", s)
			}
		}
		for _, err := range errs {
			if err == nil || !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("error %v", err)
			}
		}
		o := Default()
		l := loader{options: &o, settings: settings}
		l.apply()
		l.finish()
	})
}
