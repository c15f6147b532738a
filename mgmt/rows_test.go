package mgmt

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

type sample struct {
	name string
	n    int
}

var sampleColumns = []column[sample]{ // read-only
	{"name", func(s sample) any { return s.name }},
	{"n", func(s sample) any { return s.n }},
	{"odd", func(s sample) any {
		if s.n%2 == 0 {
			return absent{}
		}
		return true
	}},
	{"deep", func(s sample) any { return object{{"a", object{{"n", -s.n}, {"m", 1}}}, {"b", s.name}} }},
	{"table", func(s sample) any { return wire.Table{{Name: "k", Value: "v"}} }},
}

// listing gives the answer to a list of three rows with a query.
func listing(query string) (int, string) {
	w := httptest.NewRecorder()
	c := &call{w: w, r: httptest.NewRequest(http.MethodGet, "/", nil)}
	c.query, _ = url.ParseQuery(query)
	if err := rows(c, sampleColumns, []sample{{"bee", 2}, {"Ant", 3}, {"bat", 1}}); err != nil {
		c.fail(err)
	}
	return w.Code, w.Body.String()
}

func envelope(items string, filtered, count, page, pages, size int) string {
	return fmt.Sprintf(`{"filtered_count":%d,"item_count":%d,"items":%s,"page":%d,"page_count":%d,"page_size":%d,"total_count":3}`,
		filtered, count, items, page, pages, size)
}

func TestRows(t *testing.T) {
	for query, want := range map[string]string{
		"columns=name,n":                          `[{"name":"bee","n":2},{"name":"Ant","n":3},{"name":"bat","n":1}]`,
		"columns=odd,nosuch":                      `[{},{"odd":true},{"odd":true}]`,
		"columns=deep.a.n,deep.b&sort=n":          `[{"deep":{"a":{"n":-1},"b":"bat"}},{"deep":{"a":{"n":-2},"b":"bee"}},{"deep":{"a":{"n":-3},"b":"Ant"}}]`,
		"columns=deep.x,table.k&sort=name":        `[{"table":{"k":"v"}},{"table":{"k":"v"}},{"table":{"k":"v"}}]`,
		"columns=n&sort=deep.a.n":                 `[{"n":3},{"n":2},{"n":1}]`,
		"columns=n&sort=odd&sort_reverse=true":    `[{"n":1},{"n":3},{"n":2}]`,
		"columns=n&sort=nosuch":                   `[{"n":2},{"n":3},{"n":1}]`,
		"columns=name&name=b":                     `[{"name":"bee"},{"name":"Ant"},{"name":"bat"}]`,
		"columns=name&page=1":                     envelope(`[{"name":"bee"},{"name":"Ant"},{"name":"bat"}]`, 3, 3, 1, 1, 100),
		"columns=name&page=2&page_size=2":         envelope(`[{"name":"bat"}]`, 3, 1, 2, 2, 2),
		"columns=name&page=1&name=B":              envelope(`[{"name":"bee"},{"name":"bat"}]`, 2, 2, 1, 1, 100),
		"columns=n&page=1&name=^B&use_regex=true": envelope(`[{"n":2},{"n":1}]`, 2, 2, 1, 1, 100),
		"page=1&name=zzz":                         envelope(`[]`, 0, 0, 1, 0, 100),
	} {
		if status, got := listing(query); status != http.StatusOK || got != want {
			t.Errorf("%s: %d\n got  %s\n want %s", query, status, got, want)
		}
	}
}

func TestBadPages(t *testing.T) {
	for query, want := range map[string]string{
		"page=2":                         `{"error":"page_out_of_range","reason":"Page out of range, page: 2 page size: 100, len: 3"}`,
		"page=9223372036854775807":       `{"error":"page_out_of_range","reason":"Page out of range, page: 9223372036854775807 page size: 100, len: 3"}`,
		"page=0":                         `{"error":"invalid_pagination_parameters","reason":"Invalid pagination parameters: page number 0, page size 100"}`,
		"page=1&page_size=501":           `{"error":"invalid_pagination_parameters","reason":"Invalid pagination parameters: page number 1, page size 501"}`,
		"page=x":                         `{"error":"bad_request","reason":"Pagination parameters are invalid"}`,
		"page=1&page_size=x":             `{"error":"bad_request","reason":"Pagination parameters are invalid"}`,
		"page=1&name=[&use_regex=true":   `{"error":"bad_request","reason":"Pagination parameters are invalid"}`,
		"page=99999999999999999999&name": `{"error":"bad_request","reason":"Pagination parameters are invalid"}`,
	} {
		if status, got := listing(query); status != http.StatusBadRequest || got != want {
			t.Errorf("%s: %d\n got  %s\n want %s", query, status, got, want)
		}
	}
}

func TestBody(t *testing.T) {
	for raw, want := range map[string]string{
		``: "", `{}`: "", ` {"a":1}`: "", `[1]`: "not_json", `null`: "not_json", `{bad`: "not_json", `{} x`: "not_json",
		`"x"`: "invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?",
	} {
		_, err := parseObject([]byte(raw))
		var p *problem
		if errors.As(err, &p); err == nil && want != "" || err != nil && p.reason != want {
			t.Errorf("%q: %v, want %q", raw, err, want)
		}
	}
	b, err := parseObject([]byte(`{"t":"x","n":5,"s":"7","yes":"true","no":false,"null":null}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err1 := b.text("t")
	n, err2 := b.whole("n")
	s, err3 := b.whole("s")
	yes, err4 := b.flag("yes")
	no, err5 := b.flag("no")
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil || text != "x" || n != 5 || s != 7 || !yes || no {
		t.Errorf("%q %d %d %t %t, %v", text, n, s, yes, no, err)
	}
	for _, bad := range []func() error{
		func() error { _, err := b.text("n"); return err },
		func() error { _, err := b.whole("t"); return err },
		func() error { _, err := b.flag("n"); return err },
		func() error { return b.require([]string{"t", "x", "y"}) },
	} {
		var p *problem
		if err := bad(); !errors.As(err, &p) || p.status != http.StatusBadRequest {
			t.Errorf("%v, want a bad request", err)
		}
	}
}

func TestMissingMembersAreBrokenIntoLines(t *testing.T) {
	b := body{}
	for want, names := range map[string][]string{
		"[{key_missing,a},{key_missing,b}]": {"a", "b"},
		"[{key_missing,routing_key},\n {key_missing,properties},\n {key_missing,payload},\n {key_missing,payload_encoding}]": {"routing_key", "properties", "payload", "payload_encoding"},
	} {
		if err := b.require(names); err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

func values(query string) url.Values {
	v, _ := url.ParseQuery(query) // the tests' own
	return v
}
