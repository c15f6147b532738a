package management

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// matrix is the recorded table of who may do what.
type matrix struct {
	Rows []map[string]any `json:"rows"`
}

// TestAuthorisation makes each call of the recorded table as each user.
func TestAuthorisation(t *testing.T) {
	b := start(t)
	b.live(t)
	for _, r := range recordings(t) {
		if r.Group == "setup" {
			b.play(t.Context(), &r) // TestReplay compares
		}
	}
	raw, err := testdata.ReadFile("testdata/authorisation.json")
	if err != nil {
		t.Fatal(err)
	}
	var m matrix
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	known := listed(t, "authorisation-differences.txt")
	for _, row := range m.Rows {
		method, path := row["method"].(string), row["path"].(string)
		var body []byte
		if given, ok := row["request_body"]; ok {
			if body, err = json.Marshal(given); err != nil {
				t.Fatal(err)
			}
		}
		for _, user := range []string{"guest", "mon", "pol", "mgr", "app", "nobody"} {
			a, err := b.ask(t.Context(), method, path, user, body, nil)
			if err != nil {
				t.Fatal(err)
			}
			call := fmt.Sprintf("%s %s %s", user, method, path)
			_, excused := known[call]
			delete(known, call)
			if same := float64(a.status) == row[user]; same == excused {
				t.Errorf("%s: status %d, recorded %v (listed as different: %t): %.200s", call, a.status, row[user], excused, a.body)
			}
		}
	}
	for call := range known {
		t.Errorf("authorisation-differences.txt: there is no call %s", call)
	}
}

func TestBodyIsBounded(t *testing.T) {
	b := start(t)
	a, err := b.ask(t.Context(), http.MethodPut, "/api/vhosts/v", "guest", []byte(strings.Repeat(" ", 21_000_000)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d of a body of 21 MB: %.200s", a.status, a.body)
	}
}

func TestGzip(t *testing.T) {
	b := start(t)
	a, err := b.ask(t.Context(), http.MethodGet, "/api/feature-flags", "guest", nil, map[string]string{"Accept-Encoding": "gzip"})
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(strings.NewReader(string(a.body)))
	if err != nil {
		t.Fatalf("%v: %.100s", err, a.body)
	}
	plain, err := io.ReadAll(z)
	if err != nil || !json.Valid(plain) || len(plain) <= len(a.body) {
		t.Errorf("%d octets packed, %d plain, %v", len(a.body), len(plain), err)
	}
}

// TestRawRequests sends what no client library would.
func TestRawRequests(t *testing.T) {
	b := start(t)
	const auth = "Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n"
	for request, want := range map[string]string{
		"GET /api/whoami HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n":                                             "200",
		"GET /api/vhosts/%zz HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n":                                         "400",
		"GET /api/vhosts?columns=%zz HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n":                                 "400",
		"GET /api/vhosts/%ff%00 HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n":                                      "404",
		"GET /api/../api/whoami HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n":                                      "404",
		"BREW /api/whoami HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n":                                            "405",
		"GET /api/whoami HTTP/1.1\r\nHost: x\r\n" + auth + "X: " + strings.Repeat("y", 100_000) + "\r\n\r\n":  "431",
		"PUT /api/vhosts/v HTTP/1.1\r\nHost: x\r\n" + auth + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n": "400",
		"PUT /api/vhosts/v HTTP/1.1\r\nHost: x\r\n" + auth + "Transfer-Encoding: chunked\r\n\r\nzz\r\nx":      "400",
	} {
		c, err := net.Dial("tcp", b.HTTPAddr())
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil || !strings.Contains(line, " "+want+" ") {
			t.Errorf("%.80q: %q, %v, want %s", request, line, err, want)
		}
		c.Close()
	}
}

// TestOverviewOfOthers: who is no monitor learns nothing of the node, and sums
// of what he may see only.
func TestOverviewOfOthers(t *testing.T) {
	b := start(t)
	b.live(t)
	for _, r := range recordings(t) {
		if r.Group == "setup" {
			b.play(t.Context(), &r) // TestReplay compares
		}
	}
	a, err := b.ask(t.Context(), http.MethodGet, "/api/overview", "mgr", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var o map[string]any
	if err := json.Unmarshal(a.body, &o); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"node", "listeners", "contexts"} {
		if _, ok := o[name]; ok {
			t.Errorf("the overview tells %s", name)
		}
	}
	if at(o, "object_totals", "queues") != 2.0 || at(o, "object_totals", "connections") != 0.0 || at(o, "object_totals", "consumers") != nil {
		t.Errorf("totals %v, want those of one virtual host", o["object_totals"])
	}
}
