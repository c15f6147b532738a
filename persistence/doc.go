// Package persistence keeps a node's data on disk: the Log holds messages, the
// Meta holds the few and small facts about vhosts, queues and the like. Both
// know nothing of what they keep.
//
// The nouns. A record is a payload with the (group, index) pairs it belongs to;
// a group is a queue, an index a message's number in it. A fact says that records
// are gone (settle, cut, tombstone) or have come back (return). An Append is a
// set of records and facts that is in the log as a whole or not at all. A batch
// is what the committer writes at once, closed by a COMMIT record. A segment is
// one file of the log; the log is circular: only the oldest segment is ever
// reclaimed, after what lives in it was appended again. The Owner is the user of
// a Log: it knows which records live.
//
// Who runs. Appends run on their callers' goroutines and only copy in memory
// under Log.mu. One committer writes, syncs, and tells who waited. One cleaner
// prepares files and reclaims segments. Both end with Close.
//
// Lock order: an owner's own locks, then Log.mu or the orphans' or the gate's,
// then tail.mu or files.mu. files.prep, which is held during I/O, comes before
// Log.mu. Nobody is called with any of them held, except Options.OnFull (which
// may not wait).
//
// Docs: docs/format.md has every octet on disk.
package persistence
