package config

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	dir := write(t, map[string]string{"good.conf": "heartbeat = 5\nhipe_compile = true\n", "bad.conf": "heartbeat = x\ndefault_pass = s3cret\nlog.levl = info\n"})
	for file, c := range map[string]struct {
		says   []string
		failed bool
	}{
		"good.conf": {[]string{"warning: DIR/good.conf:2: hipe_compile is accepted without effect", "read: DIR/good.conf", "the configuration is good"}, false},
		"bad.conf":  {[]string{"DIR/bad.conf:1: heartbeat: must be a number of seconds", "DIR/bad.conf:3: unknown key log.levl; did you mean log.level?"}, true},
		"none.conf": {[]string{"open DIR/none.conf: no such file or directory"}, true},
	} {
		var out bytes.Buffer
		cmd := Command()
		cmd.SetArgs([]string{"check", filepath.Join(dir, file)})
		cmd.SetOut(&out)
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		if err := cmd.Execute(); (err != nil) != c.failed {
			t.Errorf("%s: %v", file, err)
		}
		for _, want := range c.says {
			if !strings.Contains(out.String(), strings.ReplaceAll(want, "DIR", dir)) {
				t.Errorf("%s: %q is not in\n%s", file, want, out.String())
			}
		}
		if strings.Contains(out.String(), "s3cret") {
			t.Errorf("%s: a password was printed:\n%s", file, out.String())
		}
	}
}
