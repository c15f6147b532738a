// Package exchange routes: which queues and exchanges a message goes to.
//
// A Router is one exchange's bindings as an immutable value. Bind and Unbind
// give a new one that shares nearly everything with the old, so a publisher
// routes by the value it has loaded, without a lock, while others bind. Nothing
// here knows queues; a Dest is an id. One file per exchange type; keys.go and
// set.go hold the two persistent structures that the types are made of.
//
// The rules are those of RabbitMQ 3.10 as it was recorded: testdata has the
// tables of topic patterns and of header matches.
package exchange
