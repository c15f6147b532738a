package config

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// TestRabbitMQsKeysAreKnown: every key of 3.10.8, of its plugins and of 4.3.5.
func TestRabbitMQsKeysAreKnown(t *testing.T) {
	list, err := os.Open("testdata/rabbitmq_keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	o := Default()
	table, n := newTable(&o), 0
	for lines := bufio.NewScanner(list); lines.Scan(); n++ {
		name := strings.ReplaceAll(lines.Text(), "$", "x") // a word of the user's choice
		if _, ok := table.find(name); !ok {
			t.Errorf("%s is unknown", lines.Text())
		}
	}
	if n < 900 {
		t.Errorf("only %d keys were looked up", n)
	}
}

// TestTableIsSound: each name stands once, and what has no effect says why.
func TestTableIsSound(t *testing.T) {
	o := Default()
	seen := map[string]bool{}
	for _, k := range keys(&o) {
		if seen[k.name] {
			t.Errorf("%s stands twice", k.name)
		}
		seen[k.name] = true
		if (k.set == nil) != (k.why != "") {
			t.Errorf("%s has an effect and a reason to have none, or neither", k.name)
		}
		if strings.ContainsAny(k.name, "{} ") {
			t.Errorf("%q is no name of a key", k.name)
		}
	}
}

func TestNearest(t *testing.T) {
	o := Default()
	table := newTable(&o)
	for name, want := range map[string]string{
		"heartbeta":                   "heartbeat",
		"listener.tcp.default":        "listeners.tcp.default",
		"listeners.tpc.default":       "listeners.tcp.default",
		"defaultuser":                 "default_user",
		"ssl_options.cacert_file":     "ssl_options.cacertfile",
		"ssl_option.versions.1":       "ssl_options.versions.1",
		"log.consol.level":            "log.console.level",
		"disk_free_limit.absolut":     "disk_free_limit.absolute",
		"vm_memory_high_watermark":    "",
		"completely.something.else":   "",
		"x":                           "",
		"default_users.bob.passwort":  "default_users.bob.password",
		"management.tcp.prot":         "management.tcp.port",
		"definitions.localpath":       "definitions.local.path",
		"LOG.console":                 "log.console",
		"tcp_listen_options.nodelays": "tcp_listen_options.nodelay",
	} {
		if _, known := table.find(name); known {
			t.Errorf("%s is known", name)
		}
		if got := table.nearest(name); got != want {
			t.Errorf("nearest to %s: %q, want %q", name, got, want)
		}
	}
}

func TestNaturalOrder(t *testing.T) {
	for _, pair := range [][2]string{
		{"a.9", "a.10"}, {"a.1", "a.2"}, {"a.b", "a.c"}, {"listeners.tcp.1", "listeners.tcp"}, {"a.z", "b.a"}, {"a.2.x", "a.10.b"},
	} {
		if natural(pair[0], pair[1]) >= 0 || natural(pair[1], pair[0]) <= 0 || natural(pair[0], pair[0]) != 0 {
			t.Errorf("%s does not come before %s", pair[0], pair[1])
		}
	}
}
