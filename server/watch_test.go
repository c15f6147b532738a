package server

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/broker"
)

// machine is what a watch looks at, and the alarms that it sets.
type machine struct {
	mu         sync.Mutex // guards what follows
	used, left int64
	err        error
	full       bool
	alarms     map[broker.Alarm]bool
}

func (m *machine) memory() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

func (m *machine) free() (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left, m.err
}

func (m *machine) isFull() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.full
}

func (m *machine) set(a broker.Alarm, raised bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alarms[a] = raised
}

func (m *machine) change(used, left int64, full bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used, m.left, m.full, m.err = used, left, full, err
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &machine{alarms: map[broker.Alarm]bool{}}
		w := &watch{marks: Watermarks{Memory: 50, DiskFree: 60}, memory: m.memory, free: m.free, full: m.isFull, set: m.set}
		stop := make(chan struct{})
		go w.run(stop)
		defer close(stop)
		for _, k := range []struct {
			used, left int64
			full       bool
			err        error
			want       string
		}{
			{10, 100, false, nil, "map[disk:false memory:false]"},
			{51, 100, false, nil, "map[disk:false memory:true]"},
			{50, 59, false, nil, "map[disk:true memory:false]"},
			{50, 60, true, nil, "map[disk:true memory:false]"},
			{50, 60, false, errors.New("gone"), "map[disk:false memory:false]"},
		} {
			m.change(k.used, k.left, k.full, k.err)
			time.Sleep(watchEvery)
			synctest.Wait()
			m.mu.Lock()
			if got := fmt.Sprint(m.alarms); got != k.want {
				t.Errorf("alarms %s, want %s", got, k.want)
			}
			m.mu.Unlock()
		}
	})
}

func TestMemoryTotal(t *testing.T) {
	if n := MemoryTotal(); n < 64<<20 {
		t.Errorf("%d octets", n)
	}
	if used := memoryUsed(); used < 1<<20 || used > 1<<34 {
		t.Errorf("%d octets used", used)
	}
	for _, c := range []struct{ x, y, want int64 }{{0, 5, 5}, {5, 0, 5}, {5, 3, 3}, {3, 5, 3}} {
		if got := least(c.x, c.y); got != c.want {
			t.Errorf("least of %d and %d: %d", c.x, c.y, got)
		}
	}
}
