package deploy

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/server/servertest"
	"github.com/leveretmq/leveret/test/harness"
)

// user is the image's, by number: there is no /etc/passwd in it.
const user = 999

// image is the tree that the Dockerfile copies into the empty image.
func image(t *testing.T) string {
	t.Helper()
	tree := filepath.Join(t.TempDir(), "rootfs")
	if out, err := exec.Command("../../deploy/rootfs.sh", harness.Command(t).Path, tree).CombinedOutput(); err != nil {
		t.Fatalf("rootfs.sh: %v\n%s", err, out)
	}
	return tree
}

// container is the image's command, in the tree as its root and as its user:
// in a user namespace where that is allowed, else by root. network says whether
// it has a network of its own, so that the image's own ports can be used.
func container(t *testing.T, tree string, network bool, environ ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/usr/local/bin/" + command(t))
	cmd.Dir = "/"
	cmd.Env = append([]string{"PATH=/usr/local/bin", "HOME=/var/lib/rabbitmq"}, environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: tree, Credential: &syscall.Credential{Uid: user, Gid: user, NoSetGroups: true}}
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
	if network {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNET
	}
	if namespaces() {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getgid(), Size: 1}}
		return cmd
	}
	if os.Getuid() != 0 {
		t.Fatal("neither user namespaces nor root: the image's tree cannot be entered")
	}
	cmd.SysProcAttr.Cloneflags &^= syscall.CLONE_NEWUSER
	err := filepath.WalkDir(tree, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, user, user))
	})
	if err != nil {
		t.Fatal(err)
	}
	return cmd
}

// namespaces says whether user namespaces may be made.
func namespaces() bool {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getuid(), Size: 1}}}
	return cmd.Run() == nil
}

// dockerfile gives the values of an instruction of the Dockerfile's last stage.
func dockerfile(t *testing.T, instruction string) (values []string) {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	last := string(text)[strings.LastIndex(string(text), "\nFROM "):]
	for _, m := range regexp.MustCompile(`(?m)^`+instruction+`\s+(.*)$`).FindAllStringSubmatch(last, -1) {
		values = append(values, m[1])
	}
	return values
}

// command is the Dockerfile's.
func command(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile(`^\["([a-z-]+)"\]$`).FindStringSubmatch(strings.Join(dockerfile(t, "CMD"), ""))
	if m == nil {
		t.Fatal("the Dockerfile has no CMD of one word")
	}
	return m[1]
}

// TestDockerfile: from nothing, not root, with RabbitMQ's ports and volume.
func TestDockerfile(t *testing.T) {
	for instruction, want := range map[string]string{
		"FROM":       "scratch",
		"COPY":       fmt.Sprintf("--from=build --chown=%d:%d /rootfs /", user, user),
		"USER":       fmt.Sprintf("%d:%d", user, user),
		"VOLUME":     "/var/lib/rabbitmq",
		"EXPOSE":     "5671 5672 15671 15672 15691 15692",
		"CMD":        `["rabbitmq-server"]`,
		"ENV":        "PATH=/usr/local/bin HOME=/var/lib/rabbitmq",
		"STOPSIGNAL": "SIGTERM",
	} {
		if got := strings.Join(dockerfile(t, instruction), "; "); got != want {
			t.Errorf("%s is %q, want %q", instruction, got, want)
		}
	}
}

