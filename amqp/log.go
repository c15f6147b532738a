package amqp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// What is logged of connections is in RabbitMQ 3.10's words, for people search
// their logs for them. The logger of a connection carries domain, RabbitMQ's
// category of the line, and pid, which stands for its Erlang process.

// shown makes a name that a client chose fit for a log: it cannot begin a line.
func shown(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, name)
}

// label names the connection: <0.9.0> (127.0.0.1:1 -> 127.0.0.1:2 - name, more).
func (p *peer) label(more ...string) string {
	s := p.pid + " (" + p.name
	if p.given != "" {
		s += " - " + shown(p.given)
	}
	for _, m := range more {
		s += ", " + m
	}
	return s + ")"
}

// login is who is logged in where, as far as it is known.
func (p *peer) login() (known []string) {
	if p.vhost != "" {
		known = append(known, "vhost: '"+shown(p.vhost)+"'")
	}
	if p.user != "" {
		known = append(known, "user: '"+shown(p.user)+"'")
	}
	return known
}

func (c *conn) logAccepted(level slog.Level) {
	c.log.Log(context.Background(), level, "accepting AMQP connection "+c.peer.label())
}

func (c *conn) logNamed() {
	if given := c.peer.given; given != "" {
		c.log.Info(fmt.Sprintf("connection %s (%s) has a client-provided name: %s", c.peer.pid, c.peer.name, shown(given)))
	}
}

func (c *conn) logOpened() {
	c.log.Info(fmt.Sprintf("connection %s: user '%s' authenticated and granted access to vhost '%s'",
		c.peer.label(), shown(c.peer.user), shown(c.peer.vhost)))
}

// logRefused tells of a login that failed; user is who it claimed to be.
func (c *conn) logRefused(user string, why error) {
	text := why.Error()
	switch {
	case errors.Is(why, broker.ErrLoopback):
		text = fmt.Sprintf("user '%s' can only connect via localhost", shown(user))
	case user != "":
		text = fmt.Sprintf("user '%s' - %v", shown(user), why)
	}
	c.log.Error(fmt.Sprintf("Error on AMQP connection %s:\n%s login refused: %s", c.peer.label("state: starting"), c.peer.mechanism, text))
}

// logChannelError tells why a channel is closed.
func (c *conn) logChannelError(ch *channel, operation string, e *wire.Error) {
	c.log.With("domain", "channel").Error(fmt.Sprintf("Channel error on connection %s, channel %d:\noperation %s caused a channel exception %s: %s",
		c.peer.label(c.peer.login()...), ch.id, operation, strings.ToLower(e.Code.Name()), e.Text), cause(e)...)
}

// logError tells why the connection is closed.
func (c *conn) logError(ch *channel, operation string, e *wire.Error) {
	if c.state != running {
		c.log.Error(fmt.Sprintf("Error on AMQP connection %s:\n%s", c.peer.label(append(c.peer.login(), "state: opening")...), e.Text), cause(e)...)
		return
	}
	var number uint16
	if ch != nil {
		number = ch.id
	}
	c.log.Error(fmt.Sprintf("Error on AMQP connection %s, channel %d:\n operation %s caused a connection exception %s: %q",
		c.peer.label(append(c.peer.login(), "state: running")...), number, operation, strings.ToLower(e.Code.Name()), e.Text), cause(e)...)
}

// cause is what clients are not told.
func cause(e *wire.Error) []any {
	if e.Cause == nil {
		return nil
	}
	return []any{"cause", e.Cause}
}

// logClosed tells of the connection's end.
func (c *conn) logClosed(err error) {
	label := c.peer.label(c.peer.login()...)
	if c.peer.user != "" && c.peer.vhost == "" {
		label = c.peer.label("vhost: 'none'", c.peer.login()[0])
	}
	level, why := slog.LevelInfo, ""
	switch {
	case errors.Is(err, errTLS):
		c.logInsecure(err)
		return
	case c.state >= closing || errors.Is(err, errEnded) || errors.Is(err, errRefused):
	case errors.Is(err, errUnheard):
		level, why = slog.LevelDebug, "connection_closed_with_no_data_received"
	case errors.Is(err, errSilent):
		level, label, why = slog.LevelError, c.peer.label(), fmt.Sprintf("missed heartbeats from client, timeout: %ds", 2*c.beat.half/time.Second)
	case c.state == handshaking && errors.Is(err, errTimeout):
		level, label, why = slog.LevelError, c.peer.label(), "{handshake_timeout,handshake}"
	case errors.Is(err, errDropped):
		level, label, why = slog.LevelError, c.peer.label(), strings.TrimPrefix(err.Error(), errDropped.Error()+": ")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		level, why = slog.LevelWarn, "client unexpectedly closed TCP connection"
	default:
		level, why = slog.LevelWarn, fmt.Sprint(err)
	}
	if why != "" {
		label += ":\n" + why
	}
	c.log.Log(context.Background(), level, "closing AMQP connection "+label)
}

// logInsecure tells of a TLS handshake that failed; who only looks whether the
// port is open is not worth a line.
func (c *conn) logInsecure(err error) {
	level := slog.LevelInfo + 2 // RabbitMQ: notice
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		level = slog.LevelDebug
	}
	c.log.Log(context.Background(), level, fmt.Sprintf("TLS server: %s: %v", c.peer.label(), err))
}
