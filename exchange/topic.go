package exchange

import (
	"hash/maphash"
	"strings"
	"sync"
)

// topic routes by patterns of words with dots between them: '*' is one word,
// '#' any number of words, also none (spec: 3.1.3.3). As RabbitMQ has it: the
// empty key has no words, "a." has two of which the second is empty, empty
// words are words, and '*' or '#' inside a longer word are plain text.
type topic struct {
	seed  maphash.Seed // as in direct
	root  *topicNode
	walks *sync.Pool // of *topicWalk: room to route in without allocating
}

// topicNode is a place in the trie of patterns, immutable. Patterns are stored
// with the stars of a run of wildcards moved before its '#' ("#.*.#" as "*.#",
// which matches the same keys), so nothing but words follows a '#'.
type topicNode struct {
	words *keys[*topicNode]
	star  *topicNode
	hash  *topicNode
	here  *set // the bindings whose pattern ends here
}

func newTopic() topic {
	return topic{seed: maphash.MakeSeed(), walks: &sync.Pool{New: func() any { return new(topicWalk) }}}
}

// Bind is as Router says.
func (t topic) Bind(b Binding) Router {
	t.root = t.change(t.root, pattern(b.Key), func(s *set) *set { return s.with(newBound(b)) })
	return t
}

// Unbind is as Router says.
func (t topic) Unbind(b Binding) Router {
	gone := newBound(b)
	t.root = t.change(t.root, pattern(b.Key), func(s *set) *set { return s.without(&gone) })
	return t
}

// KeyOnly is as Router says.
func (t topic) KeyOnly() bool { return true }

// PerKey is as Router says.
func (t topic) PerKey() bool { return true }

// pattern is the words of a binding key in the order in which they are stored.
func pattern(key string) []string {
	if key == "" {
		return nil
	}
	words := strings.Split(key, ".")
	for i := 0; i < len(words); i++ {
		run := i
		hashes := 0
		for i < len(words) && (words[i] == "*" || words[i] == "#") {
			if words[i] == "#" {
				hashes++
			}
			i++
		}
		if hashes > 0 {
			words = append(starsFirst(words[:i], run, hashes), words[i:]...)
			i -= hashes - 1
		}
	}
	return words
}

// starsFirst puts the stars of the run of wildcards at the end of words before
// a single '#'. It writes over the run and no further.
func starsFirst(words []string, run, hashes int) []string {
	stars := len(words) - run - hashes
	words = words[:run]
	for range stars {
		words = append(words, "*")
	}
	return append(words, "#")
}

// change gives the node in place of n with f done to the set at the end of
// path: n itself when f changed nothing, nil when nothing is left.
func (t topic) change(n *topicNode, path []string, f func(*set) *set) *topicNode {
	var now topicNode
	if n != nil {
		now = *n
	}
	if len(path) == 0 {
		now.here = f(now.here)
	} else {
		t.changeBelow(&now, path, f)
	}
	switch {
	case now == topicNode{}:
		return nil
	case n != nil && now == *n:
		return n
	}
	return &now
}

func (t topic) changeBelow(n *topicNode, path []string, f func(*set) *set) {
	switch word := path[0]; word {
	case "*":
		n.star = t.change(n.star, path[1:], f)
	case "#":
		n.hash = t.change(n.hash, path[1:], f)
	default:
		hash := maphash.String(t.seed, word)
		old, _ := n.words.get(hash, []byte(word))
		switch now := t.change(old, path[1:], f); {
		case now == old:
		case now == nil:
			n.words = n.words.without(hash, word)
		default:
			n.words = n.words.with(hash, word, now)
		}
	}
}

// Route is as Router says. Every node of the trie is visited at most once,
// however many '#' there are.
func (t topic) Route(m Message, out []Dest) []Dest {
	if t.root == nil {
		return out
	}
	w := t.walks.Get().(*topicWalk)
	w.split(t.seed, m.Key)
	w.at(t.root, 0)
	out = append(out, w.united()...)
	w.reset()
	t.walks.Put(w)
	return out
}