// TestCompose: what the compose file maps is what the image exposes.
func TestCompose(t *testing.T) {
	text, err := os.ReadFile("../../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	exposed := strings.Fields(strings.Join(dockerfile(t, "EXPOSE"), " "))
	for _, m := range regexp.MustCompile(`- "(\d+):(\d+)"`).FindAllStringSubmatch(string(text), -1) {
		if m[1] != m[2] || !strings.Contains(" "+strings.Join(exposed, " ")+" ", " "+m[2]+" ") {
			t.Errorf("port %s is mapped to %s; the image exposes %q", m[1], m[2], exposed)
		}
	}
	for _, want := range []string{"build: .", ":" + strings.Join(dockerfile(t, "VOLUME"), ""), "RABBITMQ_DEFAULT_USER", "RABBITMQ_DEFAULT_PASS", "stop_grace_period: 15s"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// TestImage: a node with user, password and virtual host from the environment;
// guest is absent; what is durable outlives the container.
func TestImage(t *testing.T) {
	tree := image(t)
	put(t, tree, "/etc/rabbitmq/conf.d/20-here.conf", "management.tcp.port = 0\nprometheus.tcp.port = 0\n") // others may have them
	port := freePort(t)
	environ := []string{"RABBITMQ_NODE_PORT=" + port, "RABBITMQ_DEFAULT_USER=alice", "RABBITMQ_DEFAULT_PASS=s3cret", "RABBITMQ_DEFAULT_VHOST=shop"}
	p := start(t, container(t, tree, false, environ...))
	p.await("config file(s) : /etc/rabbitmq/conf.d/10-defaults.conf")
	p.await("Server startup complete; 0 plugins started.")
	url := "amqp://alice:s3cret@127.0.0.1:" + port + "/shop"
	declare(t, url, false)
	var refused *amqp.Error
	if _, err := amqp.Dial("amqp://guest:guest@127.0.0.1:" + port + "/"); !errors.As(err, &refused) || refused.Code != amqp.AccessRefused {
		t.Errorf("guest: %v, want 403", err)
	}
	p.stop()
	if strings.Contains(strings.Join(p.seen, "\n"), "s3cret") {
		t.Error("the password is in the log")
	}
	p = start(t, container(t, tree, false, environ[0])) // what the first boot made stays
	p.await("Server startup complete")
	declare(t, url, true)
	p.stop()
}

func declare(t *testing.T, url string, there bool) {
	t.Helper()
	c, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if there {
		_, err = ch.QueueDeclarePassive("kept", true, false, false, false, nil)
	} else {
		_, err = ch.QueueDeclare("kept", true, false, false, false, nil)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestTestcontainers: the configuration that testcontainers-go writes for TLS,
// and the lines that it and its siblings wait for, on the image's own ports.
func TestTestcontainers(t *testing.T) {
	tree := image(t)
	a := servertest.NewAuthority(t, "ca")
	cert, key := a.Issue("server", x509.Certificate{})
	for name, file := range map[string]string{"rabbitmq-ca.pem": a.File, "rabbitmq-cert.pem": cert, "rabbitmq-key.pem": key} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		put(t, tree, "/etc/rabbitmq/"+name, string(text))
	}
	put(t, tree, "/etc/rabbitmq/rabbitmq-testcontainers.conf", `
default_user = admin
default_pass = s3cret
listeners.tcp = none
listeners.ssl.default = 5671
ssl_options.cacertfile = /etc/rabbitmq/rabbitmq-ca.pem
ssl_options.certfile = /etc/rabbitmq/rabbitmq-cert.pem
ssl_options.keyfile = /etc/rabbitmq/rabbitmq-key.pem
ssl_options.depth = 1
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
`)
	for _, file := range []string{"/etc/rabbitmq/rabbitmq-testcontainers.conf", "/etc/rabbitmq/rabbitmq-testcontainers"} {
		p := start(t, container(t, tree, true, "RABBITMQ_CONFIG_FILE="+file))
		p.await("started TLS (SSL) listener on [::]:5671")
		if line := p.await("Server startup complete"); !regexp.MustCompile(`.*Server startup complete.*`).MatchString(line) {
			t.Errorf("the last line is %q", line)
		}
		p.stop()
		if all := strings.Join(p.seen, "\n"); strings.Contains(all, "started TCP listener") {
			t.Errorf("listeners.tcp = none leaves one:\n%s", all)
		}
	}
}

// TestBadConfiguration: the node says what is wrong and does not start.
func TestBadConfiguration(t *testing.T) {
	tree := image(t)
	put(t, tree, "/etc/rabbitmq/rabbitmq.conf", "heartbeta = 5\n")
	cmd := container(t, tree, true)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "/etc/rabbitmq/rabbitmq.conf:1: unknown key heartbeta; did you mean heartbeat?") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func put(t *testing.T, tree, name, text string) {
	t.Helper()
	path := filepath.Join(tree, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
