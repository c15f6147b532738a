package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/mgmt"
	"github.com/leveretmq/leveret/server"
	"github.com/leveretmq/leveret/server/servertest"
)

// fetch makes a request as guest, or as nobody.
func fetch(t *testing.T, c *http.Client, method, url string, login bool, headers map[string]string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if login {
		req.SetBasicAuth("guest", "guest")
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestHTTPS serves the API and the metrics with TLS, shows the listeners, and
// takes over a new certificate.
func TestHTTPS(t *testing.T) {
	a := servertest.NewAuthority(t, "ca")
	cert, key := a.Issue("web", x509.Certificate{NotAfter: time.Now().Add(20 * 24 * time.Hour)})
	s := start(t, server.Options{Web: server.Web{HTTPS: "127.0.0.1:0", HTTPSCertificate: server.TLS{CertFile: cert, KeyFile: key}}})
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool()}}}
	t.Cleanup(c.CloseIdleConnections)
	url := "https://" + s.HTTPSAddr()
	resp, body := fetch(t, c, "GET", url+"/api/overview", true, nil)
	var o struct {
		Listeners []struct{ Protocol string }
	}
	if err := json.Unmarshal([]byte(body), &o); err != nil || resp.StatusCode != 200 || len(o.Listeners) != 2 || o.Listeners[1].Protocol != "https" {
		t.Errorf("status %d, %v, listeners %+v", resp.StatusCode, err, o.Listeners)
	}
	for path, want := range map[string]int{"1/weeks": 200, "1/months": 503} {
		if resp, body := fetch(t, c, "GET", url+"/api/health/checks/certificate-expiration/"+path, true, nil); resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d: %s", path, resp.StatusCode, want, body)
		}
	}
	if err := s.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	if s.HTTPAddr() != "" || s.MetricsAddr() != "" {
		t.Error("plain listeners that nobody asked for")
	}
}

// TestWebSettings: a prefix, headers, pages of other origins, and a login for
// metrics.
func TestWebSettings(t *testing.T) {
	s := start(t, server.Options{HTTP: "127.0.0.1:0", Metrics: "127.0.0.1:0", Web: server.Web{
		API: mgmt.Settings{PathPrefix: "/rabbit/", Headers: map[string]string{"x-frame-options": "DENY", "x-content-type-options": ""},
			CORSOrigins: []string{"https://ok.example"}, CORSMaxAge: time.Minute, MaxBody: 10},
		Metrics: mgmt.MetricsSettings{Path: "/m", PerObject: true, Login: true},
	}})
	c := http.DefaultClient
	api := "http://" + s.HTTPAddr()
	if resp, _ := fetch(t, c, "GET", api+"/api/whoami", true, nil); resp.StatusCode != 404 {
		t.Errorf("without the prefix: status %d", resp.StatusCode)
	}
	resp, _ := fetch(t, c, "GET", api+"/rabbit/api/vhosts/%2F", true, map[string]string{"Origin": "https://ok.example"})
	if resp.StatusCode != 200 || resp.Header.Get("X-Frame-Options") != "DENY" || resp.Header.Get("X-Content-Type-Options") != "" ||
		resp.Header.Get("Access-Control-Allow-Origin") != "https://ok.example" {
		t.Errorf("status %d, headers %v", resp.StatusCode, resp.Header)
	}
	resp, _ = fetch(t, c, "GET", api+"/rabbit/api/whoami", true, map[string]string{"Origin": "https://bad.example"})
	if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("a foreign page is let in: %q", got)
	}
	resp, _ = fetch(t, c, "OPTIONS", api+"/rabbit/api/whoami", false, map[string]string{"Origin": "https://ok.example", "Access-Control-Request-Headers": "authorization"})
	if resp.StatusCode != 200 || resp.Header.Get("Access-Control-Allow-Headers") != "authorization" || resp.Header.Get("Access-Control-Max-Age") != "60" {
		t.Errorf("preflight: status %d, %v", resp.StatusCode, resp.Header)
	}
	metrics := "http://" + s.MetricsAddr()
	if resp, _ := fetch(t, c, "GET", metrics+"/m", false, nil); resp.StatusCode != 401 {
		t.Errorf("metrics without login: status %d", resp.StatusCode)
	}
	conn, err := client.Dial(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if resp, body := fetch(t, c, "GET", metrics+"/m", true, nil); resp.StatusCode != 200 || !strings.Contains(body, "rabbitmq_connection_channels{") {
		t.Errorf("metrics per object: status %d, %.200s", resp.StatusCode, body)
	}
	if resp, _ := fetch(t, c, "GET", metrics+"/m/detailed", true, nil); resp.StatusCode != 200 {
		t.Errorf("detailed metrics: status %d", resp.StatusCode)
	}
}

// TestSecureConnectionIsShown: what TLS agreed on, and the client's certificate.
func TestSecureConnectionIsShown(t *testing.T) {
	a := servertest.NewAuthority(t, "ca")
	s := secure(t, a, server.Options{HTTP: "127.0.0.1:0", TLS: server.TLS{VerifyPeer: true, Depth: 1, MinVersion: tls.VersionTLS13}})
	c, err := client.DialTLS(s.URL(), trusting(t, a, a, x509.Certificate{}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, body := fetch(t, http.DefaultClient, "GET", "http://"+s.HTTPAddr()+"/api/connections", true, nil)
	var all []map[string]any
	if err := json.Unmarshal([]byte(body), &all); err != nil || len(all) != 1 {
		t.Fatal(err, body)
	}
	v := all[0]
	if v["ssl"] != true || v["ssl_protocol"] != "tlsv1.3" || v["ssl_cipher"] == "" || v["ssl_hash"] == "" || v["peer_cert_subject"] == nil || v["peer_cert_validity"] == nil {
		t.Errorf("%v", v)
	}
}
