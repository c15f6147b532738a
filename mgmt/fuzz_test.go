package mgmt

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// FuzzBody: whatever a client sends, it is read or refused, never half of it;
// what is read encodes for AMQP and back.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{}`, `{"arguments":{"x":1,"y":[null,{"z":1e99}],"":true}}`, `{"arguments":[]}`, `{"arguments":{"a":{"a":{"a":{}}}}}`,
		`{"priority":300,"headers":{"h":"v"},"content_type":"t","timestamp":-1}`, `"x"`, `[`, `{"arguments":{"n":123456789012345678901234567890}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := parseObject(raw)
		if err != nil {
			return
		}
		if table, err := b.table("arguments"); err == nil {
			encoded := wire.AppendTable(nil, table)
			if back, rest, err := wire.ParseTable(encoded); err != nil || len(rest) > 0 || len(back) != len(table) {
				t.Fatalf("%q became a table that cannot be read: %v", raw, err)
			}
			if !json.Valid(appendJSON(nil, table)) {
				t.Fatalf("%q is shown as %q", raw, appendJSON(nil, table))
			}
		}
		if p, err := properties(b); err == nil {
			if _, err := wire.ParseProperties(p.Append(nil)); err != nil {
				t.Fatalf("%q became properties that cannot be read: %v", raw, err)
			}
		}
	})
}

// FuzzQuery: whatever a list is asked for, the answer is JSON.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"page=1&page_size=2&name=b&use_regex=true", "columns=deep.a.n,,x.&sort=deep.&sort_reverse=true", "page=-1", "sort=.", "columns=."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		w := httptest.NewRecorder()
		c := &call{w: w, r: httptest.NewRequest(http.MethodGet, "/", nil), query: values(query)}
		if err := rows(c, sampleColumns, []sample{{"bee", 2}, {"Ant", 3}, {"bat", 1}}); err != nil {
			c.fail(err)
		}
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%q: status %d, %q", query, w.Code, w.Body)
		}
	})
}
