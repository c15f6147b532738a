package amqp

import (
	"encoding/binary"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
)

// mechanisms in RabbitMQ's order.
const mechanisms = "AMQPLAIN PLAIN"

// credentials takes user and password out of start-ok's response.
func credentials(mechanism, response string) (user, password string, err error) {
	switch mechanism {
	case "PLAIN":
		return plain(response)
	case "AMQPLAIN":
		return amqplain(response)
	}
	return "", "", wire.Errorf(wire.CommandInvalid, "unknown authentication mechanism '%s'", mechanism)
}

// plain is RFC 4616 without an authorization identity, as RabbitMQ has it.
func plain(response string) (user, password string, err error) {
	rest, ok := strings.CutPrefix(response, "\x00")
	if ok {
		user, password, ok = strings.Cut(rest, "\x00")
	}
	if !ok || strings.Contains(password, "\x00") {
		return "", "", wire.Errorf(wire.SyntaxError, "PLAIN response is malformed")
	}
	return user, password, nil
}

// amqplain is a field table without its length.
func amqplain(response string) (user, password string, err error) {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(response)), uint32(len(response)))
	t, _, err := wire.ParseTable(append(b, response...))
	if err != nil {
		return "", "", err
	}
	login, _ := t.Get("LOGIN")
	secret, _ := t.Get("PASSWORD")
	user, ok := login.(string)
	password, ok2 := secret.(string)
	if !ok || !ok2 {
		return "", "", wire.Errorf(wire.SyntaxError, "AMQPLAIN response lacks LOGIN or PASSWORD")
	}
	return user, password, nil
}
