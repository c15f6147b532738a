package exchange

import (
	"slices"
	"testing"
)

func setOf(ids ...uint64) (s *set) {
	for _, id := range ids {
		s = s.with(bound{dest: queue(id)})
	}
	return s
}

func TestRuns(t *testing.T) {
	cases := []struct {
		name string
		runs [][]uint64
		want []uint64
	}{
		{"none", nil, nil},
		{"an empty set", [][]uint64{{}}, nil},
		{"one", [][]uint64{{1, 5, 9}}, []uint64{1, 5, 9}},
		{"two apart", [][]uint64{{4, 5}, {1, 2}}, []uint64{1, 2, 4, 5}},
		{"two equal", [][]uint64{{1, 2}, {1, 2}}, []uint64{1, 2}},
		{"an odd number", [][]uint64{{3}, {2}, {1, 3}}, []uint64{1, 2, 3}},
		{"one within", [][]uint64{{1, 2, 3, 4}, {2}, {4}, {}, {0, 9}}, []uint64{0, 1, 2, 3, 4, 9}},
	}
	var r runs
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r.reset()
			for _, run := range c.runs {
				r.add(setOf(run...))
			}
			var got []uint64
			for _, d := range r.united() {
				got = append(got, d.ID)
			}
			if !slices.Equal(got, c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}
}
