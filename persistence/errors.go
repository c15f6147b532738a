package persistence

import (
	"errors"
	"fmt"
)

// Errors that callers branch on.
var (
	// ErrLocked: another process, or another Log of this one, holds the data directory.
	ErrLocked = errors.New("data directory is locked")
	// ErrMoved: the record is no longer at that position, because its segment
	// was reclaimed while the reader was on its way. Look the position up again.
	ErrMoved = errors.New("record has moved")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("log is closed")
	// ErrStopped: the stop channel given to Wait was closed.
	ErrStopped = errors.New("wait was stopped")
)

// CorruptionError says that bytes which the log had promised to keep are
// damaged or missing. Open returns it unless Options.Salvage is set; Read
// returns it for a single record.
type CorruptionError struct {
	File   string // name below the data directory
	Offset int64  // where in the file
	Reason string
}

// Error names file, offset and reason.
func (e *CorruptionError) Error() string {
	return fmt.Sprintf("corrupt log: %s at offset %d: %s", e.File, e.Offset, e.Reason)
}
