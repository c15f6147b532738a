package deploy

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/test/harness"
)

// TestUnit: the node tells systemd when it accepts and when it stops, by the
// kind of address that systemd gives.
func TestUnit(t *testing.T) {
	text, err := os.ReadFile("../../deploy/leveret.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Type=notify", "User=leveret", "StateDirectory=leveret", "ExecReload=/bin/kill -HUP $MAINPID", "WantedBy=multi-user.target"} {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(want) + `$`).Match(text) {
			t.Errorf("the unit has no line %s", want)
		}
	}
	m := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/leveret (.*)$`).FindSubmatch(text)
	if m == nil {
		t.Fatal("the unit does not start leveret")
	}
	dir := t.TempDir()
	for _, address := range []string{filepath.Join(dir, "notify"), "@leveret-test-" + filepath.Base(filepath.Dir(dir))} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: strings.Replace(address, "@", "\x00", 1), Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		conf := filepath.Join(dir, "leveret.conf")
		if err := os.WriteFile(conf, []byte("listeners.tcp.1 = 127.0.0.1:0\nmanagement.tcp.port = 0\nprometheus.tcp.port = 0\npid_file = "+dir+"/pid\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		arguments := strings.NewReplacer("/etc/leveret/leveret.conf", conf, "/var/lib/leveret", dir+"/data").Replace(string(m[1]))
		cmd := harness.Command(t, strings.Fields(arguments)...)
		cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+address)
		p := start(t, cmd)
		if got := receive(t, l); got != "READY=1\nSTATUS=accepting AMQP" {
			t.Errorf("the first message to systemd is %q", got)
		}
		p.await("Server startup complete") // it was there before
		if _, err := os.Stat(dir + "/pid"); err != nil {
			t.Error(err)
		}
		p.stop()
		if got := receive(t, l); got != "STOPPING=1" {
			t.Errorf("the last message to systemd is %q", got)
		}
		if _, err := os.Stat(dir + "/pid"); err == nil {
			t.Error("the PID file is left behind")
		}
	}
}

func receive(t *testing.T, l *net.UnixConn) string {
	t.Helper()
	if err := l.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	n, err := l.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}
