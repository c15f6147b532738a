package servertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates for tests of TLS. Its files are gone when the
// test ends.
type Authority struct {
	File string // its own certificate, PEM
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// chain goes behind each certificate: a's own and those above, but for the
	// one that signs itself, which clients know.
	chain []byte
}

// NewAuthority makes an authority that signs itself.
func NewAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	return (&Authority{t: t, dir: t.TempDir()}).Intermediate(name)
}

// Intermediate makes an authority that a signs.
func (a *Authority) Intermediate(name string) *Authority {
	a.t.Helper()
	c := x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	b := &Authority{t: a.t, dir: a.dir}
	b.File, _, b.cert, b.key = a.sign(name, c)
	if a.key != nil {
		b.chain = append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.cert.Raw}), a.chain...)
	}
	return b
}

// Issue signs a certificate and returns the names of its files, PEM. Subject,
// names and times are taken from c; without any it is good for localhost and
// for an hour. NAME of an earlier one replaces its files.
func (a *Authority) Issue(name string, c x509.Certificate) (certFile, keyFile string) {
	a.t.Helper()
	if c.Subject.CommonName == "" && c.RawSubject == nil {
		c.Subject.CommonName = name
	}
	if len(c.DNSNames)+len(c.IPAddresses) == 0 {
		c.DNSNames, c.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	c.KeyUsage = x509.KeyUsageDigitalSignature
	certFile, keyFile, _, _ = a.sign(name, c)
	return certFile, keyFile
}

// Pool holds the authority, for clients that trust it.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// sign makes a key and a certificate for it, signed by a, or by itself when a
// has no key.
func (a *Authority) sign(name string, c x509.Certificate) (certFile, keyFile string, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.check(err)
	c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	a.check(err)
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	}
	parent, signer := &c, key
	if a.key != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, parent, &key.PublicKey, signer)
	a.check(err)
	cert, err = x509.ParseCertificate(der)
	a.check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	a.check(err)
	certFile, keyFile = filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	a.check(os.WriteFile(certFile, append(text, a.chain...), 0o600))
	a.check(os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return certFile, keyFile, cert, key
}

func (a *Authority) check(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}
