package mgmt

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/broker"
)

// call is one request on its way to an answer. Handlers are its methods: they
// answer, or return why not.
type call struct {
	srv   *Server
	w     http.ResponseWriter
	r     *http.Request
	user  *broker.User      // nil before the login
	vars  map[string]string // of the path, decoded
	query url.Values
}

// vhost is the virtual host of the path.
func (c *call) vhost() string { return c.vars["vhost"] }

func (c *call) broker() *broker.Broker { return c.srv.opt.Broker }

// gzipFrom is the size from which an answer is worth packing.
const gzipFrom = 1400

// write answers with JSON.
func (c *call) write(status int, body []byte) {
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	if len(body) >= gzipFrom && strings.Contains(c.r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = packed(body)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // the client has gone, then
}

func packed(body []byte) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed) // the level exists
	_, _ = z.Write(body)                              // into memory
	_ = z.Close()
	return out.Bytes()
}

// answer gives a value.
func (c *call) answer(v any) error {
	c.w.Header().Set("Cache-Control", "no-cache")
	c.write(http.StatusOK, appendJSON(nil, v))
	return nil
}

// done answers a write that has no more to say.
func (c *call) done() error {
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// put answers a PUT: 201 for what is new, 204 for what was there.
func (c *call) put(created bool, err error) error {
	switch {
	case err != nil:
		return err
	case !created:
		return c.done()
	}
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

// deleted answers a DELETE.
func (c *call) deleted(err error) error {
	if err != nil {
		return err
	}
	return c.done()
}

// body is the members of the request's JSON object. What a client leaves out is
// an empty object; other names of a member are no error.
type body map[string]json.RawMessage

// readAll reads the body, which the server has bounded.
func (c *call) readAll() ([]byte, error) {
	raw, err := io.ReadAll(c.r.Body)
	if tooLarge := new(http.MaxBytesError); err != nil && !errors.As(err, &tooLarge) {
		return nil, badRequest("the request body breaks off")
	}
	return raw, err
}

// object reads the body as an object, with the members it needs. RabbitMQ
// ignores the Content-Type.
func (c *call) object(required ...string) (body, error) {
	raw, err := c.readAll()
	if err != nil {
		return nil, err
	}
	b, err := parseObject(raw)
	if err != nil {
		return nil, err
	}
	return b, b.require(required)
}

func parseObject(raw []byte) (body, error) {
	b := body{}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return b, nil
	}
	if err := json.Unmarshal(raw, &b); err != nil || b == nil {
		if raw[0] == '"' && json.Valid(raw) {
			return nil, badRequest("invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?")
		}
		return nil, badRequest("not_json")
	}
	return b, nil
}

// lineMost is where the Erlang terms in RabbitMQ's texts are broken.
const lineMost = 80

// require lists the members that are missing, as an Erlang term.
func (b body) require(names []string) error {
	var missing []string
	for _, name := range names {
		if _, ok := b[name]; !ok {
			missing = append(missing, "{key_missing,"+name+"}")
		}
	}
	if len(missing) == 0 {
		return nil
	}
	text := "[" + strings.Join(missing, ",") + "]"
	if len(text) > lineMost {
		text = "[" + strings.Join(missing, ",\n ") + "]"
	}
	return badRequest(text)
}

// text is a member that has to be a string; absent, or null, it is "".
func (b body) text(name string) (string, error) {
	var s string
	raw, ok := b[name]
	if ok && json.Unmarshal(raw, &s) != nil {
		return "", badRequest(list{"not_string", name})
	}
	return s, nil
}

// flag is a member that is true or false, or says so as a string (RabbitMQ).
func (b body) flag(name string) (bool, error) {
	raw, ok := b[name]
	if !ok {
		return false, nil
	}
	switch string(raw) {
	case "true", `"true"`:
		return true, nil
	case "false", `"false"`:
		return false, nil
	}
	return false, badRequest(list{"not_boolean", raw})
}

// whole is a member that is a whole number, or says so as a string (RabbitMQ).
func (b body) whole(name string) (int64, error) {
	n, err := strconv.ParseInt(strings.Trim(string(b[name]), `"`), 10, 64)
	if err != nil {
		return 0, badRequest(list{"not_int", name})
	}
	return n, nil
}
