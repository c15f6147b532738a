package persistence

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestStoreRoundTrip(t *testing.T) {
	many := make([]uint64, 2000)
	for i := range many {
		many[i] = uint64(i) << (i % 60)
	}
	tests := []struct {
		name string
		rec  record
		head int // octets, 0: not checked
	}{
		{"smallest", record{refs: []uint64{1, 1}}, 23},
		{"typical", record{refs: []uint64{300, 100_000}, route: []byte("\x00\x05queue"), props: []byte{1, 2, 3}, body: []byte("hello")}, 26},
		{"volatile", record{refs: []uint64{1, 2}, flags: FlagVolatile, term: 1 << 40, body: []byte("x")}, 0},
		{"attr", record{refs: []uint64{1, 2}, attr: []byte("deadline"), body: []byte("x")}, 31},
		{"long attr", record{refs: []uint64{1, 2}, attr: bytes.Repeat([]byte("a"), 255), body: []byte("x")}, 0},
		{"fan-out", record{refs: many, body: []byte("x")}, 0},
		{"no refs", record{body: []byte("x")}, 21},
		{"largest numbers", record{refs: []uint64{1<<64 - 1, 1<<64 - 1}}, 41},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, headLen := appendStore([]byte("before"), &tt.rec)
			b = b[len("before"):]
			var h head
			if err := parseHead(b, &h); err != nil {
				t.Fatal(err)
			}
			if int(h.length) != headLen || tt.head != 0 && headLen != tt.head {
				t.Errorf("head of %d octets, parsed %d, want %d", headLen, h.length, tt.head)
			}
			if h.flags != tt.rec.flags || h.term != tt.rec.term || !bytes.Equal(h.attr, tt.rec.attr) {
				t.Errorf("head is %+v", h)
			}
			if refs := h.appendRefs(nil); !slices.Equal(refs, tt.rec.refs) {
				t.Errorf("refs are %v, want %v", refs, tt.rec.refs)
			}
			payload, err := payloadOf(b, h.size)
			if err != nil {
				t.Fatal(err)
			}
			want := slices.Concat(tt.rec.route, []byte{byte(len(tt.rec.props)), 0, 0, 0}, tt.rec.props, tt.rec.body)
			if !bytes.Equal(payload, want) {
				t.Errorf("payload is %q, want %q", payload, want)
			}
			again, _ := appendCopy(nil, &tt.rec, payload, h.bodySum)
			if !bytes.Equal(again, b) {
				t.Error("a copy differs from the record")
			}
		})
	}
}

func TestFactRoundTrip(t *testing.T) {
	tests := []struct {
		name        string
		kind        uint8
		group, x, y uint64
	}{
		{"settle one", KindSettle, 7, 9, 9},
		{"settle range", KindSettle, 7, 9, 1000},
		{"settle all", KindSettle, 7, 0, 1<<64 - 1},
		{"cut", KindCut, 1, 1 << 40, 0},
		{"return", KindReturn, 1, 1000, 3},
		{"tombstone", KindTombstone, 1 << 63, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := appendFact(nil, tt.kind, tt.group, tt.x, tt.y)
			var h head
			if err := parseHead(b, &h); err != nil {
				t.Fatal(err)
			}
			if h.kind != tt.kind || h.group != tt.group || h.a != tt.x || h.b != tt.y || int(h.length) != len(b) {
				t.Errorf("got %+v", h)
			}
		})
	}
}

func TestCommitRoundTrip(t *testing.T) {
	want := commit{count: 1, start: 2, sums: 3, salt: 4, number: 5, synced: 6, prev: 7}
	b := make([]byte, commitSize)
	want.put(b)
	var got commit
	if !got.parse(b) || got != want {
		t.Errorf("got %+v", got)
	}
	var h head
	if err := parseHead(b, &h); err != nil || h.kind != kindCommit {
		t.Errorf("as a head: %+v, %v", h, err)
	}
	for i := range b {
		b[i] ^= 0x10
		if got.parse(b) {
			t.Errorf("octet %d changed, still accepted", i)
		}
		b[i] ^= 0x10
	}
	if got.parse(b[:commitSize-1]) {
		t.Error("truncated COMMIT accepted")
	}
}

func TestUnknownFactPanics(t *testing.T) {
	l, _ := open(t, Options{FS: NewMemory()})
	defer l.Close()
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "kind 8") {
			t.Errorf("recovered %v", r)
		}
	}()
	l.Begin().Fact(8, 1, 1, 1)
}

// A head that passes its checksum may still come from a broken writer.
func TestMalformedHead(t *testing.T) {
	good, _ := appendStore(nil, &record{refs: []uint64{1, 2}, attr: []byte("ab"), body: []byte("x")})
	tests := []struct {
		name   string
		damage func(b []byte) []byte
	}{
		{"empty", func(b []byte) []byte { return nil }},
		{"cut in the fixed part", func(b []byte) []byte { return b[:9] }},
		{"cut in the refs", func(b []byte) []byte { return b[:22] }},
		{"unknown kind", func(b []byte) []byte { b[8] = 99; return b }},
		{"kind zero", func(b []byte) []byte { b[8] = 0; return b }},
		{"too many refs", func(b []byte) []byte { b[20] = 100; return b }},
		{"attr too long", func(b []byte) []byte { b[18] = 100; return b }},
		{"attr too short", func(b []byte) []byte { b[18] = 1; return b }},
		{"length below the minimum", func(b []byte) []byte { b[4] = 3; return b }},
		{"huge length", func(b []byte) []byte { b[7] = 0xff; return b }},
		{"endless varint", func(b []byte) []byte {
			for i := 18; i < 25; i++ {
				b[i] = 0xff
			}
			return b
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.damage(slices.Clone(good))
			reseal(b)
			var h head
			if err := parseHead(b, &h); err == nil {
				t.Errorf("accepted as %+v", h)
			}
		})
	}
}

// reseal makes the checksum of a head right again.
func reseal(b []byte) {
	if length, _, err := frame(b); err == nil && int(length) <= len(b) {
		sum := checksum(b[4:length])
		b[0], b[1], b[2], b[3] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	}
}

func FuzzHead(f *testing.F) {
	b, _ := appendStore(nil, &record{refs: []uint64{1, 2, 3, 4}, attr: []byte("ab"), body: []byte("x")})
	f.Add(b)
	f.Add(appendFact(nil, KindSettle, 1, 2, 3))
	c := make([]byte, commitSize)
	(&commit{count: 1}).put(c)
	f.Add(c)
	f.Fuzz(func(t *testing.T, b []byte) {
		b = slices.Clone(b)
		reseal(b)
		var h head
		if parseHead(b, &h) != nil || h.kind != kindStore {
			return
		}
		refs := h.appendRefs(nil)
		if uint64(len(refs)) != 2*h.count || len(refs) > len(b) {
			t.Fatalf("%d numbers for %d refs from %d octets", len(refs), h.count, len(b))
		}
		_, _ = payloadOf(b, h.size)
	})
}
