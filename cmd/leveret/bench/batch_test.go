package bench

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// countingConn notes the sizes of writes: one of them is one system call.
type countingConn struct {
	net.Conn
	mu     sync.Mutex
	writes []int
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.writes = append(c.writes, len(b))
	c.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *countingConn) sizes() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]int(nil), c.writes...)
}

// piped is a producer over net.Pipe.
func piped(t *testing.T, l LoadOptions) (*producer, *countingConn, net.Conn) {
	t.Helper()
	cn, far := pipeConn(t)
	counting := &countingConn{Conn: cn.net}
	cn.net = counting
	tm, err := newTemplate(&l, &plan{keys: []string{"q"}}, 0, []int{0}, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &producer{conn: cn, tmpl: tm, limit: newLimiter(l.Rate, wallClock{}), wake: make(chan struct{}, 1)}
	p.conn.scan.before, p.conn.scan.after = p.release, p.acquire
	if l.Confirm > 0 {
		p.window = newWindow(l.Confirm)
	}
	return p, counting, far
}

func TestPublishesAreBatched(t *testing.T) {
	p, counting, far := piped(t, LoadOptions{Size: 128})
	arrived := make(chan int64, 1)
	go func() { // ends when the producer's end is closed
		n, _ := io.Copy(io.Discard, far)
		arrived <- n
	}()
	const messages = 10_000
	p.assignment = assignment{context.Background(), messages, func() {}}
	if err := p.publish(); err != nil {
		t.Fatal(err)
	}
	p.conn.net.Close()
	total := <-arrived
	if least := total/batchBytes + 1; int64(len(counting.writes)) > 2*least {
		t.Errorf("%d writes for %d octets, want about %d", len(counting.writes), total, least)
	}
	for _, n := range counting.writes {
		if n > batchBytes {
			t.Errorf("a write of %d octets, want at most %d", n, batchBytes)
		}
	}
	if got := p.published.Load(); got != messages {
		t.Errorf("%d counted, want %d", got, messages)
	}
}

func TestWindowOfOneWritesEachAtOnce(t *testing.T) {
	p, counting, far := piped(t, LoadOptions{Size: 128, Confirm: 1})
	var wg sync.WaitGroup
	wg.Go(func() { // ends when the producer's end is closed
		r := wire.NewReader(far)
		for tag := uint64(1); ; {
			h, err := r.Head()
			if err != nil {
				return
			}
			if _, err := r.Payload(); err != nil {
				return
			}
			if h.Type == wire.FrameBody {
				if _, err := far.Write(wire.AppendAck(nil, 1, tag, false)); err != nil {
					return
				}
				tag++
			}
		}
	})
	const messages = 50
	idle := make(chan struct{})
	p.assignment = assignment{context.Background(), messages, func() { close(idle) }}
	wg.Go(func() { _ = p.read() }) // ends with the pipe
	<-idle
	writes := counting.sizes()
	p.conn.net.Close()
	wg.Wait()
	if len(writes) != messages {
		t.Errorf("%d writes for %d messages", len(writes), messages)
	}
	if got := p.confirmed(); got < messages-1 {
		t.Errorf("%d confirmed before the last was sent, want %d", got, messages-1)
	}
}

func TestRateLimitedWritesWhatIsDue(t *testing.T) {
	p, counting, far := piped(t, LoadOptions{Size: 128, Rate: 100})
	clock := newHandClock()
	p.limit = newLimiter(100, clock)
	go func() { _, _ = io.Copy(io.Discard, far) }() // ends with the pipe
	p.assignment = assignment{context.Background(), 20, func() {}}
	if err := p.publish(); err != nil {
		t.Fatal(err)
	}
	if len(counting.writes) != 20 {
		t.Errorf("%d writes for 20 messages due one by one", len(counting.writes))
	}
	if d := clock.now.Sub(time.Unix(1000, 0)); d < 180*time.Millisecond || d > 200*time.Millisecond {
		t.Errorf("20 messages at 100 per second took %v", d)
	}
}

func TestPublishEndsWithStop(t *testing.T) {
	p, _, far := piped(t, LoadOptions{Size: 128, Confirm: 10, Rate: 1e9})
	go func() { _, _ = io.Copy(io.Discard, far) }() // ends with the pipe
	stop, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	idle := 0
	p.assignment = assignment{stop, 0, func() { idle++ }}
	if err := p.publish(); err != nil || idle != 1 {
		t.Fatalf("publish: %v, idle %d times", err, idle)
	}
	if got := p.published.Load(); got != 10 {
		t.Errorf("%d published without a confirm, want the window of 10", got)
	}
}

// feed repeats a batch of deliveries with tags that go on.
type feed struct{ octets []byte }

func (f *feed) Read(b []byte) (int, error) {
	n := copy(b, f.octets)
	f.octets = f.octets[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestAcksAreBatched(t *testing.T) {
	for _, c := range []struct {
		name   string
		load   LoadOptions
		octets int // of acks for 100 deliveries
		left   uint64
	}{
		{"each", LoadOptions{Size: 128, MultiAck: 1}, 100 * 21, 0},
		{"ten at once", LoadOptions{Size: 128, MultiAck: 10}, 10 * 21, 0},
		{"thirty at once", LoadOptions{Size: 128, MultiAck: 30}, 3 * 21, 10},
		{"none", LoadOptions{Size: 128, MultiAck: 1, AutoAck: true}, 0, 0},
		{"all but the first", LoadOptions{Size: 128, MultiAck: 1, HoldFirst: true}, 99 * 21, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cn, far := pipeConn(t)
			counting := &countingConn{Conn: cn.net}
			cn.net = counting
			go func() { _, _ = io.Copy(io.Discard, far) }() // ends with the pipe
			cn.scan = newScanner(&feed{deliveries(1, 0, 100, 128)}, 1<<20)
			co := &consumer{conn: cn, load: &c.load, queues: []int{0}, verifier: newVerifier(1, 1)}
			cn.scan.before, cn.scan.after = co.release, co.acquire
			_ = co.read() // the feed's end
			total := 0
			for _, n := range counting.writes {
				total += n
			}
			if total != c.octets || len(counting.writes) > 1 {
				t.Errorf("%d octets of acks in %d writes, want %d in one", total, len(counting.writes), c.octets)
			}
			if co.delivered.Load() != 100 || co.verifier.Checked != 100 || co.tag-co.acked != c.left {
				t.Errorf("%d delivered, %d verified, %d left to ack", co.delivered.Load(), co.verifier.Checked, co.tag-co.acked)
			}
		})
	}
}

func TestConsumingAllocatesNothing(t *testing.T) {
	co, refill := endlessConsumer(t, 128)
	if n := testing.AllocsPerRun(20, func() { refill(200) }); n != 0 {
		t.Errorf("200 deliveries allocate %g times", n)
	}
	if v := co.verifier.Verification; v.Duplicates+v.Disordered+v.Foreign != 0 {
		t.Errorf("verification = %+v", v)
	}
}

// endlessConsumer takes prepared deliveries; the function runs n of them (up to
// 200) through.
func endlessConsumer(t testing.TB, size int) (*consumer, func(n int)) {
	f := &feed{}
	co := &consumer{conn: &conn{scan: newScanner(f, 128<<10)}, load: &LoadOptions{Size: size, MultiAck: 1}, queues: []int{0}, verifier: newVerifier(1, 1)}
	co.conn.scan.before = func() error {
		co.acks = co.acks[:0]
		return nil
	}
	batch := deliveries(1, 0, 200, size)
	one := len(batch) / 200
	return co, func(n int) {
		f.octets = batch[:n*one]
		co.tag, co.acked = 0, 0
		if len(co.verifier.queues[0]) > 0 {
			seen := &co.verifier.queues[0][0][0]
			clear(seen.seen)
			seen.next = 0
		}
		for co.tag < uint64(n) {
			fr, err := co.conn.scan.next()
			if err == nil {
				err = co.take(fr)
			}
			if err == nil {
				err = co.whole()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func BenchmarkConsume(b *testing.B) {
	_, run := endlessConsumer(b, 128)
	for n := 0; n < b.N; n += 200 {
		run(200)
	}
}

// A write that fails between two reads must leave the lock as read expects it.
func TestReadSurvivesAFailedPump(t *testing.T) {
	peer := newPeer(t)
	o := flowOptions(peer, 0)
	pl, err := newPlan(&o, 1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newProducer(t.Context(), &o, pl, 0)
	if err != nil {
		t.Fatal(err)
	}
	p.assignment = assignment{context.Background(), 0, func() {}}
	if err := p.conn.net.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.read(); err == nil {
		t.Error("read on a closed socket returned no error")
	}
}
