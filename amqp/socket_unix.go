//go:build unix

package amqp

import "syscall"

const canPeek = true

// sendSome sends what goes out at once and returns how much.
func sendSome(fd uintptr, b []byte) int {
	for {
		n, err := syscall.Write(int(fd), b)
		if err != syscall.EINTR {
			return max(n, 0)
		}
	}
}

// readable says whether a read would return at once: with octets, the end, or
// an error. It tries, because a readiness that was signalled before is not
// signalled again.
func readable(fd uintptr) bool {
	var b [1]byte
	for {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EINTR {
			return err != syscall.EAGAIN && err != syscall.EWOULDBLOCK
		}
	}
}
