package management

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

//go:embed testdata
var testdata embed.FS

// recording is one recorded call. Fields are the paths of the answer with
// their JSON types; objects whose keys are data are not looked into.
type recording struct {
	ID      int               `json:"id"`
	Group   string            `json:"group"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	User    string            `json:"user"`
	Body    json.RawMessage   `json:"body"`
	Headers map[string]string `json:"headers"`
	Status  int               `json:"status"`
	Answer  map[string]string `json:"answer_headers"`
	Error   string            `json:"error"`
	Reason  any               `json:"reason"`
	Shape   string            `json:"shape"`
	Fields  map[string]string `json:"fields"`
}

func (r *recording) String() string { return fmt.Sprintf("%d %s %s", r.ID, r.Method, r.Path) }

func recordings(t *testing.T) []recording {
	t.Helper()
	raw, err := testdata.ReadFile("testdata/calls.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []recording
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// answer is what the broker under test said.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask makes a call with a user whose password is its name.
func (b *node) ask(ctx context.Context, method, path, user string, body []byte, headers map[string]string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, b.url+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if name, password, given := strings.Cut(user, ":"); given {
		req.SetBasicAuth(name, password)
	} else if user != "" {
		req.SetBasicAuth(user, user)
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, all}, err
}

// play makes a recorded call and returns how its answer differs.
func (b *node) play(ctx context.Context, r *recording) []string {
	var body []byte
	if err := json.Unmarshal(r.Body, new(string)); err == nil {
		var text string
		_ = json.Unmarshal(r.Body, &text)
		body = []byte(text)
	} else {
		body = r.Body
	}
	user := r.User
	if r.Reason == "Login failed" && user != "" {
		user += ":wrong"
	}
	a, err := b.ask(ctx, r.Method, b.names.Replace(r.Path), user, body, r.Headers)
	if err != nil {
		return []string{err.Error()}
	}
	return b.differences(r, a)
}

func (b *node) differences(r *recording, a answer) (out []string) {
	if a.status != r.Status {
		out = append(out, fmt.Sprintf("status %d, recorded %d: %.300s", a.status, r.Status, a.body))
	}
	for name, value := range r.Answer {
		if got := a.header.Get(name); got != value {
			out = append(out, fmt.Sprintf("header %s is %q, recorded %q", name, got, value))
		}
	}
	var got any
	if len(a.body) > 0 && json.Unmarshal(a.body, &got) != nil && r.Shape != "" {
		return append(out, fmt.Sprintf("no JSON: %.200s", a.body))
	}
	if r.Reason != nil {
		out = append(out, b.reason(r, got)...)
	}
	if r.Status == http.StatusOK && r.Fields != nil {
		out = append(out, b.fields(r.Fields, fieldsOf(got))...)
	}
	return out
}

func (b *node) reason(r *recording, got any) (out []string) {
	o, _ := got.(map[string]any)
	if o["error"] != r.Error && r.Error != "" {
		out = append(out, fmt.Sprintf("error %q, recorded %q", o["error"], r.Error))
	}
	have, want := fmt.Sprint(o["reason"]), b.texts.Replace(fmt.Sprint(r.Reason))
	if have != want {
		out = append(out, fmt.Sprintf("reason %q, recorded %q", have, want))
	}
	return out
}

// fields compares field sets; null stands for any type.
func (b *node) fields(want, got map[string]string) (out []string) {
	for path, kinds := range want {
		have, ok := got[path]
		switch {
		case b.excused(path), !ok && inside(path, got):
		case !ok:
			out = append(out, "lacks "+path)
		case !alike(have, kinds):
			out = append(out, fmt.Sprintf("%s is %s, recorded %s", path, have, kinds))
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok && !b.excused(path) && !b.seen[bare(path)] && !inside(path, want) {
			out = append(out, "has "+path)
		}
	}
	slices.Sort(out)
	return out
}

// bare is a path without the lists around its object: RabbitMQ leaves out what
// has not happened yet, so a field that one answer lacks another may have.
func bare(path string) string {
	for _, list := range []string{"items", ""} {
		path = strings.TrimPrefix(path, list+"[].")
	}
	return path
}

// seenIn are the fields of all recorded answers.
func seenIn(all []recording) map[string]bool {
	out := map[string]bool{}
	for _, r := range all {
		for path := range r.Fields {
			out[bare(path)] = true
		}
	}
	return out
}

// inside says that a path lies below an array that is empty on the other side.
func inside(path string, other map[string]string) bool {
	for at := strings.LastIndex(path, "[]"); at >= 0; at = strings.LastIndex(path[:at], "[]") {
		if _, ok := other[path[:at]]; !ok && at > 0 {
			continue
		}
		within := path[:at+2]
		filled := false
		for have := range other {
			filled = filled || strings.HasPrefix(have, within)
		}
		if !filled {
			return true
		}
	}
	return false
}

func alike(have, want string) bool {
	for _, kind := range strings.Split(have, "|") {
		if kind == "null" || slices.Contains(strings.Split(want, "|"), kind) || strings.Contains(want, "null") {
			return true
		}
	}
	return false
}

// opaque are the objects whose keys are data, and those that only say how an
// Erlang node is set up.
var opaque = map[string]bool{ // read-only
	"arguments": true, "client_properties": true, "backing_queue_status": true, "definition": true, "value": true,
	"cluster_state": true, "effective_policy_definition": true, "open_files": true, "readers": true, "limits": true,
	"headers": true, "socket_opts": true, "metrics_gc_queue_length": true, "ra_open_file_metrics": true,
	"sample_retention_policies": true, "memory": true,
}

// fieldsOf lists the paths of a value with their types.
func fieldsOf(v any) map[string]string {
	out := map[string]string{}
	walk(v, "", out)
	return out
}

func walk(v any, path string, out map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			at := strings.TrimPrefix(path+"."+name, ".")
			note(out, at, kindOf(inner))
			if !opaque[name] {
				walk(inner, at, out)
			}
		}
	case []any:
		for _, inner := range v {
			switch inner.(type) {
			case map[string]any, []any:
				walk(inner, path+"[]", out)
			}
		}
	}
}

func note(out map[string]string, path, kind string) {
	if have := out[path]; have == "" {
		out[path] = kind
	} else if !slices.Contains(strings.Split(have, "|"), kind) {
		out[path] = have + "|" + kind
	}
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}

// listed reads a file of names under reasons in brackets; "#" begins a comment.
func listed(t *testing.T, name string) map[string]string {
	t.Helper()
	raw, err := testdata.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	reason := ""
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			reason = strings.Trim(line, "[]")
		default:
			out[line] = reason
		}
	}
	return out
}
