package harness

import "syscall"

// attributes puts the process in its own group and has the kernel end it when
// the test process dies without stopping it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
