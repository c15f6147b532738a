package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// fadvDontneed is POSIX_FADV_DONTNEED.
const fadvDontneed = 4

// forget drops a directory's files from the page cache, after syncing them: it
// needs no privilege.
func forget(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := f.Sync(); err != nil {
			return err
		}
		if _, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, fadvDontneed, 0, 0); errno != 0 {
			return os.NewSyscallError("fadvise64 "+path, errno)
		}
		return nil
	})
}
