package broker

import (
	"strconv"
	"strings"
)

// parser reads a pattern. What Perl has beyond the common parts (recursion,
// conditions, names, properties) is refused as unknown.
type parser struct {
	expr, rest string
	depth      int
	groups     int // opened so far
	highest    int // reference
	flags      parseFlags
}

type parseFlags struct{ fold, dotAll, lines, free bool }

const (
	maxDepth  = 250 // as the library's
	maxRepeat = 65535
)

func (p *parser) at() int { return len(p.expr) - len(p.rest) }

func (p *parser) fail(reason string) error { return &patternError{reason, p.at()} }

// take skips a prefix when it is there.
func (p *parser) take(prefix string) bool {
	if !strings.HasPrefix(p.rest, prefix) {
		return false
	}
	p.rest = p.rest[len(prefix):]
	return true
}

func (p *parser) next() byte {
	c := p.rest[0]
	p.rest = p.rest[1:]
	return c
}

func (p *parser) parse() (part, error) {
	n, err := p.branches()
	switch {
	case err != nil:
		return nil, err
	case p.rest != "":
		return nil, p.fail("unmatched parentheses")
	case p.highest > p.groups:
		return nil, p.fail("reference to non-existent subpattern")
	}
	return n, nil
}

// branches reads up to the end or to the parenthesis that closes.
func (p *parser) branches() (part, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("parentheses are too deeply nested")
	}
	flags := p.flags
	defer func() { p.depth--; p.flags = flags }()
	var c choice
	for {
		q, err := p.sequence()
		if err != nil {
			return nil, err
		}
		c = append(c, q)
		if !p.take("|") {
			break
		}
	}
	if len(c) == 1 {
		return c[0], nil
	}
	return c, nil
}

func (p *parser) sequence() (part, error) {
	var q sequence
	for p.rest != "" && p.rest[0] != '|' && p.rest[0] != ')' {
		n, err := p.item()
		if err != nil {
			return nil, err
		}
		if n == nil {
			continue
		}
		if n, err = p.repeated(n); err != nil {
			return nil, err
		}
		q = append(q, n)
	}
	return q, nil
}

// item reads one part without what repeats it; nil is nothing.
func (p *parser) item() (part, error) {
	switch c := p.next(); c {
	case '(':
		return p.group()
	case '[':
		return p.class()
	case '\\':
		return p.escape()
	case '.':
		return p.dot(), nil
	case '^':
		return p.edge(atBegin, lineBegin), nil
	case '$':
		return p.edge(atEnd, lineEnd), nil
	case '*', '+', '?':
		p.rest = p.expr[p.at()-1:]
		return nil, p.fail("nothing to repeat")
	case ' ', '\t', '\n', '\r', '\f', '\v', '#':
		if p.flags.free {
			if c == '#' {
				_, p.rest, _ = strings.Cut(p.rest, "\n")
			}
			return nil, nil
		}
		return p.literal(c), nil
	default:
		return p.literal(c), nil
	}
}

func (p *parser) edge(whole, line placed) part {
	if p.flags.lines {
		return line
	}
	return whole
}

func (p *parser) dot() part {
	if p.flags.dotAll {
		return notIn("")
	}
	return notIn("\n")
}

func (p *parser) literal(c byte) part {
	var o octets
	o.add(c, p.flags.fold)
	return &o
}

// repeated reads the quantifier of n, if there is one.
func (p *parser) repeated(n part) (part, error) {
	least, most, ok, err := p.quantifier()
	if err != nil || !ok {
		return n, err
	}
	if _, edge := n.(placed); edge {
		return nil, &patternError{"nothing to repeat", p.at() - 1}
	}
	r := &repeat{part: n, least: least, most: most}
	switch {
	case p.take("?"):
		r.lazy = true
	case p.take("+"):
		return p.single(once{r})
	}
	return p.single(r)
}

// single refuses a second quantifier.
func (p *parser) single(n part) (part, error) {
	before := p.at()
	_, _, again, err := p.quantifier()
	if again || err != nil {
		after := p.at()
		if after-before > 1 {
			before = after - 1
		}
		return nil, &patternError{"nothing to repeat", before}
	}
	return n, nil
}

