package amqp

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// peer is what is known of a client.
type peer struct {
	name       string // "client -> server", as RabbitMQ names connections
	pid        string // <0.N.0>: stands in the log where RabbitMQ has a process
	given      string // connection_name of the client's properties
	loopback   bool
	user       string
	vhost      string
	mechanism  string
	properties wire.Table
	can        capabilities
}

// capabilities are those of the client that matter here.
type capabilities struct {
	cancelNotify, blocked, failureClose bool
}

func newPeer(nc net.Conn) peer {
	remote, local := nc.RemoteAddr(), nc.LocalAddr()
	p := peer{name: remote.String() + " -> " + local.String(), loopback: true}
	if a, ok := remote.(*net.TCPAddr); ok {
		p.loopback = a.IP.IsLoopback()
	}
	return p
}

// introduce keeps the client's properties.
func (p *peer) introduce(t wire.Table) {
	p.properties = t
	given, _ := t.Get("connection_name")
	p.given, _ = given.(string)
	v, _ := t.Get("capabilities")
	caps, _ := v.(wire.Table)
	has := func(name string) bool {
		v, _ := caps.Get(name)
		is, _ := v.(bool)
		return is
	}
	p.can = capabilities{has("consumer_cancel_notify"), has("connection.blocked"), has("authentication_failure_close")}
}

// protocolHeader opens a connection of AMQP 0-9-1 (spec: 4.2.2).
const protocolHeader = "AMQP\x00\x00\x09\x01"

// oldHeader is what 0-9-1 clients of the first years send; RabbitMQ takes it.
const oldHeader = "AMQP\x01\x01\x00\x09"

// serverCapabilities are announced in connection.start. Each has a test.
func serverCapabilities() wire.Table {
	var t wire.Table
	for _, name := range []string{
		"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked",
		"consumer_priorities", "authentication_failure_close", "per_consumer_qos", "direct_reply_to",
	} {
		t = append(t, wire.Field{Name: name, Value: true})
	}
	return t
}

// handshake takes the connection from the first octet to open-ok. On error
// there is nothing left to say to the client.
func (c *conn) handshake() error {
	c.patience(c.srv.opt.HandshakeTimeout)
	if err := c.header(); err != nil {
		return err
	}
	err := c.negotiate()
	var reply *wire.Error
	switch {
	case errors.As(err, &reply) && reply.Code == wire.AccessRefused:
		return c.refuse(reply)
	case reply == nil && !errors.Is(err, wire.ErrUnknownMethod) && !errors.Is(err, wire.ErrBadTable):
		return err
	}
	// RabbitMQ: whoever breaks the handshake is left waiting, so that guessing
	// is slow, and is told nothing.
	if over := c.drain(c.srv.opt.SilentClose); errors.Is(over, errEnded) {
		return over
	}
	return dropped(err)
}

// header reads the protocol header. RabbitMQ answers any other with its own.
func (c *conn) header() error {
	if _, err := c.r.Peek(1); err != nil {
		c.logAccepted(slog.LevelDebug) // a probe, most likely: not worth a line
		if !errors.Is(err, errTimeout) && !errors.Is(err, errEnded) {
			err = errUnheard
		}
		return err
	}
	c.logAccepted(slog.LevelInfo)
	b, err := c.r.Peek(len(protocolHeader))
	if err != nil {
		return err
	}
	if got := string(b); got != protocolHeader && got != oldHeader {
		s := c.out.lock()
		s.grown(append(s.b, protocolHeader...))
		c.out.unlock()
		_ = c.hangUp(time.Second) // it ends in one way or another
		return dropped(fmt.Errorf("{bad_header,<<%q>>}", got))
	}
	c.r.Skip(len(protocolHeader))
	return nil
}

// negotiate goes through start, tune and open.
func (c *conn) negotiate() error {
	user, err := c.start()
	if err != nil {
		return err
	}
	if err := c.tune(); err != nil {
		return err
	}
	open, err := expect[*wire.ConnectionOpen](c)
	if err != nil {
		return err
	}
	return c.enter(user, open)
}

// expect reads the one method that may come now.
func expect[M wire.Method](c *conn) (M, error) {
	for {
		var m M
		payload, err := c.handshakeFrame()
		if err != nil {
			return m, err
		}
		if payload == nil {
			continue
		}
		got, err := wire.ParseMethod(payload)
		if err != nil {
			return m, err
		}
		m, ok := got.(M)
		if !ok {
			return m, wire.Errorf(wire.ChannelError, "unexpected method %s", got.Name())
		}
		return m, nil
	}
}

