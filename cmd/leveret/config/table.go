package config

import (
	"slices"
	"strings"
)

// table is the keys made ready to be looked up.
type table struct {
	exact    map[string]key
	patterns []pattern
}

// pattern is a key with words of the user's choice.
type pattern struct {
	key
	words []string
}

func newTable(o *Options) table {
	t := table{exact: map[string]key{}}
	for _, k := range keys(o) {
		if strings.ContainsAny(k.name, "$*") {
			t.patterns = append(t.patterns, pattern{k, splitKey(k.name)})
		} else if _, there := t.exact[k.name]; !there {
			t.exact[k.name] = k
		}
	}
	return t
}

func (t table) find(name string) (key, bool) {
	if k, ok := t.exact[name]; ok {
		return k, true
	}
	words := splitKey(name)
	for _, p := range t.patterns {
		if p.matches(words) {
			return p.key, true
		}
	}
	return key{}, false
}

// matches compares word by word: $x matches any, * any number of them.
func (p pattern) matches(words []string) bool {
	for n, word := range p.words {
		switch {
		case n >= len(words):
			return false
		case word == "*":
			return true
		case word != words[n] && word[0] != '$':
			return false
		}
	}
	return len(words) == len(p.words)
}

// nearest is the key that differs least from a name, if any is near enough to
// be meant.
func (t table) nearest(name string) string {
	best, least := "", 1+len(name)/3
	consider := func(candidate string) {
		if d := distance(name, candidate, least); d < least || d == least && best != "" && candidate < best {
			best, least = candidate, d
		}
	}
	for candidate := range t.exact {
		consider(candidate)
	}
	words := splitKey(name)
	for _, p := range t.patterns {
		if p.words[len(p.words)-1] != "*" {
			consider(p.fill(words))
		}
	}
	return best
}

// fill puts the words of a name into the places that the user chooses.
func (p pattern) fill(words []string) string {
	out := slices.Clone(p.words)
	for n, word := range out {
		if word[0] == '$' && n < len(words) {
			out[n] = words[n]
		}
	}
	return strings.Join(out, ".")
}

// distance is how many letters have to be put in, taken out or changed
// (Levenshtein); from most on it is not exact.
func distance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// braces gives a name once for each alternative in {a,b}.
func braces(name string) []string {
	before, rest, found := strings.Cut(name, "{")
	if !found {
		return []string{name}
	}
	inside, after, _ := strings.Cut(rest, "}")
	var all []string
	for _, a := range strings.Split(inside, ",") {
		for _, tail := range braces(after) {
			all = append(all, before+a+tail)
		}
	}
	return all
}

// natural orders keys by their words, numbers by value, and what stands below a
// key before the key itself, so that `listeners.tcp = none` has the last word.
func natural(a, b string) int {
	x, y := splitKey(a), splitKey(b)
	for n := range min(len(x), len(y)) {
		if x[n] == y[n] {
			continue
		}
		if i, j := strings.TrimLeft(x[n], "0"), strings.TrimLeft(y[n], "0"); digits(i) && digits(j) && len(i) != len(j) {
			return len(i) - len(j)
		}
		return strings.Compare(x[n], y[n])
	}
	return len(y) - len(x)
}

func digits(word string) bool { return strings.Trim(word, "0123456789") == "" }
