package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what a process and its descendants have used so far.
type usage struct {
	cpu, system     time.Duration // system is the kernel's share of cpu
	rss, peak, anon int64         // octets; peak is the highest rss so far
	files           int
}

// tick is the unit of CPU times in /proc: USER_HZ is 100 on every Linux.
const tick = 10 * time.Millisecond

// readUsage sums /proc over pid and its descendants, so that the pid of a
// wrapper script will do. proc is the mount point of procfs.
func readUsage(proc string, pid int) (usage, error) {
	u, err := readOne(proc, pid)
	if err != nil {
		return u, fmt.Errorf("--broker-pid %d: %w", pid, err)
	}
	for _, child := range children(proc, pid) {
		c, err := readUsage(proc, child)
		if err != nil {
			continue // gone since it was listed
		}
		u.cpu += c.cpu
		u.system += c.system
		u.rss += c.rss
		u.peak += c.peak
		u.anon += c.anon
		u.files += c.files
	}
	return u, nil
}

func readOne(proc string, pid int) (usage, error) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return usage{}, err
	}
	u := usage{}
	if u.cpu, u.system, err = cpuOf(string(stat)); err != nil {
		return usage{}, err
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return usage{}, err
	}
	u.rss, u.peak, u.anon = kilobytes(string(status), "VmRSS:"), kilobytes(string(status), "VmHWM:"), kilobytes(string(status), "RssAnon:")
	if fds, err := os.ReadDir(filepath.Join(dir, "fd")); err == nil { // not ours to see under another user
		u.files = len(fds)
	}
	return u, nil
}

// cpuOf adds user and system time of a process and of the children it has
// waited for, fields 14 to 17 of its stat. The command before may hold spaces
// and parentheses.
func cpuOf(stat string) (all, system time.Duration, err error) {
	_, rest, ok := cutLast(stat, ")")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 15 {
		return 0, 0, fmt.Errorf("stat %q is not understood", stat)
	}
	for i, f := range fields[11:15] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("stat %q is not understood: %w", stat, err)
		}
		d := time.Duration(n) * tick
		all += d
		if i%2 == 1 {
			system += d
		}
	}
	return all, system, nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// kilobytes finds "name  123 kB" and gives octets; 0 when it is not there.
func kilobytes(status, name string) int64 {
	_, rest, ok := strings.Cut(status, name)
	if !ok {
		return 0
	}
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[0], 10, 64) // 0 for what is not a number
	return n << 10
}

// children lists the processes that any thread of pid has started.
func children(proc string, pid int) (pids []int) {
	lists, _ := filepath.Glob(filepath.Join(proc, strconv.Itoa(pid), "task", "*", "children")) // the pattern is well formed
	for _, name := range lists {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		for f := range strings.FieldsSeq(string(b)) {
			if n, err := strconv.Atoi(f); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// ownCPU is this process's user and system time.
func ownCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
