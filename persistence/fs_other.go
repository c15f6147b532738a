//go:build !linux

package persistence

import (
	"errors"
	"os"
)

func datasync(f *os.File) error { return f.Sync() }

func allocate(f *os.File, size int64) error { return fill(f, size) }

// DiskFree is known on Linux only.
func DiskFree(string) (int64, error) { return 0, errors.ErrUnsupported }
