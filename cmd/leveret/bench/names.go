package bench

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
)

// queueNames spells out a pattern with one %d.
func queueNames(pattern string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = strings.Replace(pattern, "%d", strconv.Itoa(i), 1)
	}
	return names
}

// share gives the items that the i-th of n owners works on: with fewer owners
// than items each takes every n-th, else several owners share an item.
func share(i, n, items int) []int {
	if n >= items {
		return []int{i % items}
	}
	var out []int
	for j := i; j < items; j += n {
		out = append(out, j)
	}
	return out
}

// number says whether a flag holds a count instead of a list.
func number(flag, s string) (n int, ok bool, err error) {
	n, err = strconv.Atoi(s)
	if err != nil {
		return 0, false, nil
	}
	if n < 1 || n > maxKeys {
		return 0, true, fmt.Errorf("%s %d: must be 1 to %d, or a list", flag, n, maxKeys)
	}
	return n, true, nil
}

// parseArguments reads key=value pairs; whole numbers and booleans become such.
func parseArguments(pairs []string) (wire.Table, error) {
	var t wire.Table
	for _, p := range pairs {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--queue-args %q: must be key=value", p)
		}
		t = append(t, wire.Field{Name: name, Value: argument(value)})
	}
	return t, nil
}

func argument(s string) any {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if b, err := strconv.ParseBool(s); err == nil {
		return b
	}
	return s
}

// A wildcard is a generated topic binding and a routing key that only this one
// of all generated ones matches.
type wildcard struct{ pattern, key string }

// wildcardAt takes turns among a star inside, a star and a hash, and a leading
// hash, so that no broker gets by with looking at the first word.
func wildcardAt(i int) wildcard {
	w := "k" + strconv.Itoa(i)
	switch i % 3 {
	case 0:
		return wildcard{w + ".*.end", w + ".mid.end"}
	case 1:
		return wildcard{"*." + w + ".#", "any." + w + ".tail"}
	}
	return wildcard{"#." + w, "one.two." + w}
}

// topicMatch says whether a topic pattern matches a routing key. It is used to
// know what to expect, not per message.
func topicMatch(pattern, key string) bool {
	return wordsMatch(strings.Split(pattern, "."), strings.Split(key, "."))
}

func wordsMatch(pattern, key []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "#" {
			for i := 0; i <= len(key); i++ {
				if wordsMatch(pattern[1:], key[i:]) {
					return true
				}
			}
			return false
		}
		if len(key) == 0 || pattern[0] != "*" && pattern[0] != key[0] {
			return false
		}
		pattern, key = pattern[1:], key[1:]
	}
	return len(key) == 0
}
