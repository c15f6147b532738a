package persistence

import "io"

// FS is the file system under a log, rooted at the data directory. Names are
// slash-separated and relative to that root. Memory and the value returned by
// OS implement it; tests cut its power between any two calls.
type FS interface {
	// OpenFile opens a file for reading and writing. With create the file and
	// its folder are made when they are missing.
	OpenFile(name string, create bool) (File, error)
	// ReadDir returns the names in a folder, ascending; a missing folder is empty.
	ReadDir(dir string) ([]string, error)
	// Rename moves a file over whatever has the new name.
	Rename(from, to string) error
	// Remove deletes a file.
	Remove(name string) error
	// SyncDir makes the creations, renames and removals in a folder durable.
	SyncDir(dir string) error
	// Lock takes the exclusive lock of the named file, or fails at once with
	// an error that wraps ErrLocked. Closing the result gives it back.
	Lock(name string) (io.Closer, error)
}

// File is one open file of an FS. ReadAt and WriteAt may run side by side.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Datasync makes the bytes written so far, and the size needed to read
	// them back, durable (fdatasync).
	Datasync() error
	// Truncate sets the size; bytes beyond it are gone.
	Truncate(size int64) error
	// Allocate makes sure that the disk has room for size octets and sets the
	// size to it. ENOSPC must show here, not at a later write.
	Allocate(size int64) error
	// Size returns the size in octets.
	Size() (int64, error)
}
