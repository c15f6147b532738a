package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Kinds of figures: they say how runs are combined and how a value is printed.
const (
	perSecond = "/s"
	micros    = "µs"
	millis    = "ms"
	seconds   = "s"
	megabytes = "MB"
	kilobytes = "kB"
	files     = "files"
)

// A figure is one measured value of a row.
type figure struct {
	name  string // empty for the row's only one of its kind
	kind  string
	value float64
}

// key tells a row's figures apart.
func (f figure) key() string { return strings.TrimSpace(f.name + " " + f.kind) }

func (f figure) String() string {
	s := number(f.value, f.kind)
	if f.name != "" {
		s = f.name + " " + s
	}
	return s
}

// number prints three digits or so.
func number(v float64, kind string) string {
	switch {
	case kind == perSecond && v >= 1e6:
		return fmt.Sprintf("%.2f M/s", v/1e6)
	case kind == perSecond && v >= 1e4:
		return fmt.Sprintf("%.0f k/s", v/1e3)
	case kind == perSecond && v >= 1e3:
		return fmt.Sprintf("%.1f k/s", v/1e3)
	case kind == files || v >= 100:
		return strings.TrimSpace(fmt.Sprintf("%.0f %s", v, kind))
	case v >= 10:
		return fmt.Sprintf("%.1f %s", v, kind)
	}
	return fmt.Sprintf("%.2f %s", v, kind)
}

// combine makes one list of figures out of several runs' lists: the best rate,
// the median of everything else.
func combine(runs [][]figure) []figure {
	var out []figure
	for _, first := range runs[0] {
		var values []float64
		for _, r := range runs {
			if i := slices.IndexFunc(r, func(f figure) bool { return f.key() == first.key() }); i >= 0 {
				values = append(values, r[i].value)
			}
		}
		slices.Sort(values)
		f := first
		if f.kind == perSecond {
			f.value = values[len(values)-1]
		} else {
			f.value = values[len(values)/2]
		}
		out = append(out, f)
	}
	return out
}

// A bar is what one figure must reach: at least (rates) or at most (all else)
// times × the baseline's figure of that kind + plus. Without baseline times is 0.
type bar struct {
	key   string
	times float64
	plus  float64
}

// limit works out the bar; ok is false when the baseline is missing.
func (b bar) limit(baseline []figure) (v float64, ok bool) {
	if b.times == 0 {
		return b.plus, true
	}
	kind := b.key[strings.LastIndex(b.key, " ")+1:]
	i := slices.IndexFunc(baseline, func(f figure) bool { return f.kind == kind })
	if i < 0 {
		return 0, false
	}
	return b.times*baseline[i].value + b.plus, true
}

// judge says per bar what was asked and whether it was met.
func judge(bars []bar, figures, baseline []figure) (asked, verdict string) {
	var wants, fails []string
	for _, b := range bars {
		limit, ok := b.limit(baseline)
		i := slices.IndexFunc(figures, func(f figure) bool { return f.key() == b.key })
		kind := b.key[strings.LastIndex(b.key, " ")+1:]
		sign, order := "≤", 1
		if strings.HasSuffix(b.key, perSecond) {
			sign, order = "≥", -1
		}
		name := strings.TrimSpace(strings.TrimSuffix(b.key, kind))
		want := strings.TrimSpace(fmt.Sprintf("%s %s %s", name, sign, number(limit, kind)))
		wants = append(wants, want)
		switch {
		case !ok || i < 0:
			fails = append(fails, "not measured: "+b.key)
		case cmp.Compare(figures[i].value, limit) == order:
			fails = append(fails, figures[i].String())
		}
	}
	asked = strings.Join(wants, ", ")
	switch {
	case len(bars) == 0:
		return "", ""
	case len(fails) == 0:
		return asked, "met"
	}
	return asked, "NOT MET: " + strings.Join(fails, ", ")
}

func list(fs []figure) string {
	var s []string
	for _, f := range fs {
		s = append(s, f.String())
	}
	return strings.Join(s, ", ")
}
