package mgmt

import (
	"bufio"
	"strconv"
	"strings"
)

// exposition writes metrics in Prometheus' text format, one family after the
// other and nothing kept, so that memory does not grow with their number.
type exposition struct {
	w      *bufio.Writer
	prefix string
	line   []byte
}

// metric is a family: a counter, gauge or untyped, and how its value is read
// out of a T.
type metric[T any] struct {
	name, kind, help string
	value            func(T) float64
}

// labelled is a T with its labels, as label makes them.
type labelled[T any] struct {
	labels string
	of     T
}

// label encodes pairs of names and values: {vhost="/",queue="q"}.
func label(pairs ...string) string {
	b := make([]byte, 0, 64)
	b = append(b, '{')
	for i := 0; i < len(pairs); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, pairs[i]...), '=', '"')
		b = append(append(b, labelValue.Replace(strings.ToValidUTF8(pairs[i+1], "\ufffd"))...), '"')
	}
	return string(append(b, '}'))
}

var labelValue = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`) // read-only

func (e *exposition) family(name, kind, help string) {
	e.line = append(append(append(append(append(e.line[:0], "# TYPE "...), e.prefix...), name...), ' '), kind...)
	e.line = append(append(append(append(append(append(e.line, "\n# HELP "...), e.prefix...), name...), ' '), help...), '\n')
	_, _ = e.w.Write(e.line) // the scraper has gone, then
}

func (e *exposition) sample(name, labels string, v float64) {
	e.line = append(append(append(append(e.line[:0], e.prefix...), name...), labels...), ' ')
	e.line = append(strconv.AppendFloat(e.line, v, 'f', -1, 64), '\n')
	_, _ = e.w.Write(e.line) // as above
}

// single writes families of one value.
func single[T any](e *exposition, metrics []metric[T], of T) {
	for i := range metrics {
		m := &metrics[i]
		e.family(m.name, m.kind, m.help)
		e.sample(m.name, "", m.value(of))
	}
}

// each writes families of one value for each thing.
func each[T any](e *exposition, metrics []metric[T], all []labelled[T]) {
	for i := range metrics {
		m := &metrics[i]
		e.family(m.name, m.kind, m.help)
		for _, x := range all {
			e.sample(m.name, x.labels, m.value(x.of))
		}
	}
}

// summed writes the sums of all things.
func summed[T any](e *exposition, metrics []metric[T], all []labelled[T]) {
	for i := range metrics {
		m := &metrics[i]
		e.family(m.name, m.kind, m.help)
		sum := 0.0
		for _, x := range all {
			sum += m.value(x.of)
		}
		e.sample(m.name, "", sum)
	}
}
