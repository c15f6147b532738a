package mgmt

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"
)

// handler answers a call, or says why it does not.
type handler func(c *call) error

// route is a line of the route table.
type route struct {
	method string // HEAD comes with GET, OPTIONS with everything
	path   string
	handle handler
	right  right
}

// endpoint is the routes of one path.
type endpoint struct {
	path    string
	methods map[string]route
	allow   string
}

// endpoints gathers the table by path, in its order: of two paths that match,
// the first counts.
func endpoints(table []route) []*endpoint {
	var all []*endpoint
	byPath := map[string]*endpoint{}
	for _, r := range table {
		e := byPath[r.path]
		if e == nil {
			e = &endpoint{path: r.path, methods: map[string]route{}}
			byPath[r.path] = e
			all = append(all, e)
		}
		e.methods[r.method] = r
	}
	for _, e := range all {
		e.allow = e.allowed()
	}
	return all
}

// allowed lists the methods in RabbitMQ's order.
func (e *endpoint) allowed() string {
	var names []string
	for _, m := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete} {
		if _, ok := e.methods[m]; !ok {
			continue
		}
		if m == http.MethodGet {
			names = append(names, http.MethodHead)
		}
		names = append(names, m)
	}
	return strings.Join(append(names, http.MethodOptions), ", ")
}

func (s *Server) newCall(w http.ResponseWriter, r *http.Request) *call {
	o := &s.opt.API
	r.Body = http.MaxBytesReader(w, r.Body, o.bodyMost())
	h := w.Header()
	h.Set("Vary", "accept, accept-encoding, origin")
	h.Set("Content-Security-Policy", "script-src 'self'; object-src 'self'")
	h.Set("X-Content-Type-Options", "nosniff")
	o.headers(h)
	o.cors(h, r)
	return &call{srv: s, w: w, r: r}
}

// serve answers a call of the endpoint's path. RabbitMQ's order: the method,
// the login, the right, what the client accepts.
func (e *endpoint) serve(c *call) {
	method := c.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	r, ok := e.methods[method]
	if !ok {
		e.refuse(c)
		return
	}
	if err := r.serve(c); err != nil {
		c.fail(err)
	}
}

// refuse answers methods that the path does not have, and OPTIONS.
func (e *endpoint) refuse(c *call) {
	c.w.Header().Set("Allow", e.allow)
	c.w.Header().Set("Content-Length", "0")
	if c.r.Method != http.MethodOptions {
		c.w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (r *route) serve(c *call) error {
	if err := c.parse(); err != nil {
		return err
	}
	if r.right != nobody {
		if err := c.login(); err != nil {
			return err
		}
		if err := c.admit(r.right); err != nil {
			return err
		}
	}
	if !c.takesJSON() {
		return bare(http.StatusNotAcceptable)
	}
	return r.handle(c)
}

// parse decodes the path's variables and the query.
func (c *call) parse() error {
	c.vars = map[string]string{}
	for name, encoded := range mux.Vars(c.r) {
		v, err := url.PathUnescape(encoded)
		if err != nil {
			return badRequest("the path is not percent-encoded")
		}
		c.vars[name] = v
	}
	var err error
	if c.query, err = url.ParseQuery(c.r.URL.RawQuery); err != nil {
		return badRequest("the query is not percent-encoded")
	}
	return nil
}

// takesJSON says whether the client accepts the one form there is.
func (c *call) takesJSON() bool {
	accept := c.r.Header.Get("Accept")
	if accept == "" || c.r.Method != http.MethodGet {
		return true
	}
	for _, kind := range strings.Split(accept, ",") {
		kind, _, _ = strings.Cut(kind, ";")
		switch strings.TrimSpace(kind) {
		case "*/*", "application/*", "application/json", "application/bigint":
			return true
		}
	}
	return false
}
