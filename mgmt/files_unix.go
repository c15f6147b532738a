//go:build unix

package mgmt

import "syscall"

// filesLimit is how many descriptors the process may have.
func filesLimit() int64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return int64(min(l.Cur, 1<<40))
}
