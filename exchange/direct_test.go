package exchange

import (
	"slices"
	"testing"
)

func TestDirect(t *testing.T) {
	bindings := []Binding{
		{queue(1), "a", nil}, {queue(2), "a", nil}, {queue(2), "b", nil}, {queue(3), "", nil},
		{queue(4), "a.*", nil}, {queue(5), "#", nil}, {queue(6), "\xff\x00", nil}, {Dest{7, true}, "b", nil},
	}
	r := mustNew(t, "direct")
	for _, b := range bindings {
		r = r.Bind(b)
	}
	cases := []struct {
		name, key string
		want      []uint64
	}{
		{"two queues", "a", []uint64{1, 2}},
		{"a queue and an exchange", "b", []uint64{2, 7}},
		{"the empty key", "", []uint64{3}},
		{"a star is plain text", "a.*", []uint64{4}},
		{"and matches nothing else", "a.b", []uint64{}},
		{"a hash is plain text", "#", []uint64{5}},
		{"any octets", "\xff\x00", []uint64{6}},
		{"case counts", "A", []uint64{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := ids(r, c.key, nil); !slices.Equal(got, c.want) {
				t.Fatalf("%q goes to %v, want %v", c.key, got, c.want)
			}
		})
	}
}
