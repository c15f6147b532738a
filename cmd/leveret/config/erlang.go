package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A term of Erlang is here a string (string, binary, atom or number by its
// text), a list or a tuple.
type (
	atom  string // true, debug, 'tlsv1.2', 5672: what stands without double quotes
	list  []any
	tuple []any
)

// terms reads the text of an advanced.config: one term and a full stop.
type terms struct {
	text string
	at   int
	deep int
}

const deepest = 32 // how deep terms may be nested

// parseTerms reads a file of terms; the error names the line.
func parseTerms(text string) (any, error) {
	t := &terms{text: text}
	term, err := t.term()
	if err == nil && (!t.skip() || t.text[t.at] != '.') {
		err = errors.New("a full stop is missing")
	}
	if err == nil {
		t.at++
		if t.skip() {
			err = errors.New("more than one term")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", t.line(t.at), err)
	}
	return term, nil
}

// line is the number of the line that a place in the text is in.
func (t *terms) line(at int) int { return 1 + strings.Count(t.text[:min(at, len(t.text))], "\n") }

// skip goes to what is neither blank nor comment; false at the end.
func (t *terms) skip() bool {
	for t.at < len(t.text) {
		switch c := t.text[t.at]; {
		case c == '%':
			end := strings.IndexByte(t.text[t.at:], '\n')
			if end < 0 {
				t.at = len(t.text)
				return false
			}
			t.at += end
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			t.at++
		default:
			return true
		}
	}
	return false
}

// term reads one term.
func (t *terms) term() (any, error) {
	if !t.skip() {
		return nil, errors.New("the text ends within a term")
	}
	rest := t.text[t.at:]
	switch {
	case rest[0] == '[':
		all, err := t.sequence(']')
		return list(all), err
	case rest[0] == '{':
		all, err := t.sequence('}')
		return tuple(all), err
	case rest[0] == '"':
		return t.quoted('"')
	case rest[0] == '\'':
		s, err := t.quoted('\'')
		return atom(s), err
	case strings.HasPrefix(rest, `<<"`):
		t.at += 2
		s, err := t.quoted('"')
		if err == nil && !strings.HasPrefix(t.text[t.at:], ">>") {
			err = errors.New("a binary does not end with >>")
		}
		t.at += 2
		return s, err
	}
	return t.word()
}

// word reads an atom or a number.
func (t *terms) word() (any, error) {
	from := t.at
	for t.at < len(t.text) && (!foreign(rune(t.text[t.at])) || t.text[t.at] == '@') {
		if t.text[t.at] == '.' && (t.at+1 == len(t.text) || foreign(rune(t.text[t.at+1]))) {
			break // the full stop
		}
		t.at++
	}
	if from == t.at {
		return nil, errors.New("not a term")
	}
	return atom(t.text[from:t.at]), nil
}

// quoted reads to the closing quote; a backslash takes the meaning from what
// follows it.
func (t *terms) quoted(quote byte) (string, error) {
	var s strings.Builder
	for t.at++; t.at < len(t.text); t.at++ {
		switch c := t.text[t.at]; {
		case c == quote:
			t.at++
			return s.String(), nil
		case c == '\\' && t.at+1 < len(t.text):
			t.at++
			s.WriteByte(t.text[t.at])
		default:
			s.WriteByte(c)
		}
	}
	return "", errors.New("a quote is not closed")
}

// sequence reads terms with commas between them.
func (t *terms) sequence(end byte) ([]any, error) {
	if t.deep++; t.deep > deepest {
		return nil, errors.New("nested too deep")
	}
	defer func() { t.deep-- }()
	t.at++
	all := []any{}
	for {
		if !t.skip() {
			return nil, errors.New("the text ends within a term")
		}
		if t.text[t.at] == end && len(all) == 0 {
			t.at++
			return all, nil
		}
		term, err := t.term()
		if err != nil {
			return nil, err
		}
		all = append(all, term)
		if !t.skip() || t.text[t.at] != ',' && t.text[t.at] != end {
			return nil, fmt.Errorf("neither a comma nor %c", end)
		}
		t.at++
		if t.text[t.at-1] == end {
			return all, nil
		}
	}
}

// scalar is the text of what is neither list nor tuple.
func scalar(term any) (string, bool) {
	switch v := term.(type) {
	case string:
		return v, true
	case atom:
		return string(v), true
	}
	return "", false
}

// number as a key: the N of listeners.tcp.N.
func nth(n int) string { return strconv.Itoa(n + 1) }
