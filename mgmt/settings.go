package mgmt

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings say how the API behaves; the zero value is RabbitMQ's default.
type Settings struct {
	PathPrefix  string            // before /api
	Headers     map[string]string // sent with every answer; an empty value leaves one of ours out
	CORSOrigins []string          // pages that may use the API; "*" is all
	CORSMaxAge  time.Duration     // how long browsers remember that
	MaxBody     int64             // octets; 0: 20 MB
	// DisableStats leaves statistics out of lists, as disable_stats=true in a
	// query does; QueueTotals keeps the lengths of queues.
	DisableStats, QueueTotals bool
	// NoPasswords refuses logins by name and password.
	NoPasswords bool
}

// MetricsSettings say how the metrics behave.
type MetricsSettings struct {
	Path      string // empty: /metrics
	PerObject bool   // its sums are told apart by object
	Login     bool   // a monitor's name and password are asked for
}

func (s *Settings) bodyMost() int64 {
	if s.MaxBody > 0 {
		return s.MaxBody
	}
	return bodyMost
}

// headers sets those of every answer.
func (s *Settings) headers(h http.Header) {
	for name, value := range s.Headers {
		if value == "" {
			h.Del(name)
			continue
		}
		h.Set(name, value)
	}
}

// cors lets a page of another origin use the answer (RabbitMQ: it says so to
// those that are listed only).
func (s *Settings) cors(h http.Header, r *http.Request) {
	origin := r.Header.Get("Origin")
	if origin == "" || !slices.Contains(s.CORSOrigins, origin) && !slices.Contains(s.CORSOrigins, "*") {
		return
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	if r.Method != http.MethodOptions {
		return
	}
	h.Set("Access-Control-Max-Age", strconv.Itoa(int(s.CORSMaxAge/time.Second)))
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
}

// prefixed serves the API below a prefix.
func (s *Settings) prefixed(next http.Handler) http.Handler {
	prefix := "/" + strings.Trim(s.PathPrefix, "/")
	if prefix == "/" {
		return next
	}
	return http.StripPrefix(prefix, next)
}
