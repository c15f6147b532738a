package persistence

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
)

const (
	// FormatNumber is the format of a data directory written by this version.
	FormatNumber = 1

	lockName   = "lock"
	formatName = "format"
	markName   = logDir + "/clean"
	markMagic  = "LvrtStop"
	markSize   = 20
)

// LockDir locks the data directory for this process and checks that its format
// is one that this version reads. It fails at once, with an error that wraps
// ErrLocked and names the holder, while another process has it. A broker takes
// it before it opens any file there and passes Options.Locked.
func LockDir(dir string) (io.Closer, error) {
	fsys := OS(dir)
	lock, err := fsys.Lock(lockName)
	if err != nil {
		return nil, err
	}
	if _, err := checkFormat(fsys); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// checkFormat reads the format number, or writes it when the directory is fresh.
func checkFormat(fsys FS) (fresh bool, err error) {
	b, err := readFile(fsys, formatName, 64)
	if err != nil {
		return false, err
	}
	if len(b) == 0 { // missing, or its creation was cut short: then nothing else was stored
		text := strconv.Itoa(FormatNumber) + "\n"
		if err := writeFile(fsys, formatName, []byte(text)); err != nil {
			return false, err
		}
		return true, fsys.SyncDir(".")
	}
	n, err := strconv.Atoi(strings.TrimSuffix(string(b), "\n"))
	switch {
	case err != nil || n < 1:
		return false, fmt.Errorf("file %q does not hold a format number: the data directory is not one of Leveret's, or damaged", formatName)
	case n > FormatNumber:
		return false, fmt.Errorf("data directory has format %d, written by a newer version; this one reads formats up to %d", n, FormatNumber)
	}
	return false, nil
}

// readFile returns up to max octets of a file, nothing when it is missing.
func readFile(fsys FS, name string, max int64) ([]byte, error) {
	f, err := fsys.OpenFile(name, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	return readAll(f, 0, min(size, max))
}

// writeFile writes a new small file and syncs it; the folder is the caller's.
func writeFile(fsys FS, name string, b []byte) error {
	f, err := fsys.OpenFile(name, true)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Datasync()
	}
	return errors.Join(err, f.Close())
}

// writeMark notes that the log was closed at the position end.
func writeMark(fsys FS, end uint64) error {
	b := binary.LittleEndian.AppendUint64([]byte(markMagic), end)
	b = binary.LittleEndian.AppendUint32(b, checksum(b))
	if err := writeFile(fsys, markName, b); err != nil {
		return err
	}
	return fsys.SyncDir(logDir)
}

// readMark returns the position in the mark of a clean stop. A damaged mark
// counts as none: its writing was cut short.
func readMark(fsys FS) (end uint64, ok bool, err error) {
	b, err := readFile(fsys, markName, markSize+1)
	if err != nil || len(b) != markSize || string(b[:8]) != markMagic ||
		checksum(b[:16]) != binary.LittleEndian.Uint32(b[16:]) {
		return 0, false, err
	}
	return binary.LittleEndian.Uint64(b[8:]), true, nil
}

// removeMark consumes the mark, durably, before anything is confirmed.
func removeMark(fsys FS) error {
	err := fsys.Remove(markName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return fsys.SyncDir(logDir)
}
