package mgmt

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
)

// column is one field of the rows of a list; value reads it out of a row.
type column[T any] struct {
	name  string
	value func(T) any
}

// absent is the value of a field that a row does not have.
type absent struct{}

func isAbsent(v any) bool {
	_, is := v.(absent)
	return is
}

// rows answers with a list: filtered, sorted and paged as the query asks, the
// fields picked by it. all is the call's own.
func rows[T any](c *call, columns []column[T], all []T) error {
	if wanted := c.query.Get("sort"); wanted != "" {
		all = sorted(columns, all, wanted, c.query.Get("sort_reverse") == "true")
	}
	pick := picked(columns, c.query.Get("columns"))
	p, err := c.page()
	if err != nil {
		return err
	}
	if p == nil {
		return c.send(appendList(nil, all, pick))
	}
	items, err := p.cut(len(all), func(keep func(name string) bool) int {
		all = filtered(columns, all, keep)
		return len(all)
	})
	if err != nil {
		return err
	}
	return c.send(p.envelope(appendList(nil, all[items.from:items.to], pick)))
}

// send answers with encoded JSON.
func (c *call) send(b []byte) error {
	c.w.Header().Set("Cache-Control", "no-cache")
	c.write(http.StatusOK, b)
	return nil
}

// row answers with a single row, the fields picked by the query.
func row[T any](c *call, columns []column[T], r T) error {
	return c.send(picked(columns, c.query.Get("columns"))(nil, r))
}

// picked gives the encoder of a row. RabbitMQ: "columns=a,b.c" keeps nesting,
// and what is unknown is left out.
func picked[T any](columns []column[T], query string) func([]byte, T) []byte {
	paths := map[string][]string{} // by column: below it; nil is all of it
	for _, path := range strings.Split(query, ",") {
		if top, below, nested := strings.Cut(path, "."); nested {
			if have, ok := paths[top]; !ok || have != nil {
				paths[top] = append(have, below)
			}
		} else if path != "" {
			paths[top] = nil
		}
	}
	return func(b []byte, r T) []byte {
		b, n := append(b, '{'), 0
		for i := range columns {
			below, ok := paths[columns[i].name]
			if !ok && query != "" {
				continue
			}
			v := columns[i].value(r)
			if below != nil {
				v = nested(v, below)
			}
			if isAbsent(v) {
				continue
			}
			b = appendJSON(appendField(b, columns[i].name, n), v)
			n++
		}
		return append(b, '}')
	}
}

// nested keeps what the paths name of an object.
func nested(v any, paths []string) any {
	var out object
	for _, path := range paths {
		top, below, deeper := strings.Cut(path, ".")
		inner := member(v, top)
		if deeper && !isAbsent(inner) {
			inner = nested(inner, []string{below})
		}
		if !isAbsent(inner) {
			out = append(out, field{top, inner})
		}
	}
	if out == nil {
		return absent{}
	}
	return out
}

// member is a field of an object or of a table.
func member(v any, name string) any {
	switch v := v.(type) {
	case object:
		if inner, ok := v.get(name); ok {
			return inner
		}
	case wire.Table:
		if inner, ok := v.Get(name); ok {
			return inner
		}
	}
	return absent{}
}

// filtered keeps the rows whose name passes.
func filtered[T any](columns []column[T], all []T, keep func(string) bool) []T {
	i := slices.IndexFunc(columns, func(c column[T]) bool { return c.name == "name" })
	if i < 0 {
		return all
	}
	name := columns[i].value
	return slices.DeleteFunc(all, func(r T) bool {
		s, _ := name(r).(string)
		return !keep(s)
	})
}

// sorted orders rows by a path like message_stats.publish_details.rate, rows
// that are equal in their first order. RabbitMQ: what is missing counts as 0.
func sorted[T any](columns []column[T], all []T, path string, reverse bool) []T {
	top, below, deeper := strings.Cut(path, ".")
	i := slices.IndexFunc(columns, func(c column[T]) bool { return c.name == top })
	if i < 0 {
		return all
	}
	type keyed struct {
		key any
		row T
	}
	keys := make([]keyed, len(all))
	for n, r := range all {
		v := columns[i].value(r)
		for rest := below; deeper && rest != ""; {
			var name string
			name, rest, _ = strings.Cut(rest, ".")
			v = member(v, name)
		}
		keys[n] = keyed{v, r}
	}
	slices.SortStableFunc(keys, func(x, y keyed) int { return compare(x.key, y.key) })
	if reverse {
		slices.Reverse(keys)
	}
	out := make([]T, len(keys))
	for n := range keys {
		out[n] = keys[n].row
	}
	return out
}