// handshakeFrame reads a method frame of channel 0; nil for a heartbeat.
func (c *conn) handshakeFrame() ([]byte, error) {
	h, err := c.r.Head()
	if err != nil {
		return nil, err
	}
	payload, err := c.r.Payload()
	switch {
	case err != nil:
		return nil, err
	case h.Type == wire.FrameHeartbeat:
		return nil, nil
	case h.Type != wire.FrameMethod || h.Channel != 0:
		return nil, wire.Errorf(wire.UnexpectedFrame, "type %d on channel %d", h.Type, h.Channel)
	}
	return payload, nil
}

// start sends connection.start and logs the user in.
func (c *conn) start() (*broker.User, error) {
	props := append(wire.Table{{Name: "capabilities", Value: serverCapabilities()}}, c.srv.opt.Broker.ServerProperties()...)
	c.out.reply(0, &wire.ConnectionStart{
		VersionMajor: 0, VersionMinor: 9, ServerProperties: props, Mechanisms: strings.Join(c.mechanisms(), " "), Locales: "en_US",
	})
	ok, err := expect[*wire.ConnectionStartOk](c)
	if err != nil {
		return nil, err
	}
	c.peer.introduce(ok.ClientProperties)
	c.logNamed()
	c.peer.mechanism = ok.Mechanism
	user, name, err := c.authenticate(ok.Mechanism, ok.Response)
	var broken *wire.Error
	switch {
	case errors.As(err, &broken) || errors.Is(err, wire.ErrBadTable):
		return nil, err
	case err != nil:
		c.srv.churn.failedLogins.Add(1)
		c.logRefused(name, err)
		return nil, wire.Errorf(wire.AccessRefused,
			"Login was refused using authentication mechanism %s. For details see the broker logfile.", ok.Mechanism)
	}
	c.srv.churn.logins.Add(1)
	c.peer.user = name
	return user, nil
}

// refuse ends a login that failed: it is slow, so that guessing is, and a
// client with the capability is told.
func (c *conn) refuse(reply *wire.Error) error {
	if c.peer.can.failureClose {
		c.out.reply(0, &wire.ConnectionClose{ReplyCode: uint16(reply.Code), ReplyText: replyText(reply)})
		_ = c.hangUp(c.srv.opt.SilentClose) // it ends in one way or another
	} else {
		_ = c.drain(c.srv.opt.SilentClose) // the same
	}
	return errRefused
}

// tune agrees on limits: the client may lower ours, not raise them (RabbitMQ:
// nor ask for none), except for the heartbeat, which is the client's choice.
func (c *conn) tune() error {
	opt := &c.srv.opt
	c.out.reply(0, &wire.ConnectionTune{
		ChannelMax: opt.ChannelMax, FrameMax: opt.FrameMax, Heartbeat: uint16(opt.Heartbeat / time.Second),
	})
	ok, err := expect[*wire.ConnectionTuneOk](c)
	if err != nil {
		return err
	}
	if ok.FrameMax < wire.FrameMinSize || ok.FrameMax > opt.FrameMax {
		return wire.Errorf(wire.NotAllowed, "frame_max=%d is not between %d and %d", ok.FrameMax, wire.FrameMinSize, opt.FrameMax)
	}
	if ok.ChannelMax < 1 || ok.ChannelMax > opt.ChannelMax {
		return wire.Errorf(wire.NotAllowed, "channel_max=%d is not between 1 and %d", ok.ChannelMax, opt.ChannelMax)
	}
	c.r.SetFrameMax(ok.FrameMax)
	c.out.frameMax = ok.FrameMax
	c.channels.max = ok.ChannelMax
	c.beat.begin(ok.Heartbeat, time.Now())
	c.in.wake() // for the read deadline
	return nil
}

// enter opens the virtual host. Only from here on errors are answered.
func (c *conn) enter(user *broker.User, m *wire.ConnectionOpen) error {
	session, err := c.srv.opt.Broker.OpenSession(broker.SessionOptions{
		User: user, VHost: m.VirtualHost, Name: c.peer.name, Close: c.force,
	})
	if err != nil {
		class, method := m.ID()
		var reply *wire.Error
		if errors.As(err, &reply) {
			all := *reply
			all.Connection = true
			err = &all
		}
		c.fail(nil, class, method, err)
		return nil
	}
	c.session, c.peer.vhost = session, m.VirtualHost
	c.state, c.deadline = running, time.Time{}
	c.show()
	c.out.reply(0, &wire.ConnectionOpenOk{})
	c.in.wake() // for the read deadline
	c.logOpened()
	return nil
}

// updateSecret checks new credentials of the same user.
func (c *conn) updateSecret(m *wire.ConnectionUpdateSecret) error {
	if _, err := c.srv.opt.Broker.Authenticate(c.peer.user, m.NewSecret, c.peer.loopback); err != nil {
		refused := wire.Errorf(wire.NotAllowed, "New secret was refused by one of the backends")
		refused.Cause = err
		return refused
	}
	c.out.reply(0, &wire.ConnectionUpdateSecretOk{})
	return nil
}
