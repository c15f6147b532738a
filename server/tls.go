package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
)

// TLS is the certificate that listeners with TLS show, and what they ask of
// clients. The files are PEM and are read again by Reload.
type TLS struct {
	CertFile, KeyFile string
	CAFile            string // whose certificates of clients are good; empty: the system's
	Password          string // of an encrypted key
	// VerifyPeer asks clients for a certificate and refuses a bad one;
	// RequirePeer refuses clients without one, too.
	VerifyPeer, RequirePeer bool
	// Depth is how many intermediate certificates a client's may have.
	Depth int
	// MinVersion, MaxVersion and Ciphers are as crypto/tls has them; zero is its
	// choice.
	MinVersion, MaxVersion uint16
	Ciphers                []uint16
}

// config reads the files.
func (o TLS) config() (*tls.Config, error) {
	cert, err := o.certificate()
	if err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: o.MinVersion, MaxVersion: o.MaxVersion, CipherSuites: o.Ciphers}
	if !o.VerifyPeer {
		return c, nil
	}
	if o.CAFile != "" {
		if c.ClientCAs, err = pool(o.CAFile); err != nil {
			return nil, fmt.Errorf("TLS authorities: %w", err)
		}
	}
	c.ClientAuth, c.VerifyConnection = tls.VerifyClientCertIfGiven, o.checkDepth
	if o.RequirePeer {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}

func (o TLS) certificate() (tls.Certificate, error) {
	cert, err := os.ReadFile(o.CertFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := os.ReadFile(o.KeyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	if key, err = decrypted(key, o.Password); err != nil {
		return tls.Certificate{}, fmt.Errorf("%s: %w", o.KeyFile, err)
	}
	return tls.X509KeyPair(cert, key)
}

func pool(name string) (*x509.CertPool, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: holds no certificate", name)
	}
	return p, nil
}

// checkDepth refuses a client all of whose ways to an authority are too long.
func (o TLS) checkDepth(s tls.ConnectionState) error {
	for _, chain := range s.VerifiedChains {
		if len(chain)-2 <= o.Depth {
			return nil
		}
	}
	if len(s.VerifiedChains) == 0 {
		return nil // no certificate, which was allowed
	}
	return fmt.Errorf("the client's certificate has more than %d intermediate ones", o.Depth)
}

// identity is the node's TLS as it is now; connections keep that of their
// start.
type identity struct {
	opt TLS
	now atomic.Pointer[tls.Config]
}

func (i *identity) load() error {
	c, err := i.opt.config()
	if err == nil {
		i.now.Store(c)
	}
	return err
}

// config is for a listener: each handshake takes what is there.
func (i *identity) config() *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if c := i.now.Load(); c != nil {
			return c, nil
		}
		return nil, errors.New("no certificate")
	}}
}

// Reload reads the certificates and the definitions again. New connections get
// the new certificate; those that are open stay as they are. What has an error
// stays as it was.
func (s *Server) Reload(ctx context.Context) error {
	err := s.importDefinitions(ctx)
	if s.identity.now.Load() != nil {
		err = errors.Join(s.identity.load(), err)
	}
	return errors.Join(s.web.reload(), err)
}
