package amqp

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// defaultMechanisms in RabbitMQ's order.
var defaultMechanisms = []string{"AMQPLAIN", "PLAIN"} // read-only

// mechanisms are those that the client may choose from: EXTERNAL speaks of a
// certificate, so there has to be TLS.
func (c *conn) mechanisms() (offered []string) {
	_, secure := c.nc.(*tls.Conn)
	for _, m := range c.srv.opt.Mechanisms {
		if secure || m != "EXTERNAL" {
			offered = append(offered, m)
		}
	}
	return offered
}

// errNoCertificate is EXTERNAL without a certificate.
var errNoCertificate = errors.New("connection peer presented no TLS (x.509) certificate")

// authenticate logs a user in by start-ok's response. A *wire.Error is about
// the protocol; other errors say why the login is refused. name is who the
// client claimed to be, as far as it did.
func (c *conn) authenticate(mechanism, response string) (user *broker.User, name string, err error) {
	if !slices.Contains(c.mechanisms(), mechanism) {
		return nil, "", wire.Errorf(wire.CommandInvalid, "unknown authentication mechanism '%s'", mechanism)
	}
	b := c.srv.opt.Broker
	if mechanism == "EXTERNAL" {
		cert := c.certificate()
		if cert == nil {
			return nil, "", errNoCertificate
		}
		if name, err = c.srv.opt.CertificateName.of(cert); err == nil {
			user, err = b.Trust(name, c.peer.loopback)
		}
		return user, name, err
	}
	name, password, err := credentials(mechanism, response)
	if err == nil {
		user, err = b.Authenticate(name, password, c.peer.loopback)
	}
	return user, name, err
}

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
