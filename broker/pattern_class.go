package broker

import (
	"strconv"
	"strings"
)

func in(set string) *octets {
	var o octets
	for i := range len(set) {
		o.put(set[i])
	}
	return &o
}

func (o *octets) put(c byte) { o[c>>6] |= 1 << (c & 63) }

func notIn(set string) *octets {
	o := in(set)
	o.invert()
	return o
}

func (o *octets) invert() {
	for i := range o {
		o[i] = ^o[i]
	}
}

func (o *octets) union(other *octets) {
	for i := range o {
		o[i] |= other[i]
	}
}

// add takes one octet into the set, with its other case when fold.
func (o *octets) add(c byte, fold bool) {
	o.put(c)
	if other := c ^ 0x20; fold && (c|0x20) >= 'a' && (c|0x20) <= 'z' {
		o.put(other)
	}
}

const (
	digits = "0123456789"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	spaces = "\t\n\v\f\r "
)

// shorthand gives the set of \d and its kind, nil for another letter.
func shorthand(c byte) *octets {
	switch c {
	case 'd':
		return in(digits)
	case 'D':
		return notIn(digits)
	case 'w':
		return in(digits + lower + upper + "_")
	case 'W':
		return notIn(digits + lower + upper + "_")
	case 's':
		return in(spaces)
	case 'S':
		return notIn(spaces)
	case 'h':
		return in("\t \xa0")
	case 'H':
		return notIn("\t \xa0")
	case 'v':
		return in("\n\v\f\r\x85")
	case 'V':
		return notIn("\n\v\f\r\x85")
	case 'N':
		return notIn("\n")
	}
	return nil
}

// posix gives the set of a class's name, nil for none.
func posix(name string) *octets {
	switch name {
	case "alpha":
		return in(lower + upper)
	case "digit":
		return in(digits)
	case "alnum":
		return in(digits + lower + upper)
	case "lower":
		return in(lower)
	case "upper":
		return in(upper)
	case "space":
		return in(spaces)
	case "blank":
		return in(" \t")
	case "word":
		return shorthand('w')
	case "xdigit":
		return in(digits + "abcdefABCDEF")
	}
	return posixRange(name)
}

// posixRange gives the sets that are ranges of ASCII.
func posixRange(name string) *octets {
	var o octets
	for c := range byte(128) {
		control := c < ' ' || c == 127
		in := false
		switch name {
		case "ascii":
			in = true
		case "cntrl":
			in = control
		case "print":
			in = !control
		case "graph":
			in = !control && c != ' '
		case "punct":
			in = !control && c != ' ' && (!isWord(c) || c == '_')
		default:
			return nil
		}
		if in {
			o.put(c)
		}
	}
	return &o
}

// escape reads what follows a backslash outside of a class.
func (p *parser) escape() (part, error) {
	if p.rest == "" {
		return nil, p.fail(`\ at end of pattern`)
	}
	switch c := p.rest[0]; c {
	case 'b', 'B', 'A', 'z', 'Z', 'G':
		p.next()
		return assertion(c), nil
	case 'Q':
		p.next()
		text, after, _ := strings.Cut(p.rest, `\E`)
		p.rest = after
		var q sequence
		for i := range len(text) {
			q = append(q, p.literal(text[i]))
		}
		return q, nil
	case 'E':
		p.next()
		return nil, nil
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return p.reference()
	}
	if set := shorthand(p.rest[0]); set != nil {
		p.next()
		return set, nil
	}
	c, err := p.escaped()
	if err != nil {
		return nil, err
	}
	return p.literal(c), nil
}

func assertion(c byte) part {
	switch c {
	case 'b':
		return placed(atWordEdge)
	case 'B':
		return placed(func(s string, at int) bool { return !atWordEdge(s, at) })
	case 'z':
		return placed(atVeryEnd)
	case 'Z':
		return placed(atEnd)
	}
	return placed(atBegin) // \A, and \G of a match that begins at 0
}

