// Package wire reads and writes AMQP 0-9-1 octets: frames, methods, field
// tables, content headers and reply codes (spec: section 4). It is pure: no
// goroutine, clock or socket of its own.
//
// Publish, deliver and ack are written by hand and never allocate; all other
// methods are structs generated from the protocol's XML. Message properties
// travel as octets and are decoded only by who needs one.
package wire

//go:generate go run ./internal/gen -o methods_gen.go