func (p *parser) quantifier() (least, most int, ok bool, err error) {
	switch {
	case p.take("*"):
		return 0, -1, true, nil
	case p.take("+"):
		return 1, -1, true, nil
	case p.take("?"):
		return 0, 1, true, nil
	case strings.HasPrefix(p.rest, "{"):
		return p.braces()
	}
	return 0, 0, false, nil
}

// braces reads {n}, {n,} or {n,m}; anything else in braces is text.
func (p *parser) braces() (least, most int, ok bool, err error) {
	in, after, closed := strings.Cut(p.rest[1:], "}")
	low, high, two := strings.Cut(in, ",")
	if !closed || !isNumber(low) || two && high != "" && !isNumber(high) {
		return 0, 0, false, nil
	}
	p.rest = after
	least, errLow := strconv.Atoi(low)
	most = least
	var errHigh error
	switch {
	case two && high == "":
		most = -1
	case two:
		most, errHigh = strconv.Atoi(high)
	}
	switch {
	case errLow != nil || errHigh != nil || least > maxRepeat || most > maxRepeat:
		return 0, 0, false, &patternError{"number too big in {} quantifier", p.at() - 1}
	case most >= 0 && most < least:
		return 0, 0, false, &patternError{"numbers out of order in {} quantifier", p.at() - 1}
	}
	return least, most, true, nil
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// group reads what follows an opening parenthesis.
func (p *parser) group() (part, error) {
	wrap := func(n part) part { return n }
	switch {
	case !p.take("?"):
		p.groups++
		number := p.groups
		wrap = func(n part) part { return &group{n, number} }
	case p.take(":"):
	case p.take(">"):
		wrap = func(n part) part { return once{n} }
	case p.take("="):
		wrap = func(n part) part { return &look{n, false, false} }
	case p.take("!"):
		wrap = func(n part) part { return &look{n, false, true} }
	case p.take("<="):
		wrap = func(n part) part { return &look{n, true, false} }
	case p.take("<!"):
		wrap = func(n part) part { return &look{n, true, true} }
	case p.take("P<"), p.take("<"):
		return p.named(">")
	case p.take("'"):
		return p.named("'")
	case p.take("#"):
		_, after, closed := strings.Cut(p.rest, ")")
		if p.rest = after; !closed {
			return nil, p.fail("missing ) after comment")
		}
		return nil, nil
	default:
		outer := p.flags
		done, err := p.options()
		if err != nil || done {
			return nil, err
		}
		inner := p.flags
		p.flags = outer
		return p.inside(inner, wrap)
	}
	return p.inside(p.flags, wrap)
}

// named reads a group that has a name, which nothing can refer to here.
func (p *parser) named(end string) (part, error) {
	name, after, ok := strings.Cut(p.rest, end)
	if !ok || name == "" || strings.Trim(name, digits+lower+upper+"_") != "" {
		p.rest = p.rest[len(name):]
		return nil, p.fail("syntax error in subpattern name (missing terminator)")
	}
	p.rest = after
	p.groups++
	number := p.groups
	return p.inside(p.flags, func(n part) part { return &group{n, number} })
}

// inside reads a group's branches up to its end.
func (p *parser) inside(flags parseFlags, wrap func(part) part) (part, error) {
	outer := p.flags
	p.flags = flags
	n, err := p.branches()
	p.flags = outer
	if err != nil {
		return nil, err
	}
	if !p.take(")") {
		return nil, p.fail("missing )")
	}
	return wrap(n), nil
}

// options reads (?i) and the like; done says that the group ends with them.
func (p *parser) options() (done bool, err error) {
	on := true
	for p.rest != "" {
		switch p.next() {
		case 'i':
			p.flags.fold = on
		case 's':
			p.flags.dotAll = on
		case 'm':
			p.flags.lines = on
		case 'x':
			p.flags.free = on
		case '-':
			on = false
		case ':':
			return false, nil
		case ')':
			return true, nil
		default:
			p.rest = p.expr[p.at()-1:]
			return false, p.fail("unrecognized character after (? or (?-")
		}
	}
	return false, p.fail("unrecognized character after (? or (?-")
}
