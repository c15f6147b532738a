package broker

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"time"

	"github.com/dlclark/regexp2"
)

// pattern is a regular expression of a permission or a policy. RabbitMQ's are
// Perl's; `^(?!amq\.).*` is the best known policy pattern there is. Go's own
// engine, which takes linear time, runs what it understands; the rest runs on
// one that goes back.
type pattern struct {
	linear *regexp.Regexp // nil: not for this one
	back   *regexp2.Regexp
}

// matchMost bounds the time of an engine that goes back; beyond it there is no
// match (RabbitMQ's has a bound too).
const matchMost = 50 * time.Millisecond

// compilePattern gives a pattern, or an error as Erlang prints the one of its
// library: {"missing )",1}.
func compilePattern(expr string) (*pattern, error) {
	linear, err := regexp.Compile(expr)
	if err == nil {
		return &pattern{linear: linear}, nil
	}
	back, perlErr := regexp2.Compile(expr, regexp2.None)
	if perlErr == nil {
		back.MatchTimeout = matchMost
		return &pattern{back: back}, nil
	}
	var bad *syntax.Error
	switch {
	case errors.As(err, &bad) && bad.Code == syntax.ErrMissingParen:
		return nil, fmt.Errorf("{%q,%d}", "missing )", len(expr))
	case errors.As(err, &bad):
		return nil, fmt.Errorf("{%q,0}", bad.Code)
	}
	return nil, err
}

// Match says whether the pattern is found anywhere in s; no pattern is not.
func (p *pattern) Match(s string) bool {
	if p == nil {
		return false
	}
	if p.linear != nil {
		return p.linear.MatchString(s)
	}
	found, err := p.back.MatchString(s)
	return found && err == nil
}
