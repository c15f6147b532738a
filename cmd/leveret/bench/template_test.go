package bench

import (
	"bytes"
	"strings"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

func templateOf(t *testing.T, size int, keys ...string) *template {
	t.Helper()
	l := &LoadOptions{Size: size, Persistent: true}
	p := &plan{run: 9, exchange: "e", keys: keys}
	tm, err := newTemplate(l, p, 3, share(0, 1, len(keys)), 4096)
	if err != nil {
		t.Fatal(err)
	}
	return tm
}

// A published message as it is read back.
type published struct {
	key  string
	body []byte
}

// parse takes publishes apart with the wire package's reader.
func parse(t *testing.T, octets []byte) (out []published) {
	t.Helper()
	r := wire.NewReader(bytes.NewReader(octets))
	want := 0
	for {
		h, err := r.Head()
		if err != nil {
			return out
		}
		payload, err := r.Payload()
		if err != nil {
			t.Fatal(err)
		}
		switch h.Type {
		case wire.FrameMethod:
			p, err := wire.ParsePublish(payload)
			if err != nil || string(p.Exchange) != "e" {
				t.Fatalf("publish to %q: %v", p.Exchange, err)
			}
			out = append(out, published{key: string(p.RoutingKey)})
		case wire.FrameHeader:
			header, err := wire.ParseHeader(payload)
			if v, err2 := wire.ScanProperties(header.Props); err != nil || err2 != nil || v.DeliveryMode != 2 {
				t.Fatalf("delivery mode %d: %v, %v", v.DeliveryMode, err, err2)
			}
			want = int(header.BodySize)
		case wire.FrameBody:
			last := &out[len(out)-1]
			if last.body = append(last.body, payload...); len(last.body) > want {
				t.Fatalf("%d octets of body, %d announced", len(last.body), want)
			}
		}
	}
}

func TestCutGivesWholeStampedPublishes(t *testing.T) {
	tm := templateOf(t, 100, "a", "bb", "ccc")
	next := map[string]uint64{}
	for round := range 500 {
		octets, n := tm.cut(1+round%7, int64(round+1))
		got := parse(t, octets)
		if len(got) != n {
			t.Fatalf("%d publishes in the octets of %d", len(got), n)
		}
		for _, m := range got {
			s := readStamp(m.body)
			if s.run != 9 || s.producer != 3 || s.seq != next[m.key] || s.time != int64(round+1) || len(m.body) != 100 {
				t.Fatalf("key %q: stamp %+v in %d octets, want seq %d", m.key, s, len(m.body), next[m.key])
			}
			next[m.key]++
		}
	}
	if a, c := next["a"], next["ccc"]; a > c+1 {
		t.Errorf("key a had %d turns, ccc %d", a, c)
	}
}

func TestCutRespectsTheBatch(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
		keys int
	}{
		{"small", 24, 1}, {"usual", 128, 1}, {"many keys", 128, 3000}, {"one batch is one message", 60_000, 1}, {"larger than a batch", 200_000, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var keys []string
			for i := range c.keys {
				keys = append(keys, generatedKey(i))
			}
			tm := templateOf(t, c.size, keys...)
			for range 100 {
				octets, n := tm.cut(1<<20, 1)
				if n == 0 || len(octets) > batchBytes && n > 1 {
					t.Fatalf("%d publishes in %d octets", n, len(octets))
				}
			}
			if n := len(tm.slots); n%c.keys != 0 {
				t.Errorf("%d slots do not hold %d keys equally often", n, c.keys)
			}
		})
	}
}

func TestSmallBodiesCarryNoStamp(t *testing.T) {
	for _, size := range []int{0, 1, StampSize - 1} {
		tm := templateOf(t, size, "k")
		octets, n := tm.cut(5, 1)
		for _, m := range parse(t, octets) {
			if len(m.body) != size || size > 0 && m.body[0] != 'a' {
				t.Errorf("size %d: body %q", size, m.body)
			}
		}
		if n != 5 || tm.seqs[0] != 5 {
			t.Errorf("size %d: %d cut, %d counted", size, n, tm.seqs[0])
		}
	}
}

func TestTemplateRefusesToTakeTooMuchMemory(t *testing.T) {
	p := &plan{keys: queueNames("k%d", 100)}
	_, err := newTemplate(&LoadOptions{Size: 1 << 20}, p, 0, share(0, 1, 100), 0)
	if err == nil || !strings.Contains(err.Error(), "100 routing keys") {
		t.Errorf("error = %v, want one that names the keys", err)
	}
}

func TestCutAllocatesNothing(t *testing.T) {
	tm := templateOf(t, 128, "a", "b")
	if n := testing.AllocsPerRun(100, func() { tm.cut(300, 1) }); n != 0 {
		t.Errorf("cut allocates %g times", n)
	}
}

func BenchmarkCut(b *testing.B) {
	p := &plan{keys: []string{"bench-0"}}
	tm, err := newTemplate(&LoadOptions{Size: 128}, p, 0, []int{0}, 0)
	if err != nil {
		b.Fatal(err)
	}
	for n := 0; n < b.N; {
		_, m := tm.cut(1000, 1)
		n += m
	}
}