// compare orders values: numbers, then true and false, then texts.
func compare(x, y any) int {
	xRank, xNumber, xText := sortKey(x)
	yRank, yNumber, yText := sortKey(y)
	return cmp.Or(cmp.Compare(xRank, yRank), cmp.Compare(xNumber, yNumber), strings.Compare(xText, yText))
}

func sortKey(v any) (rank int, number float64, text string) {
	switch v := v.(type) {
	case float64:
		return 0, v, ""
	case uint64:
		return 0, float64(v), ""
	case bool:
		if v {
			return 1, 1, ""
		}
		return 1, 0, ""
	case string:
		return 2, 0, v
	}
	n, _ := wire.Int(v)
	if m, ok := v.(int); ok {
		n = int64(m)
	}
	return 0, float64(n), ""
}

// page is the part of a list that the query asks for.
type page struct {
	number, size    int
	name            string
	regex           *regexp.Regexp // nil: name is looked for as it is
	total, filtered int
	items           span
}

type span struct{ from, to int }

const (
	pageDefault = 100
	pageMost    = 500
	namesMost   = 1 << 10 // octets of an expression
)

func badPage(number, size int) error {
	return &problem{http.StatusBadRequest, "invalid_pagination_parameters",
		fmt.Sprintf("Invalid pagination parameters: page number %d, page size %d", number, size)}
}

// page reads the query; nil when it asks for no page. RabbitMQ: a name without
// a page filters nothing.
func (c *call) page() (*page, error) {
	if !c.query.Has("page") {
		return nil, nil
	}
	unclear := badRequest("Pagination parameters are invalid")
	p := &page{size: pageDefault, name: strings.ToLower(c.query.Get("name"))}
	var err error
	if p.number, err = strconv.Atoi(c.query.Get("page")); err != nil {
		return nil, unclear
	}
	if s := c.query.Get("page_size"); s != "" {
		if p.size, err = strconv.Atoi(s); err != nil {
			return nil, unclear
		}
	}
	if p.number < 1 || p.size < 1 || p.size > pageMost {
		return nil, badPage(p.number, p.size)
	}
	if name := c.query.Get("name"); name != "" && c.query.Get("use_regex") == "true" {
		if p.regex, err = regexp.Compile("(?i)" + name); err != nil || len(name) > namesMost {
			return nil, unclear
		}
	}
	return p, nil
}

// keep tells whether a name passes. RabbitMQ: upper and lower case are one.
func (p *page) keep(name string) bool {
	if p.regex != nil {
		return p.regex.MatchString(name)
	}
	return strings.Contains(strings.ToLower(name), p.name)
}

// cut finds the page among total rows, of which filter keeps some.
func (p *page) cut(total int, filter func(keep func(string) bool) int) (span, error) {
	p.total, p.filtered = total, total
	if p.name != "" {
		p.filtered = filter(p.keep)
	}
	if p.number > 1 && p.number > p.pages() {
		return span{}, &problem{http.StatusBadRequest, "page_out_of_range",
			fmt.Sprintf("Page out of range, page: %d page size: %d, len: %d", p.number, p.size, p.filtered)}
	}
	from := (p.number - 1) * p.size
	p.items = span{from, min(from+p.size, p.filtered)}
	return p.items, nil
}

func (p *page) pages() int { return (p.filtered + p.size - 1) / p.size }

func (p *page) envelope(items []byte) []byte {
	b := make([]byte, 0, len(items)+200)
	b = append(fmt.Appendf(b, `{"filtered_count":%d,"item_count":%d,"items":`, p.filtered, p.items.to-p.items.from), items...)
	return fmt.Appendf(b, `,"page":%d,"page_count":%d,"page_size":%d,"total_count":%d}`,
		p.number, p.pages(), p.size, p.total)
}
