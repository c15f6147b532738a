package bench

import (
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
)

// rusageThread is RUSAGE_THREAD, which package syscall does not name.
const rusageThread = 1

// threadCPU is the calling thread's user and system time, exact to the
// microsecond: used where the measured code runs in this process.
func threadCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// onThread runs f on a thread that nothing else runs on.
func onThread(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return f()
}

func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }

// A socket is a descriptor in blocking mode.
type socket int

// blockingSocket takes a connection out of the runtime's poller; the connection
// itself is closed.
func blockingSocket(c *net.TCPConn) (io.ReadWriteCloser, error) {
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var failed error
	if err := raw.Control(func(f uintptr) { fd, failed = syscall.Dup(int(f)) }); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, os.NewSyscallError("dup", failed)
	}
	return socket(fd), os.NewSyscallError("fcntl", syscall.SetNonblock(fd, false))
}

func (s socket) Read(b []byte) (int, error) {
	for {
		n, err := syscall.Read(int(s), b)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

func (s socket) Write(b []byte) (done int, err error) {
	for done < len(b) {
		n, err := syscall.Write(int(s), b[done:])
		if err != nil && err != syscall.EINTR {
			return done, os.NewSyscallError("write", err)
		}
		done += max(n, 0)
	}
	return done, nil
}

func (s socket) Close() error { return os.NewSyscallError("close", syscall.Close(int(s))) }
