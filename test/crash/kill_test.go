package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/leveretmq/leveret/test/harness"
	"github.com/leveretmq/leveret/test/harness/client"
)

const (
	marks  = "crash.marks" // publishes that prove what is on disk before them
	queues = 3
)

// TestKill kills the broker under load, round after round on the same data
// directory. Every fifth round stops it with SIGTERM instead, and every
// seventh kills it once more while it recovers. Another broker is only stopped:
// after a kill it promises less.
func TestKill(t *testing.T) {
	rounds := setting(t, "LEVERET_KILL_ROUNDS", 20)
	seed := uint64(setting(t, "LEVERET_KILL_SEED", 1))
	broker := harness.Start(t)
	declareQueues(t, broker.URL())
	l := newLedger()
	l.forgets = harness.External()
	seen := 0
	for round := 1; round <= rounds; round++ {
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		seen += killRound(t, broker, l, round, random)
		for n, fault := range l.faults {
			if n == 20 {
				t.Errorf("and %d more", len(l.faults)-n)
				break
			}
			t.Error(fault)
		}
		if t.Failed() {
			t.Fatalf("round %d of %d, seed %d", round, rounds, seed)
		}
	}
	t.Logf("%d rounds: %d messages published, %d surely acked, %d seen after a restart", rounds, l.next, l.sure, seen)
}

func killRound(t *testing.T, broker *harness.Broker, l *ledger, round int, random *rand.Rand) int {
	t.Helper()
	l.round()
	work := &load{url: broker.URL(), seed: random.Uint64(), ledger: l}
	x := newTransactions()
	if err := work.startAll(x); err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	time.Sleep(time.Duration(200+random.IntN(800)) * time.Millisecond)
	at := time.Now()
	if round%5 == 0 || harness.External() {
		broker.Stop()
	} else {
		broker.Kill()
	}
	work.clients.Wait()
	l.killed(at)
	if round%7 == 0 && !harness.External() {
		broker.Launch()
		time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
		broker.Kill()
	}
	broker.Start()
	seen := 0
	for n := range queues {
		seen += look(t, broker.URL(), queueName(n), l, round, random)
	}
	l.close(round)
	x.check(t, broker.URL(), l)
	return seen
}

// startAll starts two publishers and a consumer for each queue and the two
// users of transactions.
func (l *load) startAll(x *transactions) error {
	number := uint64(0)
	for n := range queues {
		queue := queueName(n)
		for range 2 {
			number++
			if err := l.start(number, l.publisher(fmt.Sprintf("publisher %d", number), queue)); err != nil {
				return err
			}
		}
		number++
		if err := l.start(number, l.consumer(queue)); err != nil {
			return err
		}
	}
	if err := l.start(number+1, x.publish); err != nil {
		return err
	}
	return l.start(number+2, x.move)
}

func declareQueues(t *testing.T, url string) {
	t.Helper()
	channel := client.Open(t, url)
	for _, queue := range []string{marks, entry, twin, exit} {
		channel.Declare(queue, true, nil)
	}
	for n := range queues {
		channel.Declare(queueName(n), true, nil)
	}
	channel.Close()
}

func queueName(n int) string { return fmt.Sprintf("crash.%d", n) }

// setting is a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number of at least 1", name, text)
	}
	return n
}
