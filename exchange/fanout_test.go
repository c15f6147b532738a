package exchange

import (
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

func TestFanout(t *testing.T) {
	cases := []struct {
		name   string
		bind   []Binding
		unbind []Binding
		want   []uint64
	}{
		{name: "nothing bound", want: []uint64{}},
		{name: "keys do not count", bind: []Binding{{queue(1), "k1", nil}, {queue(2), "", nil}}, want: []uint64{1, 2}},
		{name: "a queue once", bind: []Binding{{queue(1), "k1", nil}, {queue(1), "k2", nil}}, want: []uint64{1}},
		{
			name:   "a queue stays until its last binding goes",
			bind:   []Binding{{queue(1), "k1", nil}, {queue(1), "k2", nil}},
			unbind: []Binding{{queue(1), "k1", nil}},
			want:   []uint64{1},
		},
		{
			name:   "gone",
			bind:   []Binding{{queue(1), "k1", nil}, {queue(1), "k1", wire.Table{{Name: "a", Value: true}}}},
			unbind: []Binding{{queue(1), "k1", nil}, {queue(1), "k1", wire.Table{{Name: "a", Value: true}}}},
			want:   []uint64{},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := mustNew(t, "fanout")
			for _, b := range c.bind {
				r = r.Bind(b)
			}
			for _, b := range c.unbind {
				r = r.Unbind(b)
			}
			if got := ids(r, "any", nil); !slices.Equal(got, c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}
}
