package broker

import (
	"fmt"
	"regexp"
	"strings"
)

// pattern is a regular expression of a permission or a policy. RabbitMQ's are
// Perl's; `^(?!amq\.).*` is the best known policy pattern there is. Go's own
// engine, which takes linear time, runs what it understands; the rest runs on a
// small matcher that goes back, with a bound on its steps.
type pattern struct {
	linear *regexp.Regexp // nil: not for this one
	back   part
}

// perlOnly are what Go's engine refuses or reads in another way: assertions but
// \b, references, possessive and atomic parts, octal, quoting.
var perlOnly = regexp.MustCompile(`\(\?([=!>#|'(&PR0-9]|<[=!])|[*+?}]\+|\\[0-9gkGKXRhHvVNZeEQco]`)

// compilePattern gives a pattern, or a *patternError in Perl's words.
func compilePattern(expr string) (*pattern, error) {
	p := &parser{rest: expr, expr: expr}
	n, err := p.parse()
	if err != nil {
		return nil, err
	}
	if !perlOnly.MatchString(expr) {
		if re, err := regexp.Compile(expr); err == nil {
			return &pattern{re, n}, nil
		}
	}
	return &pattern{back: n}, nil
}

// Match says whether the pattern is found anywhere in s; no pattern is not.
func (p *pattern) Match(s string) bool {
	if p == nil {
		return false
	}
	if p.linear != nil && isPlain(s) {
		return p.linear.MatchString(s)
	}
	m := &matching{s: s, steps: maxSteps}
	for at := 0; at <= len(s) && m.steps > 0; at++ {
		m.groups = nil
		if p.back.match(m, at, func(int) bool { return true }) {
			return true
		}
	}
	return false
}

// isPlain: both engines read ASCII without line ends alike. Beyond, RabbitMQ's
// goes by octets, and has $ before a line end too.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// patternError is a pattern that is none, as Perl's library says it.
type patternError struct {
	reason string
	at     int // octets before the place
}

// Error is Erlang's form of it.
func (e *patternError) Error() string { return fmt.Sprintf("{%q,%d}", e.reason, e.at) }

// maxSteps bounds the work of one match; beyond it there is no match (RabbitMQ:
// its library has such a bound too).
const maxSteps = 1 << 20

// matching is one match going on.
type matching struct {
	s      string
	steps  int
	groups map[int]string // what groups have taken, for references
}

// part matches at a place and calls next with where it ended, for each way in
// turn until next is content.
type part interface {
	match(m *matching, at int, next func(end int) bool) bool
}

// octets matches one octet of a set.
type octets [4]uint64

func (o *octets) has(c byte) bool { return o[c>>6]>>(c&63)&1 != 0 }

func (o *octets) match(m *matching, at int, next func(int) bool) bool {
	m.steps--
	return m.steps > 0 && at < len(m.s) && o.has(m.s[at]) && next(at+1)
}

// sequence matches its parts one after another.
type sequence []part

func (q sequence) match(m *matching, at int, next func(int) bool) bool {
	if len(q) == 0 {
		return next(at)
	}
	return q[0].match(m, at, func(end int) bool { return q[1:].match(m, end, next) })
}

// choice matches one of its branches.
type choice []part

func (c choice) match(m *matching, at int, next func(int) bool) bool {
	for _, branch := range c {
		if branch.match(m, at, next) {
			return true
		}
	}
	return false
}

// group matches and remembers what it took.
type group struct {
	part
	number int
}

func (g *group) match(m *matching, at int, next func(int) bool) bool {
	return g.part.match(m, at, func(end int) bool {
		old, had := m.groups[g.number]
		if m.groups == nil {
			m.groups = map[int]string{}
		}
		m.groups[g.number] = m.s[at:end]
		if next(end) {
			return true
		}
		if delete(m.groups, g.number); had {
			m.groups[g.number] = old
		}
		return false
	})
}

// reference matches what a group has taken.
type reference int

func (r reference) match(m *matching, at int, next func(int) bool) bool {
	text, ok := m.groups[int(r)]
	return ok && strings.HasPrefix(m.s[at:], text) && next(at+len(text))
}

// repeat matches a part several times; most < 0 is no bound.
type repeat struct {
	part
	least, most int
	lazy        bool
}

func (r *repeat) match(m *matching, at int, next func(int) bool) bool { return r.times(m, 0, at, next) }

func (r *repeat) times(m *matching, n, at int, next func(int) bool) bool {
	if m.steps--; m.steps <= 0 {
		return false
	}
	more := func() bool {
		return (r.most < 0 || n < r.most) && r.part.match(m, at, func(end int) bool {
			if end == at && n >= r.least {
				return false // nothing was taken: it would never end
			}
			return r.times(m, n+1, end, next)
		})
	}
	if n < r.least {
		return more()
	}
	if r.lazy {
		return next(at) || more()
	}
	return more() || next(at)
}

// once matches one way and does not try other ways.
type once struct{ part }

func (a once) match(m *matching, at int, next func(int) bool) bool {
	to := -1
	return a.part.match(m, at, func(end int) bool { to = end; return true }) && next(to)
}

// look asserts what follows, or what is before, and takes nothing.
type look struct {
	part
	behind, not bool
}

func (l *look) match(m *matching, at int, next func(int) bool) bool {
	return l.holds(m, at) != l.not && next(at)
}

func (l *look) holds(m *matching, at int) bool {
	if !l.behind {
		return l.part.match(m, at, func(int) bool { return true })
	}
	for from := at; from >= 0; from-- {
		if l.part.match(m, from, func(end int) bool { return end == at }) {
			return true
		}
	}
	return false
}

// placed asserts something of a place.
type placed func(s string, at int) bool

func (p placed) match(m *matching, at int, next func(int) bool) bool {
	return p(m.s, at) && next(at)
}

func atBegin(_ string, at int) bool { return at == 0 }
func atEnd(s string, at int) bool   { return at == len(s) || at == len(s)-1 && s[at] == '\n' }
func atVeryEnd(s string, at int) bool {
	return at == len(s)
}
func lineBegin(s string, at int) bool { return at == 0 || s[at-1] == '\n' }
func lineEnd(s string, at int) bool   { return at == len(s) || s[at] == '\n' }

func atWordEdge(s string, at int) bool {
	before := at > 0 && isWord(s[at-1])
	after := at < len(s) && isWord(s[at])
	return before != after
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
