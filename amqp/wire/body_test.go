package wire

import "testing"

// TestClassOfFits: every class holds what it is asked for, wastes at most a
// quarter, and is the only one for its size.
func TestClassOfFits(t *testing.T) {
	sizes := map[int]int{}
	for n := 1; n <= mostBody; n += 1 + n/97 {
		for _, n := range []int{n, n | n>>1} {
			class, size := classOf(n)
			if class < 0 || class >= classSets*inDouble {
				t.Fatalf("%d octets: class %d", n, class)
			}
			if size < n || n >= 1<<leastBody && size > n+n/4+1 {
				t.Fatalf("%d octets get %d", n, size)
			}
			if have, ok := sizes[class]; ok && have != size {
				t.Fatalf("class %d has sizes %d and %d", class, have, size)
			}
			sizes[class] = size
		}
	}
	if class, size := classOf(1 << 20); size != 1<<20 {
		t.Errorf("a mebibyte gets %d of class %d", size, class)
	}
	if class, _ := classOf(mostBody + 1); class != -1 {
		t.Errorf("class %d beyond the largest", class)
	}
}

// TestBodyComesBackAfterTheLastRelease: a pool may forget, but not every time.
func TestBodyComesBackAfterTheLastRelease(t *testing.T) {
	var p Bodies
	back := 0
	for range 100 {
		b := p.Take(100_000)
		b.Retain()
		b.Release()
		other := p.Take(100_000)
		if other == b {
			t.Fatal("a body that is in use was handed out")
		}
		b.Release()
		if p.Take(100_000) == b {
			back++
		}
	}
	if back == 0 {
		t.Error("no body came back")
	}
}

func TestBodyReleasedTooOften(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a body could be released once too often")
		}
	}()
	c := NewBody(nil)
	c.Release()
	c.Release()
}
