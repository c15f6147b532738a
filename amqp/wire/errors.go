package wire

import (
	"errors"
	"fmt"
)

// Code is an AMQP reply code (spec: 1.2).
type Code uint16

// Error is what a client is told: it becomes channel.close or
// connection.close. Cause is for the log only.
type Error struct {
	Code  Code
	Text  string
	Cause error
	// Connection closes the connection although the code alone would close
	// only the channel, as RabbitMQ does for some 403 and 530 cases.
	Connection bool
}

// Errorf makes an Error whose text is formatted.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Error is the reply-text as sent: "NAME - text", or the name alone. RabbitMQ
// ends a text that a short string cannot hold with dots, at 255 octets.
func (e *Error) Error() string {
	if e.Text == "" {
		return e.Code.Name()
	}
	s := e.Code.Name() + " - " + e.Text
	if len(s) > 255 {
		s = s[:252] + "..."
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Octets that RabbitMQ's parser cannot survive; it drops the socket without a
// close method, and so do we.
var (
	// ErrUnknownMethod is a class or method number that is not in the protocol.
	ErrUnknownMethod = errors.New("unknown class or method")
	// ErrBadTable is a field table with an unknown type or a length that lies.
	ErrBadTable = errors.New("field table does not decode")
)
