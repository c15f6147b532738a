package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/server"
	"github.com/leveretmq/leveret/server/servertest"
)

// secure starts a node with one TLS listener whose certificate a signs.
func secure(t *testing.T, a *servertest.Authority, o server.Options) *server.Server {
	t.Helper()
	o.Listeners = append(o.Listeners, server.Listener{Addr: "127.0.0.1:0", TLS: true})
	o.TLS.CertFile, o.TLS.KeyFile = a.Issue("server", x509.Certificate{})
	o.TLS.CAFile = a.File
	return start(t, o)
}

// trusting is a client's configuration, with a certificate of its own when
// issuer is not nil.
func trusting(t *testing.T, a, issuer *servertest.Authority, c x509.Certificate) *tls.Config {
	t.Helper()
	o := &tls.Config{RootCAs: a.Pool()}
	if issuer != nil {
		cert, err := tls.LoadX509KeyPair(issuer.Issue("client", c))
		if err != nil {
			t.Fatal(err)
		}
		// The client would leave out a certificate that the server does not ask for.
		o.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	}
	return o
}

// talk logs in and makes a round trip.
func talk(url string, o *tls.Config, external bool) error {
	config := client.Config{TLSClientConfig: o, Heartbeat: time.Minute}
	if external {
		config.SASL = []client.Authentication{&client.ExternalAuth{}}
	}
	c, err := client.DialConfig(url, config)
	if err != nil {
		return err
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	if _, err = ch.QueueDeclare("", false, true, true, false, nil); err != nil {
		return err
	}
	return c.Close()
}

func TestTLS(t *testing.T) {
	a, stranger := servertest.NewAuthority(t, "ca"), servertest.NewAuthority(t, "stranger")
	middle := a.Intermediate("middle")
	deep := middle.Intermediate("deep")
	old := x509.Certificate{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}
	verify := server.TLS{VerifyPeer: true, Depth: 1}
	require := server.TLS{VerifyPeer: true, RequirePeer: true, Depth: 1}
	cases := []struct {
		name   string
		o      server.TLS
		client *tls.Config
		ok     bool
	}{
		{"no certificate asked for", server.TLS{}, trusting(t, a, nil, x509.Certificate{}), true},
		{"a certificate that nobody asked for", server.TLS{}, trusting(t, a, stranger, x509.Certificate{}), true},
		{"none where one may be given", verify, trusting(t, a, nil, x509.Certificate{}), true},
		{"a stranger's where one may be given", verify, trusting(t, a, stranger, x509.Certificate{}), false},
		{"none where one is needed", require, trusting(t, a, nil, x509.Certificate{}), false},
		{"a good one", require, trusting(t, a, a, x509.Certificate{}), true},
		{"a stranger's", require, trusting(t, a, stranger, x509.Certificate{}), false},
		{"an old one", require, trusting(t, a, a, old), false},
		{"one intermediate", require, trusting(t, a, middle, x509.Certificate{}), true},
		{"one intermediate too many", server.TLS{VerifyPeer: true, RequirePeer: true}, trusting(t, a, middle, x509.Certificate{}), false},
		{"two intermediates", server.TLS{VerifyPeer: true, RequirePeer: true, Depth: 2}, trusting(t, a, deep, x509.Certificate{}), true},
		{"two intermediates too many", require, trusting(t, a, deep, x509.Certificate{}), false},
		{"the server is a stranger", server.TLS{}, trusting(t, stranger, nil, x509.Certificate{}), false},
		{"TLS 1.2 with one suite", server.TLS{MaxVersion: tls.VersionTLS12, Ciphers: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}},
			&tls.Config{RootCAs: a.Pool(), CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}}, true},
		{"another suite", server.TLS{MaxVersion: tls.VersionTLS12, Ciphers: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}},
			&tls.Config{RootCAs: a.Pool(), CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}, false},
		{"TLS 1.2 where 1.3 is needed", server.TLS{MinVersion: tls.VersionTLS13}, &tls.Config{RootCAs: a.Pool(), MaxVersion: tls.VersionTLS12}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := secure(t, a, server.Options{TLS: c.o})
			if !strings.HasPrefix(s.URL(), "amqps://") {
				t.Errorf("the URL is %s", s.URL())
			}
			if err := talk(s.URL(), c.client, false); (err == nil) != c.ok {
				t.Errorf("%v, want success %t", err, c.ok)
			}
		})
	}
}

// TestExternal: the name in a certificate logs in without a password.
func TestExternal(t *testing.T) {
	a := servertest.NewAuthority(t, "ca")
	uri, err := url.Parse("spiffe://x/alice")
	if err != nil {
		t.Fatal(err)
	}
	alice := x509.Certificate{Subject: pkix.Name{CommonName: "alice", Organization: []string{"Test, Inc"}, Country: []string{"DE"}},
		DNSNames: []string{"one", "two"}, EmailAddresses: []string{"alice@x"}, URIs: []*url.URL{uri}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}}
	for _, c := range []struct {
		name   string
		how    amqp.CertificateName
		user   string
		client x509.Certificate
		code   int
	}{
		{"distinguished name", amqp.CertificateName{}, `CN=alice,O=Test\, Inc,C=DE`, alice, 0},
		{"common name", amqp.CertificateName{From: "common_name"}, "alice", alice, 0},
		{"first DNS name", amqp.CertificateName{From: "subject_alternative_name"}, "one", alice, 0},
		{"second DNS name", amqp.CertificateName{From: "subject_alternative_name", SANIndex: 1}, "two", alice, 0},
		{"no third DNS name", amqp.CertificateName{From: "subject_alternative_name", SANIndex: 2}, "two", alice, client.AccessRefused},
		{"mail address", amqp.CertificateName{From: "subject_alternative_name", SANType: "email"}, "alice@x", alice, 0},
		{"URI", amqp.CertificateName{From: "subject_alternative_name", SANType: "uri"}, "spiffe://x/alice", alice, 0},
		{"IP address", amqp.CertificateName{From: "subject_alternative_name", SANType: "ip"}, "10.0.0.1", alice, 0},
		{"no such user", amqp.CertificateName{From: "common_name"}, "bob", alice, client.AccessRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := secure(t, a, server.Options{
				TLS:       server.TLS{VerifyPeer: true, Depth: 1},
				Protocol:  amqp.Options{Mechanisms: []string{"PLAIN", "EXTERNAL"}, CertificateName: c.how},
				FirstBoot: broker.FirstBoot{Users: []broker.FirstUser{{Name: c.user, Password: "x", Configure: ".*", Write: ".*", Read: ".*"}}},
			})
			if err := talk(s.URL(), trusting(t, a, a, c.client), true); code(err) != c.code || c.code == 0 && err != nil {
				t.Errorf("%v, want code %d", err, c.code)
			}
			if err := talk(s.URL(), trusting(t, a, nil, x509.Certificate{}), true); code(err) != client.AccessRefused {
				t.Errorf("without a certificate: %v, want 403", err)
			}
		})
	}
}

