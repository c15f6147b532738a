package persistence

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	writeAt = 1 << 20 // unwritten octets at which the committer writes unasked
	// A publisher waits while backlogMax octets are not synced; at half of that
	// the committer syncs unasked.
	backlogMax = 8 << 20

	defaultSegment = 64 << 20
	defaultCache   = 16 << 20
	defaultSettle  = 200 * time.Millisecond
)

// Options tell Open what to do. FS and Owner must be set.
type Options struct {
	FS    FS
	Owner Owner
	// Locked says that the caller holds the lock of the data directory (LockDir)
	// and keeps it for as long as the log is open.
	Locked bool
	// SegmentSize is the size of a full segment, 64 MiB by default. The first
	// ones are smaller: 1 MiB, then doubling. At most 1 GiB.
	SegmentSize int64
	// CacheBytes is how much of the newest part of the log stays in memory for
	// Cached after it was written; default 16 MiB.
	CacheBytes int64
	// SettleSync bounds the time until an append that nobody waits for is
	// synced; default 200 ms.
	SettleSync time.Duration
	// Incarnation is the number of this run of the broker, larger than those of
	// the runs before. Volatile records of another one are dead.
	Incarnation uint64
	// Salvage makes Open skip damaged parts of the log and report them, where it
	// would refuse otherwise.
	Salvage bool
	// OnError is called once, on a goroutine of the log, when a write or sync
	// has failed. From then on nothing is confirmed any more. It must not call
	// Close, which waits for it.
	OnError func(error)
	// OnFull tells that no further segment can be had (true), and that one can
	// be again (false). It is called on a goroutine of the log and must not wait.
	OnFull func(full bool)
	Logger *slog.Logger
}

func (o *Options) setDefaults() error {
	if o.FS == nil || o.Owner == nil {
		return errors.New("persistence: Options.FS and Options.Owner must be set")
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = defaultSegment
	}
	if o.SegmentSize < 16<<10 || o.SegmentSize > 1<<30 {
		return errors.New("persistence: SegmentSize must be 16 KiB to 1 GiB")
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCache
	}
	if o.SettleSync == 0 {
		o.SettleSync = defaultSettle
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	if o.OnFull == nil {
		o.OnFull = func(bool) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Owner is what the log asks of its user. A group is a queue; an index is a
// message's number in it. Open makes all calls but Relocate and Audit's, on its
// own goroutine and in log order; slices are views that end with the call.
type Owner interface {
	// Stored hands over one ref of a record. It may come twice for a pair, with
	// a newer position: the record was copied forward, the newer position
	// replaces the older one. false: the group is unknown. Such records are
	// kept and counted, never delivered and never deleted, unless a tombstone
	// of the group follows.
	Stored(pos uint64, size uint32, flags uint8, group, index uint64, attr []byte) bool
	// Settled says that the indexes from..to of the group are gone.
	Settled(group, from, to uint64)
	// Fact hands over every other fact; KindCut has a only.
	Fact(kind uint8, group, a, b uint64)
	// Live calls visit for every ref that is alive, once: after recovery, and
	// for Audit.
	Live(visit func(pos uint64, size uint32))
	// Relocate decides about the record at pos, in the oldest segment, on the
	// cleaner's goroutine; refs are its group, index pairs. The owner locks the
	// groups in ascending order, picks the pairs that live at pos (after a crash
	// there may be a newer copy), calls move once with them if there are any,
	// takes its result for their position, and unlocks. move
	// only copies in memory; it may answer with the position the record has
	// already. Facts that must not be lost with the segment (return counts)
	// are appended again by the owner before it unlocks.
	Relocate(pos uint64, refs []uint64, move func(live []uint64) (pos uint64))
}

// Log is the message store of a node: a circular log in segments, of which
// only the oldest is ever reclaimed. All methods may be called concurrently.
type Log struct {
	o       Options
	lock    io.Closer
	clean   bool
	files   files
	tail    tail
	orphans orphans
	space   gate
	pool    sync.Pool
	durable atomic.Uint64 // end of what is synced
	backlog atomic.Int64  // octets appended and not synced
	count   counters
	work    workers
	closing sync.Once
	begun   atomic.Bool // Begin was called

	mu sync.Mutex // guards what follows
	state
}

// state is what appends, the committer and the cleaner share under Log.mu.
type state struct {
	segs      table
	next      *segment // planned or prepared successor of the active one
	end       uint64   // where the next record goes
	start     uint64   // where the open batch begins
	footRoom  int64    // bound of what the active segment's footer takes
	unwritten int64    // octets the committer has not taken yet
	released  int64    // live octets given back since the cleaner was woken
	batches   []batch  // closed, not taken by the committer yet
	waiters   []waiter
	wanted    uint64 // somebody waits for this position to be durable
	firm      uint64 // end of the last append that must be synced within SettleSync
	armed     bool   // the settle timer runs
	kicked    bool   // the committer was woken and has not looked yet
	dead      bool   // nothing is written any more
	failure   error  // why, once dead
}

// counters of Stats that are not guarded by Log.mu.
type counters struct {
	syncs, written, relocated, salvaged atomic.Int64
}

// workers are the log's goroutines: one committer, one cleaner.
type workers struct {
	wg          sync.WaitGroup
	kick, clean chan struct{} // one token each
	stop        chan struct{} // closed by Close
	settle      *time.Timer
	committer   *committer
}

// Stats is a snapshot of a log.
type Stats struct {
	Segments  int   // files in the log
	Bytes     int64 // size of all files, spares included
	Live      int64 // estimate of the octets of records still needed
	Backlog   int64 // octets appended and not yet synced
	Orphans   int   // records of unknown groups, kept
	Syncs     int64 // fdatasync calls since Open
	Written   int64 // octets written since Open
	Relocated int64 // records copied forward since Open
	Salvaged  int64 // damaged places skipped by Options.Salvage
	Full      bool  // no further segment can be had
}

// Stats returns the present figures. It walks over the segments.
func (l *Log) Stats() Stats {
	spare := l.files.spareBytes()
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.segs.sizes()
	if l.next != nil {
		n.files += l.next.size
	}
	return Stats{
		Segments: len(l.segs.all), Bytes: n.files + spare, Live: n.live,
		Backlog: l.backlog.Load(), Orphans: l.orphans.count(),
		Syncs: l.count.syncs.Load(), Written: l.count.written.Load(),
		Relocated: l.count.relocated.Load(), Salvaged: l.count.salvaged.Load(),
		Full: l.space.isFull(),
	}
}

// Clean tells whether the run before this one was ended by Close.
func (l *Log) Clean() bool { return l.clean }

// Durable returns the position below which everything is synced.
func (l *Log) Durable() uint64 { return l.durable.Load() }

// Full tells whether publishers wait because no further segment can be had.
func (l *Log) Full() bool { return l.space.isFull() }

// Err returns the write or sync error that the log has died of, if any.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// Cached appends the payload of the record at pos to dst if it is in memory.
func (l *Log) Cached(pos uint64, size uint32, dst []byte) ([]byte, bool) {
	return l.tail.payload(pos, size, dst)
}

// failLocked ends the life of the log with its first error.
func (l *Log) failLocked(err error) {
	if l.dead {
		return
	}
	l.dead, l.failure = true, err
	l.waiters = nil
	l.space.end(err)
	l.o.Logger.LogAttrs(context.Background(), slog.LevelError, "log has failed; nothing is confirmed any more", slog.Any("err", err))
	l.kickLocked() // the committer calls OnError
}
