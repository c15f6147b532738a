package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/cmd/leveret/config"
)

// console opens logs that go to a buffer only.
func console(t *testing.T, change func(*config.Log)) (*slog.Logger, *Logs, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	o := config.Default().Log
	if change != nil {
		change(&o)
	}
	l, err := Open(o, &out, &out)
	if err != nil {
		t.Fatal(err)
	}
	return l.Logger(), l, &out
}

// text is the output without times, which are checked for their form.
func text(t *testing.T, out *bytes.Buffer) string {
	t.Helper()
	form := regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d `)
	s := out.String()
	if n := len(form.FindAllString(s, -1)); n != strings.Count(s, "\n") {
		t.Errorf("%d of the lines begin with a time:\n%s", n, s)
	}
	out.Reset()
	return form.ReplaceAllString(s, "")
}

func TestLines(t *testing.T) {
	log, _, out := console(t, nil)
	conn := log.With("domain", "connection", "pid", "<0.7.0>", "zone", "a b")
	for _, c := range []struct {
		say  func()
		want string
	}{
		{func() { log.Info("Server startup complete; 0 plugins started.") }, "[info] <0.1.0> Server startup complete; 0 plugins started.\n"},
		{func() { conn.Warn("first\n second") }, "[warning] <0.7.0> first\n[warning] <0.7.0>  second zone=\"a b\"\n"},
		{func() { log.Error("cannot write", "err", errors.New("disk full"), "file", "x") }, "[error] <0.1.0> cannot write: disk full file=x\n"},
		{func() { log.WithGroup("g").With("a", 1).Info("text", "b", "") }, "[info] <0.1.0> text g.a=1 g.b=\"\"\n"},
		{func() { log.Log(t.Context(), slog.LevelInfo+2, "notice") }, "[notice] <0.1.0> notice\n"},
		{func() { log.Log(t.Context(), slog.LevelError+4, "critical") }, "[critical] <0.1.0> critical\n"},
		{func() { log.Info("bell\a escape\x1b[31m tab\t\r") }, "[info] <0.1.0> bell? escape?[31m tab\t?\n"},
		{func() { log.Info("quotes", "a", `x"y`) }, "[info] <0.1.0> quotes a=\"x\\\"y\"\n"},
		{func() { log.Debug("not seen") }, ""},
	} {
		c.say()
		if got := text(t, out); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestJSON(t *testing.T) {
	log, _, out := console(t, func(o *config.Log) { o.Console.JSON = true })
	log.With("domain", "connection", "pid", "<0.7.0>", "queue", "q\xff").Error("two\nlines", "n", 7, "ok", true, "bad", math.NaN(), "err", errors.New("x"))
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("%v: %s", err, out.String())
	}
	for name, want := range map[string]any{"level": "error", "msg": "two\nlines", "domain": "rabbitmq.connection", "pid": "<0.7.0>", "n": 7.0, "ok": true, "err": "x", "queue": "q\ufffd"} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

// TestLevels: a line is written when it reaches the level of the output and of
// its category, as far as these are set.
func TestLevels(t *testing.T) {
	all := []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"}
	for _, c := range []struct{ output, general, connection, domain, lowest string }{
		{"", "", "", "", "info"},
		{"debug", "", "", "", "debug"},
		{"", "debug", "", "", "debug"},
		{"warning", "debug", "", "", "warning"},
		{"debug", "error", "", "", "error"},
		{"", "", "debug", "connection", "debug"},
		{"", "", "debug", "channel", "info"},
		{"", "debug", "error", "connection", "error"},
		{"error", "", "debug", "connection", "error"},
		{"none", "", "", "", ""},
		{"", "emergency", "", "", "emergency"},
		{"", "", "none", "connection", ""},
	} {
		log, l, out := console(t, func(o *config.Log) {
			o.Console.Level, o.Level = c.output, c.general
			if c.connection != "" {
				o.Categories["connection"] = c.connection
			}
		})
		if c.domain != "" {
			log = log.With("domain", c.domain)
		}
		for _, name := range all {
			log.Log(t.Context(), Level(name), name)
		}
		lowest := ""
		if first, _, ok := strings.Cut(text(t, out), "]"); ok {
			lowest = strings.TrimPrefix(first, "[")
		}
		if lowest != c.lowest {
			t.Errorf("%+v: the lowest level written is %q", c, lowest)
		}
		if c.domain == "" && l.Console(slog.LevelInfo) != (c.lowest == "debug" || c.lowest == "info") {
			t.Errorf("%+v: Console does not tell", c)
		}
	}
}

func TestSetLevels(t *testing.T) {
	log, l, out := console(t, nil)
	log = log.With("domain", "queue") // made before the change
	log.Debug("before")
	o := config.Default().Log
	o.Level = "debug"
	l.SetLevels(o)
	log.Debug("after")
	if got := text(t, out); got != "[debug] <0.1.0> after\n" {
		t.Errorf("got %q", got)
	}
}

func TestLevelNames(t *testing.T) {
	for _, name := range []string{"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"} {
		if got := levelName(Level(name)); got != name {
			t.Errorf("%s is %s", name, got)
		}
	}
	if got := fmt.Sprint(levelName(slog.LevelDebug-4), levelName(slog.LevelError+1)); got != "debugerror" {
		t.Error(got)
	}
}
