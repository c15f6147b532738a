//go:build !linux

package bench

import (
	"io"
	"net"
	"os"
	"time"
)

// threadCPU cannot be told here: the probes report rates only.
func threadCPU() time.Duration { return 0 }

func onThread(f func() error) error { return f() }

func datasync(f *os.File) error { return f.Sync() }

func blockingSocket(c *net.TCPConn) (io.ReadWriteCloser, error) { return c, nil }