// TestExternalIsNotOfferedInClear: there cannot be a certificate.
func TestExternalIsNotOfferedInClear(t *testing.T) {
	a := servertest.NewAuthority(t, "ca")
	s := secure(t, a, server.Options{Listeners: []server.Listener{{Addr: "127.0.0.1:0"}}, Protocol: amqp.Options{Mechanisms: []string{"EXTERNAL", "PLAIN"}}})
	if err := talk(s.URL(), nil, true); !errors.Is(err, client.ErrSASL) {
		t.Errorf("EXTERNAL in clear: %v, want %v", err, client.ErrSASL)
	}
	if err := talk(s.URL(), nil, false); err != nil {
		t.Errorf("PLAIN in clear: %v", err)
	}
	if err := talk("amqps://guest:guest@"+s.Addrs()[1]+"/", trusting(t, a, nil, x509.Certificate{}), false); err != nil {
		t.Errorf("PLAIN over TLS: %v", err)
	}
}

// TestReload: new handshakes see the new certificate, connections that are open
// stay, and a file that is no certificate changes nothing.
func TestReload(t *testing.T) {
	first, second := servertest.NewAuthority(t, "first"), servertest.NewAuthority(t, "second")
	cert, key := first.Issue("server", x509.Certificate{})
	s := start(t, server.Options{Listeners: []server.Listener{{Addr: "127.0.0.1:0", TLS: true}}, TLS: server.TLS{CertFile: cert, KeyFile: key}})
	open, err := client.DialTLS(s.URL(), &tls.Config{RootCAs: first.Pool()})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	replace := func(file, by string) {
		t.Helper()
		text, err := os.ReadFile(by)
		if err == nil {
			err = os.WriteFile(file, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	newCert, newKey := second.Issue("server", x509.Certificate{})
	replace(cert, newCert)
	if err := s.Reload(t.Context()); err == nil {
		t.Error("a certificate with another's key was taken")
	}
	if err := talk(s.URL(), &tls.Config{RootCAs: first.Pool()}, false); err != nil {
		t.Errorf("after a reload that failed: %v", err)
	}
	replace(key, newKey)
	if err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := talk(s.URL(), &tls.Config{RootCAs: second.Pool()}, false); err != nil {
		t.Errorf("with the new certificate: %v", err)
	}
	if err := talk(s.URL(), &tls.Config{RootCAs: first.Pool()}, false); err == nil {
		t.Error("the old certificate is still shown")
	}
	if _, err := open.Channel(); err != nil {
		t.Errorf("the connection of before: %v", err)
	}
}

func TestBadFiles(t *testing.T) {
	a := servertest.NewAuthority(t, "ca")
	cert, key := a.Issue("server", x509.Certificate{})
	for name, o := range map[string]server.TLS{
		"no certificate":    {CertFile: cert + ".none", KeyFile: key},
		"no key":            {CertFile: cert, KeyFile: key + ".none"},
		"key is no key":     {CertFile: cert, KeyFile: cert},
		"no authorities":    {CertFile: cert, KeyFile: key, VerifyPeer: true, CAFile: cert + ".none"},
		"authority is none": {CertFile: cert, KeyFile: key, VerifyPeer: true, CAFile: key},
	} {
		if s, err := server.Start(t.Context(), server.Options{TLS: o, Listeners: []server.Listener{{Addr: "127.0.0.1:0", TLS: true}}}); err == nil {
			s.Shutdown(t.Context())
			t.Errorf("%s: started", name)
		}
	}
	if err := start(t, server.Options{}).Reload(t.Context()); err != nil {
		t.Errorf("a reload without TLS: %v", err)
	}
}

// TestStrangersAtTheTLSPort: neither silence nor nonsense keeps others out.
func TestStrangersAtTheTLSPort(t *testing.T) {
	a := servertest.NewAuthority(t, "ca")
	s := secure(t, a, server.Options{Protocol: amqp.Options{TLSTimeout: 200 * time.Millisecond}})
	silent, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	clear, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer clear.Close()
	if _, err := clear.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		t.Fatal(err)
	}
	if err := talk(s.URL(), trusting(t, a, nil, x509.Certificate{}), false); err != nil {
		t.Error(err)
	}
	var b [100]byte
	for _, c := range []net.Conn{clear, silent} {
		c.SetDeadline(time.Now().Add(10 * time.Second))
		for {
			if _, err := c.Read(b[:]); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("the socket stays open")
				}
				break
			}
		}
	}
}
