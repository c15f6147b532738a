package clients

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/server/servertest"
	"github.com/leveretmq/leveret/test/harness"
)

// TestTLS connects by TLS with pika and with amqp091-go, with a password and
// with a certificate; the broker is configured by a rabbitmq.conf.
func TestTLS(t *testing.T) {
	t.Parallel()
	a := servertest.NewAuthority(t, "ca")
	serverCert, serverKey := a.Issue("server", x509.Certificate{})
	clientCert, clientKey := a.Issue("guest", x509.Certificate{})
	conf := filepath.Join(t.TempDir(), "rabbitmq.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, `
listeners.ssl.default = 127.0.0.1:0
ssl_options.cacertfile = %s
ssl_options.certfile   = %s
ssl_options.keyfile    = %s
ssl_options.verify     = verify_peer
ssl_options.fail_if_no_peer_cert = false
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = EXTERNAL
ssl_cert_login_from = common_name
`, a.File, serverCert, serverKey), 0o600); err != nil {
		t.Fatal(err)
	}
	broker := harness.StartWith(t, harness.Options{Arguments: []string{"--config", conf}})
	line := regexp.MustCompile(`started TLS \(SSL\) listener on (\S+)`).FindStringSubmatch(broker.Output())
	if line == nil {
		t.Fatal("the broker does not say where its TLS listener is")
	}
	_, port, err := net.SplitHostPort(line[1])
	if err != nil {
		t.Fatal(err)
	}
	t.Run("pika", func(t *testing.T) {
		need(t, "python3-pika", python, "/usr/lib/python3/dist-packages/pika")
		script{
			command: []string{python, "pika/tls.py", port, a.File, clientCert, clientKey},
			steps:   []string{"plain", "large", "external", "refused"},
		}.run(t)
	})
	t.Run("amqp091-go", func(t *testing.T) {
		own, err := tls.LoadX509KeyPair(clientCert, clientKey)
		if err != nil {
			t.Fatal(err)
		}
		c, err := amqp.DialTLS_ExternalAuth("amqps://localhost:"+port+"/", &tls.Config{RootCAs: a.Pool(), Certificates: []tls.Certificate{own}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
