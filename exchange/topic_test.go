package exchange

import (
	"slices"
	"strings"
	"testing"
)

func TestTopic(t *testing.T) {
	cases := []struct {
		pattern string
		match   string // keys with a space between; _ is the empty key
		differ  string
	}{
		{"", "_", ". a"},
		{"a.b", "a.b", "_ a a.b.c a..b A.b a.*"},
		{"*", "a * # repeat", "_ . a.b"},
		{"*.*", "a.b . a. .a", "_ a a.b.c .."},
		{"#", "_ . .. a a.b a.b.c", ""},
		{"a.#", "a a. a.b a.b.c a.#", "_ b aa.b .a"},
		{"#.b", "b a.b a..b .b a.a.b", "_ a b.a b."},
		{"a.#.b", "a.b a..b a.x.b a.b.a.b", "a b ab a.b.c"},
		{"*.#", "a . a.b a.b.c", "_"},
		{"#.#", "_ a a.b", ""},
		{"#.*.#.*", "a.b a.b.c .", "_ a"},
		{"#.a.#", "a x.a a.x x.a.y a.a", "_ x x.y aa"},
		{"#.a.*.#.b.#", "a.x.b a.b.b y.a.a.b.z", "a.b a b.a.x"},
		{"*.a.#.*", "x.a.y x.a.y.z .a.", "x.a a.x.y"},
		{"a*.b", "a*.b", "ab.b a.b"},
		{"a.", "a.", "a a.b"},
		{".", ".", "_ a .."},
	}
	for _, c := range cases {
		t.Run(c.pattern, func(t *testing.T) {
			r := mustNew(t, "topic").Bind(Binding{Dest: queue(1), Key: c.pattern})
			for _, key := range strings.Fields(c.match) {
				if got := ids(r, strings.Trim(key, "_"), nil); len(got) != 1 {
					t.Errorf("%q does not match", key)
				}
			}
			for _, key := range strings.Fields(c.differ) {
				if got := ids(r, strings.Trim(key, "_"), nil); len(got) != 0 {
					t.Errorf("%q matches", key)
				}
			}
		})
	}
}

// Patterns that match the same keys share a place but are bindings of their own.
func TestTopicPattern(t *testing.T) {
	cases := map[string]string{
		"":                  "",
		"a.b":               "a|b",
		".":                 "|",
		"#":                 "#",
		"#.#.#":             "#",
		"#.*":               "*|#",
		"*.#":               "*|#",
		"*.*":               "*|*",
		"#.*.#.*.a.*.#.b.#": "*|*|#|a|*|#|b|#",
		"a.#.*":             "a|*|#",
		"#.a.#.#":           "#|a|#",
		"##.*#":             "##|*#",
	}
	for key, want := range cases {
		if got := strings.Join(pattern(key), "|"); got != want {
			t.Errorf("%q is stored as %q, want %q", key, got, want)
		}
	}
	r := mustNew(t, "topic").Bind(Binding{Dest: queue(1), Key: "#.*"}).Bind(Binding{Dest: queue(1), Key: "*.#"})
	r = r.Unbind(Binding{Dest: queue(1), Key: "*.#"})
	if got := ids(r, "a", nil); !slices.Equal(got, []uint64{1}) {
		t.Fatal("unbinding one pattern took another of the same meaning:", got)
	}
}

// A queue with several matching patterns is there once, at every number of
// matches.
func TestTopicOnce(t *testing.T) {
	patterns := []string{"#", "a.#", "#.c", "*.b.*", "a.b.c", "#.b.#", "*.*.*"}
	for _, queues := range []uint64{1, 2, 31, 33, 1000} {
		r, want := mustNew(t, "topic"), []uint64{}
		for id := range queues {
			want = append(want, id)
			for i, p := range patterns {
				if id%3 == 0 || uint64(i)%3 == id%3 {
					r = r.Bind(Binding{Dest: queue(id), Key: p})
				}
			}
		}
		if got := ids(r, "a.b.c", nil); !slices.Equal(got, want) {
			t.Fatalf("%d queues: %d destinations", queues, len(got))
		}
	}
}

// Nested '#' over a key of many equal words has exponentially many ways to
// match; the walk takes none of them twice. This test would not end otherwise.
func TestTopicHostile(t *testing.T) {
	r := mustNew(t, "topic")
	for n := range 60 {
		r = r.Bind(Binding{Dest: queue(uint64(n)), Key: strings.Repeat("#.a.*.", n) + "b"})
	}
	words := strings.Repeat("a.", 126)
	if got := ids(r, words+"a", nil); len(got) != 0 {
		t.Fatal("matched without the last word:", got)
	}
	if got := len(ids(r, words+"b", nil)); got != 59 {
		t.Fatal("matched", got)
	}
	// A CC header can hold a key that no short string can.
	if got := len(ids(r, strings.Repeat("a.", 3000)+"b", nil)); got != 59 {
		t.Fatal("long key matched", got)
	}
	if got := len(ids(r, strings.Repeat(".", 70000), nil)); got != 0 {
		t.Fatal("empty words matched", got)
	}
}
