// Package queue is the heart of the broker: queues, their consumers, and the
// batches in which messages enter and leave.
//
// The nouns:
//
//   - State is the pure state machine of one queue. Apply(command, effects)
//     reads no clock, starts nothing, does no I/O and never sees a body.
//   - Queue drives one State under one mutex, on the goroutine of whoever
//     calls: it resolves bodies, hands deliveries to sinks and keeps the log
//     informed.
//   - Batch is the one way messages enter queues and are settled: it locks the
//     queues it touches in ascending id order, applies its operations in order,
//     makes one atomic append to the log, and unlocks.
//   - Consumer is one basic.consume, or one channel's basic.get (a getter).
//     Its deliveries carry gapless ids from 1; acks name ids.
//
// Ownership: everything below a Queue is guarded by its mutex. Under the mutex
// the package calls only Sink, Host, Log.Cached and Append, all of which copy
// and return. Bodies are read from the disk without the mutex, by PageIn,
// TakeOutside and nothing else.
package queue
