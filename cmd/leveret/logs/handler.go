package logs

import (
	"context"
	"log/slog"
	"strings"
	"time"
	"unicode"
)

// handler is slog's for the outputs.
type handler struct {
	logs   *Logs
	domain string
	pid    string
	attrs  []slog.Attr // of With, but for domain and pid
	group  string      // before the names of attributes, "" or "a.b."
}

func (l *Logs) handler() *handler { return &handler{logs: l, pid: "<0.1.0>"} }

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	levels := h.logs.levels.Load()
	for _, s := range h.logs.sinks {
		if levels.pass(s.output, h.domain, level) {
			return true
		}
	}
	return false
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := *h
	n.attrs = h.attrs[:len(h.attrs):len(h.attrs)]
	for _, a := range attrs {
		switch {
		case a.Key == "domain" && h.group == "":
			n.domain = a.Value.String()
		case a.Key == "pid" && h.group == "":
			n.pid = a.Value.String()
		default:
			a.Key = h.group + a.Key
			n.attrs = append(n.attrs, a)
		}
	}
	return &n
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	n := *h
	if name != "" {
		n.group += name + "."
	}
	return &n
}

// Handle implements slog.Handler.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	attrs := h.attrs
	r.Attrs(func(a slog.Attr) bool {
		a.Key = h.group + a.Key
		attrs = append(attrs[:len(attrs):len(attrs)], a)
		return true
	})
	levels := h.logs.levels.Load()
	var err error
	for _, s := range h.logs.sinks {
		if levels.pass(s.output, h.domain, r.Level) {
			if e := s.write(line{r.Time, r.Level, h.domain, h.pid, r.Message, attrs}); e != nil {
				err = e
			}
		}
	}
	return err
}

// line is what one call of a logger says.
type line struct {
	time        time.Time
	level       slog.Level
	domain, pid string
	text        string
	attrs       []slog.Attr
}

const timeForm = "2006-01-02 15:04:05.000000-07:00"

func (s *sink) write(l line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.json {
		s.buf = l.appendJSON(s.buf[:0])
	} else {
		s.buf = l.append(s.buf[:0])
	}
	_, err := s.w.Write(s.buf)
	return err
}

// append adds the line in RabbitMQ's form; a text of several lines has the head
// on each.
func (l line) append(b []byte) []byte {
	text := l.text
	for _, a := range l.attrs {
		value := a.Value.Resolve().String()
		if a.Key == "err" {
			text += ": " + value
			continue
		}
		text += " " + a.Key + "=" + quoted(value)
	}
	for _, part := range strings.Split(text, "\n") {
		b = l.time.AppendFormat(b, timeForm)
		b = append(b, " ["+levelName(l.level)+"] "+l.pid+" "...)
		b = append(b, strings.Map(printable, part)...)
		b = append(b, '\n')
	}
	return b
}

// quoted puts quotes around a value that would not be seen as one.
func quoted(value string) string {
	if value != "" && !strings.ContainsAny(value, " \"=\n") {
		return value
	}
	return `"` + strings.ReplaceAll(value, `"`, `\"`) + `"`
}

// printable keeps what a terminal would obey out of the log.
func printable(r rune) rune {
	if unicode.IsControl(r) && r != '\t' {
		return '?'
	}
	return r
}