// reference reads \1 and up. Two digits and more that are no group's number
// are octal.
func (p *parser) reference() (part, error) {
	before, n := p.rest, 0
	for p.rest != "" && isNumber(p.rest[:1]) && n < 1000 {
		n = n*10 + int(p.next()-'0')
	}
	if n < 10 || n <= p.groups {
		p.highest = max(p.highest, n)
		return reference(n), nil
	}
	p.rest = before
	c, err := p.escaped()
	return p.literal(c), err
}

// escaped reads an escaped octet: \n, \x41, \012, \., a letter that means
// nothing.
func (p *parser) escaped() (byte, error) {
	switch c := p.next(); c {
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'f':
		return '\f', nil
	case 'a':
		return 7, nil
	case 'e':
		return 27, nil
	case 'x':
		return p.hex()
	case '0', '1', '2', '3', '4', '5', '6', '7':
		end := 0
		for end < 2 && end < len(p.rest) && p.rest[end] >= '0' && p.rest[end] <= '7' {
			end++
		}
		n, _ := strconv.ParseUint(string(c)+p.rest[:end], 8, 16)
		p.rest = p.rest[end:]
		return byte(n), nil
	case 'c', 'g', 'k', 'p', 'P', 'X', 'R', 'K', 'C', 'l', 'L', 'u', 'U':
		return 0, p.fail(`\` + string(c) + " is not supported")
	default:
		return c, nil
	}
}

func (p *parser) hex() (byte, error) {
	text, braced := p.rest[:min(2, len(p.rest))], false
	if strings.HasPrefix(p.rest, "{") {
		text, _, braced = strings.Cut(p.rest[1:], "}")
	}
	text = text[:len(text)-len(strings.TrimLeft(text, digits+"abcdefABCDEF"))]
	n, err := strconv.ParseUint("0"+text, 16, 32)
	if err != nil || n > 255 {
		return 0, p.fail(`character value in \x{} or \o{} is too large`)
	}
	p.rest = p.rest[len(text):]
	if braced {
		p.rest = p.rest[2:]
	}
	return byte(n), nil
}

// class reads what follows an opening bracket.
func (p *parser) class() (part, error) {
	var o octets
	not := p.take("^")
	for first := true; first || !strings.HasPrefix(p.rest, "]"); first = false {
		if p.rest == "" {
			return nil, p.fail("missing terminating ] for character class")
		}
		set, from, err := p.member()
		if err != nil {
			return nil, err
		}
		if set != nil {
			o.union(set)
			continue
		}
		to := from
		if len(p.rest) > 1 && p.rest[0] == '-' && p.rest[1] != ']' {
			p.next()
			if set, to, err = p.member(); err != nil {
				return nil, err
			}
			if set != nil {
				return nil, &patternError{"invalid range in character class", p.at() - 1}
			}
			if to < from {
				return nil, &patternError{"range out of order in character class", p.at() - 1}
			}
		}
		for c := int(from); c <= int(to); c++ {
			o.add(byte(c), p.flags.fold)
		}
	}
	p.next()
	if not {
		o.invert()
	}
	return &o, nil
}

// member reads a set or one octet of a class.
func (p *parser) member() (set *octets, c byte, err error) {
	if name, ok := posixName(p.rest); ok {
		at := p.at()
		p.rest = p.rest[len(name)+4:]
		if set = posix(strings.TrimPrefix(name, "^")); set == nil {
			return nil, 0, &patternError{"unknown POSIX class name", at + 2}
		}
		if strings.HasPrefix(name, "^") {
			set.invert()
		}
		return set, 0, nil
	}
	if c = p.next(); c != '\\' {
		return nil, c, nil
	}
	if p.rest == "" {
		return nil, 0, p.fail(`\ at end of pattern`)
	}
	if set = shorthand(p.rest[0]); set != nil {
		p.next()
		return set, 0, nil
	}
	if p.take("b") {
		return nil, '\b', nil
	}
	c, err = p.escaped()
	return nil, c, err
}

// posixName reads [:name:].
func posixName(s string) (name string, ok bool) {
	if !strings.HasPrefix(s, "[:") {
		return "", false
	}
	name, _, ok = strings.Cut(s[2:], ":]")
	return name, ok && !strings.ContainsAny(name, "]\\")
}
