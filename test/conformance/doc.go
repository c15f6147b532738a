// Package conformance plays recorded AMQP 0-9-1 dialogues against a broker and
// compares every answer field by field.
//
// The dialogues in testdata were recorded from RabbitMQ 3.10.8; those in
// testdata/own were added later and verified against the same version. The
// package has a frame codec of its own, written from the specification and
// independent of package amqp/wire, so that a fault in one of them cannot hide
// itself: what the broker encodes wrongly is decoded by other code here.
//
// The way of one scenario: scenario.go loads it, play.go runs its steps, steps*.go
// say what each step does, conn.go turns sockets into events, match.go compares
// events with what the scenario wants.
package conformance
