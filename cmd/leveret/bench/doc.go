// Package bench is the load tool `leveret bench`: producers and consumers in
// the manner of PerfTest against any AMQP 0-9-1 broker, made so lean that the
// broker is what is measured.
//
// A run is a plan (options.go, topology.go), producers and consumers (producer.go,
// consumer.go) on one connection each (conn.go), a meter that samples their
// counters (meter.go), and a report (result.go). Publishes are written from a
// prepared run of frames in which only stamps change (template.go); deliveries
// are parsed where they were read (scanner.go). Every body begins with a stamp
// (stamp.go) from which the verifier (verify.go) tells loss, duplicates and
// wrong order, and from which latency is taken.
//
// Ownership: a producer's or consumer's state belongs to its goroutines as its
// file says; what others read of it is an atomic counter stored once per socket
// operation, never per message.
package bench
