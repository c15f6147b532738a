package persistence

import "testing"

func TestReopen(t *testing.T) {
	fs := OS(t.TempDir())
	l, w := open(t, Options{FS: fs})
	for i := uint64(1); i <= 1000; i++ {
		w.publish([]uint64{7, i}, 0, "", 100)
	}
	await(t, l, w.settle(7, 1, 500))
	w.check(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, w = open(t, Options{FS: fs})
	defer l.Close()
	if n := len(w.live); n != 500 {
		t.Fatalf("%d live messages after a restart, want 500", n)
	}
	if !l.Clean() {
		t.Error("the stop was clean")
	}
	w.check(t)
}
