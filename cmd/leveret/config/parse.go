package config

import (
	"fmt"
	"strings"
)

// Setting is one key with its value, from whatever source.
type Setting struct {
	Key    string // "listeners.tcp.default"
	Value  string
	Origin string // "/etc/rabbitmq/rabbitmq.conf:12", "environment variable RABBITMQ_NODE_PORT"
}

// fail is an error about the setting. Callers put the value in only where it
// cannot be a secret.
func (s Setting) fail(format string, args ...any) error {
	return fmt.Errorf("%s: %s: %s", s.Origin, s.Key, fmt.Sprintf(format, args...))
}

// words are the parts of the key.
func (s Setting) words() []string { return splitKey(s.Key) }

// last is the last word of the key: the NAME of listeners.tcp.NAME.
func (s Setting) last() string { w := s.words(); return w[len(w)-1] }

// parse reads the text of a rabbitmq.conf. A line is empty, a comment, or
// `key = value`, with a comment behind it or not. The errors name all the lines
// that are none of these.
func parse(file, text string) (settings []Setting, errs []error) {
	text = strings.TrimPrefix(text, "\ufeff") // editors of some systems put it there
	for n, line := range strings.Split(text, "\n") {
		origin := fmt.Sprintf("%s:%d", file, n+1)
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		s, err := parseLine(line)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", origin, err))
			continue
		}
		s.Origin = origin
		settings = append(settings, s)
	}
	return settings, errs
}

// parseLine reads one setting. The line itself is in no error: what is wrong in
// it may be a secret.
func parseLine(line string) (Setting, error) {
	key, value, found := strings.Cut(line, "=")
	key = strings.TrimSpace(key)
	word, _, _ := strings.Cut(key, " ")
	switch {
	case !found && word == "include":
		return Setting{}, fmt.Errorf("include is not supported: put the file into conf.d")
	case !found || !validKey(key):
		return Setting{}, fmt.Errorf("not a line of the form key = value")
	}
	value = bare(strings.TrimSpace(value))
	if value == "" {
		return Setting{}, fmt.Errorf("%s: has no value", key)
	}
	return Setting{Key: key, Value: value}, nil
}

// bare takes the comment off a value: as RabbitMQ reads it, a # ends the value
// even without a blank before it. Single quotes around a value keep all that is
// in it (RabbitMQ 4).
func bare(value string) string {
	if rest, ok := strings.CutPrefix(value, "'"); ok {
		if quoted, behind, ok := strings.Cut(rest, "'"); ok && strings.TrimSpace(bare(strings.TrimSpace(behind))) == "" {
			return quoted
		}
	}
	value, _, _ = strings.Cut(value, "#")
	return strings.TrimSpace(value)
}

// validKey knows what a key is made of: words of letters, digits, _ and -, and
// dots that a backslash makes part of a word.
func validKey(key string) bool {
	for _, word := range splitKey(key) {
		if word == "" || strings.ContainsFunc(word, foreign) {
			return false
		}
	}
	return true
}

func foreign(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", r)
}

// splitKey splits a key at its dots; `\.` stands for a dot within a word.
func splitKey(key string) []string {
	words, word := []string{}, strings.Builder{}
	for n := 0; n < len(key); n++ {
		switch {
		case key[n] == '\\' && n+1 < len(key) && key[n+1] == '.':
			n++
			word.WriteByte('.')
		case key[n] == '.':
			words = append(words, word.String())
			word.Reset()
		default:
			word.WriteByte(key[n])
		}
	}
	return append(words, word.String())
}
