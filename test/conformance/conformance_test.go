package conformance

import (
	"embed"
	"sync"
	"testing"
)

//go:embed testdata
var testdata embed.FS

const (
	recorded = 510 // scenarios in testdata
	atOnce   = 8   // scenarios played side by side
)

// TestDialogues plays the recorded dialogues. Those in testdata/not-yet.txt are
// left out unless the broker under test is RabbitMQ itself.
func TestDialogues(t *testing.T) {
	scenarios := mustLoad(t, "testdata")
	playListed(t, scenarios, laterNames(t, "not-yet.txt"))
}

// playListed plays the scenarios that are not listed as not yet.
func playListed(t *testing.T, scenarios []scenario, later map[string]string) {
	t.Helper()
	b := target(t)
	var run []scenario
	left := map[string]int{}
	for _, s := range scenarios {
		if reason, ok := later[s.Name]; ok && !playable(b, s) {
			left[reason]++
			continue
		}
		run = append(run, s)
	}
	for reason, n := range left {
		t.Logf("%d scenarios not yet: %s", n, reason)
	}
	t.Logf("%d of %d scenarios run", len(run), len(scenarios))
	playAll(t, b, run)
}

// TestOwn plays the dialogues that were added to the recorded ones.
func TestOwn(t *testing.T) {
	playListed(t, mustLoad(t, "testdata/own"), laterNames(t, "own-not-yet.txt"))
}

// playable tells whether a scenario that is listed as not yet can be played
// all the same.
func playable(b broker, s scenario) bool {
	return b.oracle && (!s.needsHTTP() || b.management != "")
}

// playAll runs each scenario as a subtest, several at once: most of their time
// they wait, and each uses names of its own.
func playAll(t *testing.T, b broker, scenarios []scenario) {
	c, err := newCodec()
	if err != nil {
		t.Fatal(err)
	}
	next := make(chan scenario)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for s := range next {
				t.Run(s.Name, func(t *testing.T) {
					if err := perform(b, c, s); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
	for _, s := range scenarios {
		next <- s
	}
	close(next)
	workers.Wait()
}

func mustLoad(t *testing.T, dir string) []scenario {
	t.Helper()
	scenarios, err := load(testdata, dir)
	if err != nil {
		t.Fatal(err)
	}
	return scenarios
}
