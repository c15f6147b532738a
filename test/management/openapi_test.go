package management

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// document is what the test reads of the OpenAPI document.
type document struct {
	OpenAPI string                                `json:"openapi"`
	Paths   map[string]map[string]json.RawMessage `json:"paths"`
}

type operation struct {
	ID        string                     `json:"operationId"`
	Responses map[string]json.RawMessage `json:"responses"`
}

// TestOpenAPI calls every operation of the document with names that exist
// nowhere: each is known to the server, and answers as documented.
func TestOpenAPI(t *testing.T) {
	b := start(t)
	a, err := b.ask(t.Context(), http.MethodGet, "/api/leveret/openapi.json", "", nil, nil)
	if err != nil || a.status != http.StatusOK {
		t.Fatal(a.status, err)
	}
	var d document
	if err := json.Unmarshal(a.body, &d); err != nil || d.OpenAPI != "3.1.0" || len(d.Paths) < 90 {
		t.Fatalf("%d paths, %v", len(d.Paths), err)
	}
	variable := regexp.MustCompile(`\{\w+\}`)
	ids := map[string]bool{}
	for path, item := range d.Paths {
		for method, raw := range item {
			if method == "parameters" {
				continue
			}
			var o operation
			if err := json.Unmarshal(raw, &o); err != nil || o.ID == "" || ids[o.ID] {
				t.Errorf("%s %s: operation %q, %v", method, path, o.ID, err)
			}
			ids[o.ID] = true
			if strings.HasPrefix(path, "/api/health/") {
				continue // 503 is an answer
			}
			a, err := b.ask(t.Context(), strings.ToUpper(method), variable.ReplaceAllString(path, "nosuch"), "guest", nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := o.Responses[strconv.Itoa(a.status)]; !ok {
				t.Errorf("%s %s: status %d is not documented: %.200s", method, path, a.status, a.body)
			}
		}
	}
}

// TestRoute asks where a message would go.
func TestRoute(t *testing.T) {
	b := start(t)
	for _, c := range []struct{ method, path, body string }{
		{"PUT", "/api/queues/%2F/a", ""}, {"PUT", "/api/queues/%2F/b", ""},
		{"POST", "/api/bindings/%2F/e/amq.topic/q/a", `{"routing_key":"k.#"}`}, {"POST", "/api/bindings/%2F/e/amq.topic/e/amq.headers", `{"routing_key":"#"}`},
		{"POST", "/api/bindings/%2F/e/amq.headers/q/b", `{"arguments":{"x-match":"all","h":1}}`},
	} {
		if a, err := b.ask(t.Context(), c.method, c.path, "guest", []byte(c.body), nil); err != nil || a.status >= 300 {
			t.Fatal(c, a.status, err)
		}
	}
	for body, want := range map[string]string{
		`{"routing_key":"k.x"}`:                   `{"queues":["a"],"exchanges":["amq.topic","amq.headers"]}`,
		`{"routing_key":"k.x","headers":{"h":1}}`: `{"queues":["a","b"],"exchanges":["amq.topic","amq.headers"]}`,
		`{}`: `{"queues":[],"exchanges":["amq.topic","amq.headers"]}`,
	} {
		a, err := b.ask(t.Context(), "POST", "/api/leveret/exchanges/%2F/amq.topic/route", "guest", []byte(body), nil)
		if err != nil || string(a.body) != want {
			t.Errorf("%s: %s, %v, want %s", body, a.body, err, want)
		}
	}
	if a, err := b.ask(t.Context(), "POST", "/api/leveret/exchanges/%2F/nosuch/route", "guest", nil, nil); err != nil || a.status != http.StatusNotFound {
		t.Error(a.status, err)
	}
}
