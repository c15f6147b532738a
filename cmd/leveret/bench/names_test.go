package bench

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

func TestShare(t *testing.T) {
	for _, c := range []struct {
		name        string
		i, n, items int
		want        []int
	}{
		{"one owner has all", 0, 1, 3, []int{0, 1, 2}},
		{"two owners, odd", 1, 2, 5, []int{1, 3}},
		{"as many owners as items", 2, 3, 3, []int{2}},
		{"more owners than items", 4, 5, 3, []int{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := share(c.i, c.n, c.items); !slices.Equal(got, c.want) {
				t.Errorf("share(%d, %d, %d) = %v, want %v", c.i, c.n, c.items, got, c.want)
			}
		})
	}
}

func TestQueueNames(t *testing.T) {
	if got, want := queueNames("a-%d.b", 2), []string{"a-0.b", "a-1.b"}; !slices.Equal(got, want) {
		t.Errorf("names = %v, want %v", got, want)
	}
}

func TestParseArguments(t *testing.T) {
	got, err := parseArguments([]string{"x-queue-type=quorum", "x-message-ttl=5000", "flag=true", "empty="})
	want := wire.Table{{Name: "x-queue-type", Value: "quorum"}, {Name: "x-message-ttl", Value: int64(5000)}, {Name: "flag", Value: true}, {Name: "empty", Value: ""}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("arguments = %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"novalue", "=x"} {
		if _, err := parseArguments([]string{bad}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: error %v, want one that names it", bad, err)
		}
	}
}

func TestTopicMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, key string
		want         bool
	}{
		{"a.b", "a.b", true},
		{"a.b", "a.c", false},
		{"a.*", "a.b", true},
		{"a.*", "a", false},
		{"a.*", "a.b.c", false},
		{"a.#", "a", true},
		{"a.#", "a.b.c", true},
		{"#", "", true},
		{"#.c", "a.b.c", true},
		{"#.c", "c", true},
		{"#.c", "a.b", false},
		{"*.b.#", "a.b", true},
		{"a.#.c", "a.bc", false},
		{"#.a.#", "x.ya.z", false},
	} {
		if got := topicMatch(c.pattern, c.key); got != c.want {
			t.Errorf("topicMatch(%q, %q) = %v", c.pattern, c.key, got)
		}
	}
}

func TestWildcardsMatchTheirOwnKeyOnly(t *testing.T) {
	const n = 60
	for i := range n {
		for j := range n {
			if got := topicMatch(wildcardAt(i).pattern, wildcardAt(j).key); got != (i == j) {
				t.Errorf("pattern %q and key %q: match %v", wildcardAt(i).pattern, wildcardAt(j).key, got)
			}
		}
	}
}

func TestParseURI(t *testing.T) {
	for _, c := range []struct {
		uri  string
		want target
	}{
		{"amqp://h", target{"h:5672", "guest", "guest", "/"}},
		{"amqp://h:1/", target{"h:1", "guest", "guest", "/"}},
		{"amqp://u:p%40@[::1]:1/%2f", target{"[::1]:1", "u", "p@", "/"}},
		{"amqp://u:p@h:1/a%2Fb", target{"h:1", "u", "p", "a/b"}},
	} {
		if got, err := parseURI(c.uri); err != nil || got != c.want {
			t.Errorf("parseURI(%q) = %+v, %v; want %+v", c.uri, got, err, c.want)
		}
	}
	for _, bad := range []string{"amqps://h", "h:5672", "amqp:///x", "amqp://h:port", "amqp://%"} {
		if _, err := parseURI(bad); err == nil || !strings.Contains(err.Error(), "--uri") {
			t.Errorf("parseURI(%q): error %v, want one that names --uri", bad, err)
		}
	}
}
