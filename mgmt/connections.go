package mgmt

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/leveretmq/leveret/broker"
)

// connectionRow is a connection as it is listed.
type connectionRow struct {
	broker.ConnectionView
	look *look
}

var connectionColumns = []column[*connectionRow]{ // read-only
	{"name", func(c *connectionRow) any { return c.Name }},
	{"user_provided_name", func(c *connectionRow) any { return c.given() }},
	{"user", func(c *connectionRow) any { return c.User }},
	{"user_who_performed_action", func(c *connectionRow) any { return c.User }},
	{"vhost", func(c *connectionRow) any { return c.VHost }},
	{"node", func(c *connectionRow) any { return c.look.c.srv.node() }},
	{"state", func(c *connectionRow) any { return c.State }},
	{"type", func(*connectionRow) any { return "network" }},
	{"protocol", func(*connectionRow) any { return "AMQP 0-9-1" }},
	{"auth_mechanism", func(c *connectionRow) any { return c.Mechanism }},
	{"peer_host", func(c *connectionRow) any { host, _ := peerOf(c.Peer); return host }},
	{"peer_port", func(c *connectionRow) any { _, port := peerOf(c.Peer); return port }},
	{"host", func(c *connectionRow) any { host, _ := peerOf(c.Local); return host }},
	{"port", func(c *connectionRow) any { _, port := peerOf(c.Local); return port }},
	{"connected_at", func(c *connectionRow) any { return c.Since.UnixMilli() }},
	{"channels", func(c *connectionRow) any { return c.Channels }},
	{"channel_max", func(c *connectionRow) any { return int(c.ChannelMax) }},
	{"frame_max", func(c *connectionRow) any { return int64(c.FrameMax) }},
	{"timeout", func(c *connectionRow) any { return int(c.Heartbeat / time.Second) }},
	{"client_properties", func(c *connectionRow) any { return c.Properties }},
	{"recv_oct", func(c *connectionRow) any { return c.Wire.Received }},
	{"recv_oct_details", func(c *connectionRow) any { return c.octets(ofReceived) }},
	{"recv_cnt", func(c *connectionRow) any { return c.Wire.Reads }},
	{"send_oct", func(c *connectionRow) any { return c.Wire.Sent }},
	{"send_oct_details", func(c *connectionRow) any { return c.octets(ofSent) }},
	{"send_cnt", func(c *connectionRow) any { return c.Wire.Writes }},
	{"send_pend", func(c *connectionRow) any { return c.Wire.Pending }},
	{"ssl", func(c *connectionRow) any { return c.TLS != nil }},
	{"ssl_protocol", func(c *connectionRow) any { return c.secured(sslProtocol) }},
	{"ssl_key_exchange", func(c *connectionRow) any { return c.secured(func(*tls.ConnectionState) any { return "any" }) }},
	{"ssl_cipher", func(c *connectionRow) any { return c.secured(sslCipher) }},
	{"ssl_hash", func(c *connectionRow) any { return c.secured(sslHash) }},
	{"peer_cert_subject", func(c *connectionRow) any { return c.secured(certSubject) }},
	{"peer_cert_issuer", func(c *connectionRow) any { return c.secured(certIssuer) }},
	{"peer_cert_validity", func(c *connectionRow) any { return c.secured(certValidity) }},
	{"garbage_collection", func(*connectionRow) any { return noGarbage }},
	{"reductions", func(*connectionRow) any { return 0 }},
	{"reductions_details", func(c *connectionRow) any { return c.octets() }},
}

// given is the name that the client chose.
func (c *connectionRow) given() any {
	if name, ok := c.Properties.Get("connection_name"); ok {
		return name
	}
	return absent{}
}

func (c *connectionRow) octets(of ...int) object {
	p := c.look.c.srv.samples.past(series{aConnection, 0, c.Name}, connectionVector(&c.ConnectionView), c.look.ages)
	return p.details(c.look.ages.data, of...)
}

// secured is null without TLS.
func (c *connectionRow) secured(of func(*tls.ConnectionState) any) any {
	if c.TLS == nil {
		return nil
	}
	return of(c.TLS)
}

