package management

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/server"
	"github.com/leveretmq/leveret/server/servertest"
)

// node is the broker under test.
type node struct {
	*server.Server
	url    string
	client *http.Client
	names  *strings.Replacer // recorded names in paths by those of the test
	texts  *strings.Replacer // and in reasons
	lax    []*regexp.Regexp  // fields that are excused
	seen   map[string]bool   // fields that some recorded answer has
}

func start(t *testing.T) *node {
	t.Helper()
	s := servertest.Start(t, servertest.Options{Compatibility: "3.10", NodeName: "rabbit@host", HTTP: "127.0.0.1:0"})
	b := &node{Server: s, url: "http://" + s.HTTPAddr(), client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	t.Cleanup(b.client.CloseIdleConnections)
	for pattern := range listed(t, "fields.txt") {
		b.lax = append(b.lax, regexp.MustCompile("^(?:"+pattern+")$"))
	}
	return b
}

func (b *node) excused(path string) bool {
	for _, re := range b.lax {
		if re.MatchString(path) {
			return true
		}
	}
	return false
}

// order is that of the recording: reads saw what the writes had left.
var order = []string{"setup", "write", "read", "auth", "write-exclusive", "write-reset"} // read-only

// TestReplay makes all recorded calls. Those whose answers differ are listed in
// testdata/differences.txt with the reason, and have to differ.
func TestReplay(t *testing.T) {
	b := start(t)
	l := b.live(t)
	all := recordings(t)
	b.seen = seenIn(all)
	known := listed(t, "differences.txt")
	same := 0
	for _, group := range order {
		if group == "write" {
			l.begin(t)
		}
		for i := range all {
			r := &all[i]
			if r.Group != group {
				continue
			}
			diff := b.play(t.Context(), r)
			id := strconv.Itoa(r.ID)
			_, excused := known[id]
			delete(known, id)
			switch {
			case len(diff) == 0 && excused:
				t.Errorf("%v is listed as different, and is not", r)
			case len(diff) > 0 && !excused:
				t.Errorf("%v\n\t%s", r, strings.Join(diff, "\n\t"))
			case len(diff) == 0:
				same++
			}
		}
	}
	for id := range known {
		t.Errorf("differences.txt: no call has the number %s", id)
	}
	t.Logf("%d of %d calls answered alike", same, len(all))
}
