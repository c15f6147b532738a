package management

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/leveretmq/leveret/server/servertest"
)

// BenchmarkLists measures answers of a node with many queues, as a client sees
// them over the loopback interface.
func BenchmarkLists(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		s := servertest.Start(b, servertest.Options{HTTP: "127.0.0.1:0", Metrics: "127.0.0.1:0"})
		define(b, "http://"+s.HTTPAddr(), n)
		for name, url := range map[string]string{
			"queues":     "http://" + s.HTTPAddr() + "/api/queues",
			"page":       "http://" + s.HTTPAddr() + "/api/queues?page=1&page_size=100",
			"sorted":     "http://" + s.HTTPAddr() + "/api/queues?page=1&page_size=100&sort=messages&sort_reverse=true",
			"filtered":   "http://" + s.HTTPAddr() + "/api/queues?page=1&page_size=100&name=7&use_regex=true",
			"one":        "http://" + s.HTTPAddr() + "/api/queues/%2F/q7",
			"overview":   "http://" + s.HTTPAddr() + "/api/overview",
			"whoami":     "http://" + s.HTTPAddr() + "/api/whoami",
			"bindings":   "http://" + s.HTTPAddr() + "/api/bindings",
			"metrics":    "http://" + s.MetricsAddr() + "/metrics",
			"per-object": "http://" + s.MetricsAddr() + "/metrics/per-object",
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				octets := 0
				for b.Loop() {
					octets = fetch(b, url)
				}
				b.ReportMetric(float64(octets), "octets")
			})
		}
	}
}

// define makes n queues by one import.
func define(b *testing.B, url string, n int) {
	b.Helper()
	var queues []map[string]any
	for i := range n {
		queues = append(queues, map[string]any{"name": fmt.Sprint("q", i), "vhost": "/", "durable": true, "auto_delete": false, "arguments": map[string]any{}})
	}
	raw, err := json.Marshal(map[string]any{"queues": queues})
	if err != nil {
		b.Fatal(err)
	}
	a, err := (&node{url: url, client: http.DefaultClient}).ask(b.Context(), http.MethodPost, "/api/definitions", "guest", raw, nil)
	if err != nil || a.status != http.StatusNoContent {
		b.Fatalf("status %d, %v: %.200s", a.status, err, a.body)
	}
}

// fetch reads an answer and gives its length.
func fetch(b *testing.B, url string) int {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.SetBasicAuth("guest", "guest")
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	octets, err := io.Copy(io.Discard, resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatal(resp.StatusCode, err)
	}
	return int(octets)
}
