package broker

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
)

// checkProperties checks what RabbitMQ checks of a message, and gives the
// milliseconds of its expiration, -1 without one.
func (s *Session) checkProperties(v *wire.PropertyView) (ttl int64, err error) {
	if v.Flags&wire.FlagUserID != 0 && string(v.UserID) != s.opt.User.Name() && !s.opt.User.Has("impersonator") {
		return 0, wire.Errorf(wire.PreconditionFailed, "user_id property set to '%s' but authenticated user was '%s'", v.UserID, s.opt.User.Name())
	}
	if v.Flags&wire.FlagDeliveryMode != 0 && v.DeliveryMode != 1 && v.DeliveryMode != 2 {
		return 0, wire.Errorf(wire.PreconditionFailed, "invalid message: {delivery_mode_unknown,%d}", v.DeliveryMode)
	}
	if v.Flags&wire.FlagExpiration == 0 {
		return -1, nil
	}
	return expiration(string(v.Expiration))
}

// maxTTL is RabbitMQ's ceiling of ten years, in milliseconds.
const maxTTL = 315360000000

func expiration(s string) (int64, error) {
	bad := func(why string) (int64, error) {
		return 0, wire.Errorf(wire.PreconditionFailed, "invalid expiration '%s': %s", s, why)
	}
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[0] == '-' || s[0] == '+')) {
		end++
	}
	digits := s[:end]
	if strings.Trim(digits, "+-") == "" {
		return bad("no_integer")
	}
	if end < len(s) {
		return bad(fmt.Sprintf("{leftover_string,%q}", s[end:]))
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case err != nil && s[0] != '-', n > maxTTL:
		return bad(fmt.Sprintf("{value_too_large,%s}", strings.TrimPrefix(digits, "+")))
	case n < 0 || err != nil:
		return bad(fmt.Sprintf("{value_negative,%s}", digits))
	}
	return n, nil
}

// ccKeys are the further routing keys of a message.
type ccKeys struct {
	keys []string
	bcc  bool // the BCC header has to go
}

// copies reads the CC and BCC headers (RabbitMQ: sender-selected distribution).
func copies(headers []byte) (cc ccKeys, err error) {
	if len(headers) == 0 {
		return cc, nil
	}
	scanErr := wire.ScanTable(headers, func(name []byte, typ byte, value []byte) bool {
		isBCC := string(name) == "BCC"
		if !isBCC && string(name) != "CC" {
			return true
		}
		cc.bcc = cc.bcc || isBCC
		err = cc.read(string(name), typ, value)
		return err == nil
	})
	if err == nil && scanErr != nil {
		err = &wire.Error{Code: wire.InternalError, Cause: scanErr, Connection: true}
	}
	return cc, err
}

func (cc *ccKeys) read(name string, typ byte, value []byte) error {
	t, err := wire.ParseFields(append([]byte{1, 'k', typ}, value...))
	if err != nil {
		return &wire.Error{Code: wire.InternalError, Cause: err, Connection: true}
	}
	list, ok := t[0].Value.(wire.Array)
	if !ok {
		return wire.Errorf(wire.PreconditionFailed, "invalid message: {unacceptable_type_in_header,%q,%s}", name, wire.TypeName(t[0].Value))
	}
	for _, v := range list {
		if key, ok := v.(string); ok {
			cc.keys = append(cc.keys, key)
		}
	}
	return nil
}

// strip gives the properties without BCC, which no receiver may see.
func (cc *ccKeys) strip(props []byte) []byte {
	if !cc.bcc {
		return props
	}
	return editProperties(props, func(p *wire.Properties) { p.Headers = without(p.Headers, "BCC") })
}

func without(t wire.Table, name string) wire.Table {
	out := wire.Table{}
	for _, f := range t {
		if f.Name != name {
			out = append(out, f)
		}
	}
	return out
}

// editProperties changes an encoded property list; one that does not decode
// stays as it is.
func editProperties(props []byte, edit func(*wire.Properties)) []byte {
	p, err := wire.ParseProperties(props)
	if err != nil {
		return props
	}
	edit(&p)
	return p.Append(nil)
}

// addressed puts the channel's own reply address in place of the pseudo one
// (RabbitMQ: direct reply-to).
func (p *Publisher) addressed(props []byte, v *wire.PropertyView) ([]byte, error) {
	if v.Flags&wire.FlagReplyTo == 0 || !bytes.Equal(v.ReplyTo, []byte(replyQueue)) {
		return props, nil
	}
	if p.replyTo == "" {
		return nil, wire.Errorf(wire.PreconditionFailed, "fast reply consumer does not exist")
	}
	return editProperties(props, func(x *wire.Properties) { x.ReplyTo = p.replyTo }), nil
}
