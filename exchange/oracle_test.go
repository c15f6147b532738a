package exchange

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// matches is the rule of topic patterns said as plainly as possible: the words
// of the pattern against the words of the key, each '#' tried at every length.
func matches(pattern, key []string) bool {
	if len(pattern) == 0 {
		return len(key) == 0
	}
	if pattern[0] == "#" {
		return matches(pattern[1:], key) || len(key) > 0 && matches(pattern, key[1:])
	}
	if len(key) == 0 || pattern[0] != "*" && pattern[0] != key[0] {
		return false
	}
	return matches(pattern[1:], key[1:])
}

// wordsOf splits as RabbitMQ does: the empty key has no words.
func wordsOf(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}

// naive is the oracle: a list of bindings, each asked in turn.
type naive []Binding

func (n naive) route(key string) []Dest {
	var out []Dest
	for _, b := range n {
		if matches(wordsOf(b.Key), wordsOf(key)) {
			out = append(out, b.Dest)
		}
	}
	return ordered(out)
}

func (n naive) unbind(b Binding) naive {
	return slices.DeleteFunc(slices.Clone(n), func(x Binding) bool {
		return x.Dest == b.Dest && x.Key == b.Key
	})
}

// ordered is a set of destinations as a list that can be compared.
func ordered(ds []Dest) []Dest {
	ds = slices.Clone(ds)
	slices.SortFunc(ds, Dest.order)
	return slices.Compact(ds)
}

// phrase makes a key or pattern of up to most words from a small vocabulary,
// so that random keys and patterns meet often.
func phrase(r *rand.Rand, vocabulary []string, most int) string {
	words := make([]string, r.IntN(most+1))
	for i := range words {
		words[i] = vocabulary[r.IntN(len(vocabulary))]
	}
	return strings.Join(words, ".")
}

var (
	plainWords   = []string{"a", "b", "c", "", "a*", "#"}
	patternWords = []string{"a", "b", "c", "", "*", "#", "*", "#", "a*"}
)

func TestTopicAgreesWithOracle(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		router := mustNew(t, "topic")
		var oracle naive
		for step := range 60 {
			b := Binding{Dest: Dest{ID: r.Uint64N(25), Exchange: r.IntN(4) == 0}, Key: phrase(r, patternWords, 6)}
			router, oracle = router.Bind(b), append(oracle, b)
			if r.IntN(3) == 0 {
				gone := oracle[r.IntN(len(oracle))]
				router, oracle = router.Unbind(gone), oracle.unbind(gone)
			}
			agree(t, router, oracle, phrase(r, plainWords, 7), step)
		}
	}
}

func agree(t *testing.T, router Router, oracle naive, key string, step int) {
	t.Helper()
	got := router.Route(Message{Key: []byte(key)}, nil)
	want := oracle.route(key)
	if len(got) != len(ordered(got)) {
		t.Fatalf("step %d, key %q: a destination came twice: %v", step, key, got)
	}
	if !slices.Equal(ordered(got), want) {
		t.Fatalf("step %d, key %q: got %v, want %v, bindings %v", step, key, ordered(got), want, oracle)
	}
}

// TestTopicLeavesNothing unbinds all in another order than they were bound.
func TestTopicLeavesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	router := mustNew(t, "topic")
	empty := router
	var bound []Binding
	for i := range 500 {
		b := Binding{Dest: Dest{ID: uint64(i)}, Key: phrase(r, patternWords, 6)}
		router, bound = router.Bind(b), append(bound, b)
	}
	r.Shuffle(len(bound), func(i, j int) { bound[i], bound[j] = bound[j], bound[i] })
	for _, b := range bound {
		router = router.Unbind(b)
	}
	if router != empty {
		t.Errorf("after all is unbound: %+v", router)
	}
}

// TestTopicManyHashes has a pattern and a key for which trying every length of
// every '#' takes longer than anyone waits.
func TestTopicManyHashes(t *testing.T) {
	router := mustNew(t, "topic")
	router = router.Bind(Binding{Dest: Dest{ID: 1}, Key: strings.Repeat("#.a.", 60) + "b"})
	router = router.Bind(Binding{Dest: Dest{ID: 2}, Key: strings.Repeat("#.a.", 60) + "#"})
	key := strings.TrimSuffix(strings.Repeat("a.", 120), ".")
	got := router.Route(Message{Key: []byte(key)}, nil)
	if want := []Dest{{ID: 2}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// FuzzTopic binds one pattern and asks for one key.
func FuzzTopic(f *testing.F) {
	f.Add("#.*.#", "a..b")
	f.Add("a.", "a.")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, pattern, key string) {
		if len(pattern) > 24 || len(key) > 24 { // the oracle is exponential
			t.Skip("too long for the oracle")
		}
		b := Binding{Dest: Dest{ID: 9}, Key: pattern}
		agree(t, mustNew(t, "topic").Bind(b), naive{b}, key, 0)
	})
}

func mustNew(t testing.TB, kind string) Router {
	t.Helper()
	r, err := New(kind, Options{Rand: func() uint64 { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
