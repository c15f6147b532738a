package amqp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// errTLS is a TLS handshake that failed: there was no AMQP connection.
var errTLS = errors.New("TLS handshake failed")

// secure makes the TLS handshake of a connection that has TLS. It comes before
// anything else reads: a deadline, which interrupts the reader elsewhere, would
// spoil it.
func (c *conn) secure() error {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.srv.opt.TLSTimeout)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", errTLS, err)
	}
	return nil
}

// certificate is the client's, verified; nil without one.
func (c *conn) certificate() *x509.Certificate {
	t, ok := c.nc.(*tls.Conn)
	if !ok {
		return nil
	}
	certs := t.ConnectionState().PeerCertificates
	if len(certs) == 0 {
		return nil
	}
	return certs[0]
}