// sslProtocol is Erlang's word: tlsv1.3.
func sslProtocol(s *tls.ConnectionState) any {
	return strings.Replace(strings.ToLower(tls.VersionName(s.Version)), "tls ", "tlsv", 1)
}

// sslCipher and sslHash are parts of names like TLS_AES_128_GCM_SHA256.
func sslCipher(s *tls.ConnectionState) any {
	name, _ := cipherAndHash(s)
	return name
}

func sslHash(s *tls.ConnectionState) any {
	_, hash := cipherAndHash(s)
	return hash
}

func cipherAndHash(s *tls.ConnectionState) (cipher, hash string) {
	name := strings.ToLower(strings.TrimPrefix(tls.CipherSuiteName(s.CipherSuite), "TLS_"))
	if _, after, ok := strings.Cut(name, "_with_"); ok {
		name = after
	}
	i := strings.LastIndexByte(name, '_')
	return name[:max(i, 0)], name[i+1:]
}

func certSubject(s *tls.ConnectionState) any {
	if len(s.PeerCertificates) == 0 {
		return nil
	}
	return s.PeerCertificates[0].Subject.String()
}

func certIssuer(s *tls.ConnectionState) any {
	if len(s.PeerCertificates) == 0 {
		return nil
	}
	return s.PeerCertificates[0].Issuer.String()
}

func certValidity(s *tls.ConnectionState) any {
	if len(s.PeerCertificates) == 0 {
		return nil
	}
	c := s.PeerCertificates[0]
	return fmt.Sprintf("%s - %s", c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339))
}

// connectionRows are the connections that the path and the user's rights leave.
func (c *call) connectionRows() []*connectionRow {
	l := c.look()
	vhost, byVHost := c.vars["vhost"]
	user, byUser := c.vars["user"]
	var all []*connectionRow
	for _, v := range c.srv.opt.AMQP.Connections() {
		if c.seesUser(v.User) && (!byVHost || v.VHost == vhost) && (!byUser || v.User == user) {
			all = append(all, &connectionRow{v, l})
		}
	}
	return all
}

func (c *call) connections() error {
	if _, ofOne := c.vars["vhost"]; ofOne {
		if err := c.inside(); err != nil {
			return err
		}
	}
	return rows(c, connectionColumns, c.connectionRows())
}

// connection finds the one of the path. RabbitMQ: one of another user is
// refused, not hidden.
func (c *call) connection() (*connectionRow, error) {
	for _, v := range c.srv.opt.AMQP.Connections() {
		if v.Name != c.vars["connection"] {
			continue
		}
		if !c.seesUser(v.User) {
			return nil, refused("User not authorised to access object")
		}
		return &connectionRow{v, c.look()}, nil
	}
	return nil, missing()
}

func (c *call) oneConnection() error {
	v, err := c.connection()
	if err != nil {
		return err
	}
	return row(c, connectionColumns, v)
}

// closeConnection closes one: administrators may close all, others their own.
func (c *call) closeConnection() error {
	v, err := c.connection()
	if err != nil {
		return err
	}
	if !c.isAdmin() && v.User != c.user.Name() {
		return refused("User not authorised to access object")
	}
	c.srv.opt.AMQP.CloseConnection(v.Name, c.reason())
	return c.done()
}

// reason is what the client is told.
func (c *call) reason() string {
	if r := c.r.Header.Get("X-Reason"); r != "" {
		return r
	}
	return "Closed via management plugin"
}

func (c *call) userConnections() error {
	if !c.seesUser(c.vars["user"]) {
		return refused("User not authorised to access object")
	}
	return c.connections()
}

func (c *call) closeUserConnections() error {
	if !c.isAdmin() && c.vars["user"] != c.user.Name() {
		return refused("User not authorised to access object")
	}
	for _, v := range c.connectionRows() {
		c.srv.opt.AMQP.CloseConnection(v.Name, c.reason())
	}
	return c.done()
}

func (c *call) connectionChannels() error {
	v, err := c.connection()
	if err != nil {
		return err
	}
	return rows(c, channelColumns, slices.DeleteFunc(c.channelRows(), func(ch *channelRow) bool { return ch.Connection.Name != v.Name }))
}
