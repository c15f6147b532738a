package broker

import "fmt"

// Kind says what is wrong with what an operator asked for.
type Kind uint8

// The kinds of *Error.
const (
	NotFound Kind = iota + 1
	Invalid       // the values given cannot be
	Refused       // the broker does not do that
	Exists        // what was to be new is there
)

// Error is what an operator's call gives; AMQP's errors are *wire.Error.
type Error struct {
	Kind Kind
	// Code is RabbitMQ's word where its management API answers with one, e.g.
	// no_such_user; Subject is what it is about: a name, a value.
	Code, Subject string
	// Text says it in RabbitMQ's sentence, for people.
	Text string
}

// Error is the text.
func (e *Error) Error() string { return e.Text }

func missing(code, subject, format string, args ...any) error {
	return &Error{NotFound, code, subject, fmt.Sprintf(format, args...)}
}

func missingVHost(name string) error {
	return missing("no_such_vhost", name, "Virtual host '%s' does not exist", name)
}

func missingUser(name string) error {
	return missing("no_such_user", name, "User \"%s\" does not exist", name)
}

// invalid is RabbitMQ's text for a definition that does not pass.
func invalid(format string, args ...any) error {
	return &Error{Kind: Invalid, Text: fmt.Sprintf(format, args...)}
}
