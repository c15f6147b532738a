package server

import (
	"bytes"
	"os"
	"runtime/metrics"
	"strconv"
	"time"

	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/persistence"
)

// Watermarks say when publishing has to wait (RabbitMQ: memory and disk alarms).
type Watermarks struct {
	Memory   int64 // octets the process may use; 0: no limit
	DiskFree int64 // octets that must be free where DataDir is; 0: no limit
}

// watchEvery is how often resources are looked at.
const watchEvery = time.Second

// watch raises and clears alarms until stop is closed.
type watch struct {
	marks Watermarks
	// memory and free are what is used, and what is left.
	memory func() int64
	free   func() (int64, error)
	// full is said by the log: it has no room whatever the figures are.
	full func() bool
	set  func(a broker.Alarm, raised bool)
}

func (w *watch) run(stop <-chan struct{}) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		w.look()
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

func (w *watch) look() {
	if w.marks.Memory > 0 {
		w.set(broker.MemoryAlarm, w.memory() > w.marks.Memory)
	}
	if w.marks.DiskFree > 0 {
		left, err := w.free()
		w.set(broker.DiskAlarm, err == nil && left < w.marks.DiskFree || w.full())
	}
}

// memoryUsed is what the Go runtime has from the system.
func memoryUsed() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64() - s[1].Value.Uint64())
}

// MemoryTotal is the memory that the process may use: the machine's, or less in
// a control group; 0 when that cannot be found out.
func MemoryTotal() int64 {
	total := int64(0)
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if b, err := os.ReadFile(path); err == nil {
			total = least(total, number(b))
		}
	}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		line, _, _ := bytes.Cut(b, []byte("\n")) // MemTotal:  16384 kB
		if f := bytes.Fields(line); len(f) == 3 {
			total = least(total, number(f[1])<<10)
		}
	}
	return total
}

// number is 0 for "max" and all else that is none.
func number(b []byte) int64 {
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// least is the smaller of two that are known.
func least(x, y int64) int64 {
	if x == 0 || y > 0 && y < x {
		return y
	}
	return x
}

// startWatch begins to look after resources, if there is something to look at.
func (s *Server) startWatch() {
	w := &watch{
		marks: s.opt.Watermarks, memory: memoryUsed, set: s.broker.SetAlarm,
		free: func() (int64, error) { return persistence.DiskFree(s.opt.DataDir) },
		full: func() bool { return s.log != nil && s.log.Full() },
	}
	if s.opt.DataDir == "" {
		w.marks.DiskFree = 0
	}
	if w.marks != (Watermarks{}) {
		s.wg.Go(func() { w.run(s.stopped) }) // ends at release
	}
}
