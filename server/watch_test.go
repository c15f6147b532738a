package server

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/broker"
)

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		used, left, err, full := int64(10), int64(100), error(nil), false
		alarms := map[broker.Alarm]bool{}
		w := &watch{
			marks: Watermarks{Memory: 50, DiskFree: 60}, memory: func() int64 { return used },
			free: func() (int64, error) { return left, err }, full: func() bool { return full },
			set: func(a broker.Alarm, raised bool) { alarms[a] = raised },
		}
		stop := make(chan struct{})
		go w.run(stop)
		defer close(stop)
		check := func(want string) {
			t.Helper()
			time.Sleep(watchEvery)
			synctest.Wait()
			if got := fmt.Sprint(alarms); got != want {
				t.Errorf("alarms %s, want %s", got, want)
			}
		}
		check("map[disk:false memory:false]")
		used = 51
		check("map[disk:false memory:true]")
		used, left = 50, 59
		check("map[disk:true memory:false]")
		left, full = 60, true
		check("map[disk:true memory:false]")
		full, err = false, errors.New("gone")
		check("map[disk:false memory:false]")
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
