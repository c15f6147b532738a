package amqp

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
)

// CertificateName says which part of a client's certificate is the name of the
// user that EXTERNAL logs in.
type CertificateName struct {
	// From is distinguished_name (the default), common_name or
	// subject_alternative_name.
	From string
	// SANType is the kind of alternative name: dns (the default), ip, email or
	// uri; SANIndex counts within the kind, from 0.
	SANType  string
	SANIndex int
}

// of gives the name in a certificate.
func (n CertificateName) of(cert *x509.Certificate) (string, error) {
	switch n.From {
	case "common_name":
		if cert.Subject.CommonName == "" {
			return "", errors.New("no common name in the certificate")
		}
		return cert.Subject.CommonName, nil
	case "subject_alternative_name", "subject_alt_name":
		names := n.alternatives(cert)
		if n.SANIndex >= len(names) {
			return "", fmt.Errorf("no alternative name %d of that type in the certificate", n.SANIndex)
		}
		return names[n.SANIndex], nil
	}
	return distinguishedName(cert.RawSubject)
}

func (n CertificateName) alternatives(cert *x509.Certificate) (names []string) {
	switch n.SANType {
	case "ip":
		for _, ip := range cert.IPAddresses {
			names = append(names, ip.String())
		}
	case "email":
		return cert.EmailAddresses
	case "uri":
		for _, u := range cert.URIs {
			names = append(names, u.String())
		}
	default:
		return cert.DNSNames
	}
	return names
}

// distinguishedName writes a subject as RabbitMQ does (RFC 4514): the most
// specific part first, in the certificate's own order otherwise.
func distinguishedName(raw []byte) (string, error) {
	var subject pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &subject); err != nil || len(rest) > 0 {
		return "", errors.New("the certificate's subject does not decode")
	}
	var parts []string
	for n := len(subject) - 1; n >= 0; n-- {
		var pairs []string
		for _, pair := range subject[n] {
			pairs = append(pairs, attributeName(pair.Type)+"="+escapeName(fmt.Sprint(pair.Value)))
		}
		parts = append(parts, strings.Join(pairs, "+"))
	}
	return strings.Join(parts, ","), nil
}

// attributeName is the short name of a kind of attribute, its number when it
// has none.
func attributeName(id asn1.ObjectIdentifier) string {
	switch id.String() {
	case "2.5.4.3":
		return "CN"
	case "2.5.4.4":
		return "SN"
	case "2.5.4.5":
		return "SERIALNUMBER"
	case "2.5.4.6":
		return "C"
	case "2.5.4.7":
		return "L"
	case "2.5.4.8":
		return "ST"
	case "2.5.4.9":
		return "STREET"
	case "2.5.4.10":
		return "O"
	case "2.5.4.11":
		return "OU"
	case "2.5.4.12":
		return "TITLE"
	case "2.5.4.42":
		return "GIVENNAME"
	case "1.2.840.113549.1.9.1":
		return "EMAILADDRESS"
	case "0.9.2342.19200300.100.1.1":
		return "UID"
	case "0.9.2342.19200300.100.1.25":
		return "DC"
	}
	return id.String()
}

// escapeName puts a backslash before what has a meaning in a distinguished name.
func escapeName(value string) string {
	var s strings.Builder
	for n := 0; n < len(value); n++ {
		c := value[n]
		edge := n == 0 || n == len(value)-1
		switch {
		case strings.IndexByte(`,+"\<>;`, c) >= 0, c == ' ' && edge, c == '#' && n == 0:
			s.WriteByte('\\')
			s.WriteByte(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&s, `\%02X`, c)
		default:
			s.WriteByte(c)
		}
	}
	return s.String()
}
