package wire

import (
	"encoding/binary"
	"errors"
)

// Property flags, highest bit first (spec: 4.2.6.1).
const (
	FlagContentType     = 1 << 15
	FlagContentEncoding = 1 << 14
	FlagHeaders         = 1 << 13
	FlagDeliveryMode    = 1 << 12
	FlagPriority        = 1 << 11
	FlagCorrelationID   = 1 << 10
	FlagReplyTo         = 1 << 9
	FlagExpiration      = 1 << 8
	FlagMessageID       = 1 << 7
	FlagTimestamp       = 1 << 6
	FlagType            = 1 << 5
	FlagUserID          = 1 << 4
	FlagAppID           = 1 << 3
	FlagClusterID       = 1 << 2
)

// PropertyView is what the broker itself looks at, as views into the octets.
// Headers is the encoded table without its length, nil when absent.
type PropertyView struct {
	Flags                                      uint16
	DeliveryMode, Priority                     uint8
	CorrelationID, ReplyTo, Expiration, UserID []byte
	MessageID                                  []byte
	Headers                                    []byte
}

// errProperties is RabbitMQ's answer to properties that do not decode.
func errProperties() error {
	return &Error{Code: InternalError, Cause: errors.New("properties do not decode"), Connection: true}
}

// ScanProperties checks a property list, headers with all they nest included,
// and picks out what the broker looks at: consumers would choke on what is let
// through here. The error is *Error 541, as RabbitMQ's. The two lowest flags
// mean nothing and are ignored.
func ScanProperties(props []byte) (PropertyView, error) {
	d := decoder{b: props}
	v := PropertyView{Flags: d.short()}
	if v.Flags&^(FlagDeliveryMode|FlagPriority) == 0 { // the plain message
		if v.Flags&FlagDeliveryMode != 0 {
			v.DeliveryMode = d.octet()
		}
		if v.Flags&FlagPriority != 0 {
			v.Priority = d.octet()
		}
	} else {
		v.scan(&d)
	}
	if d.err != nil || len(d.b) > 0 {
		return v, errProperties()
	}
	return v, nil
}

func (v *PropertyView) scan(d *decoder) {
	v.skipStrings(d, FlagContentType, FlagContentEncoding)
	if v.Flags&FlagHeaders != 0 {
		v.Headers = d.longstrView()
		if !validFields(v.Headers, 0) {
			d.fail(ErrBadTable)
		}
	}
	if v.Flags&FlagDeliveryMode != 0 {
		v.DeliveryMode = d.octet()
	}
	if v.Flags&FlagPriority != 0 {
		v.Priority = d.octet()
	}
	v.CorrelationID = v.view(d, FlagCorrelationID)
	v.ReplyTo = v.view(d, FlagReplyTo)
	v.Expiration = v.view(d, FlagExpiration)
	v.MessageID = v.view(d, FlagMessageID)
	if v.Flags&FlagTimestamp != 0 {
		d.longlong()
	}
	v.skipStrings(d, FlagType, 0)
	v.UserID = v.view(d, FlagUserID)
	v.skipStrings(d, FlagAppID, FlagClusterID)
}

func (v *PropertyView) view(d *decoder, flag uint16) []byte {
	if v.Flags&flag == 0 {
		return nil
	}
	return d.shortstrView()
}

func (v *PropertyView) skipStrings(d *decoder, a, b uint16) {
	v.view(d, a)
	v.view(d, b)
}

// Properties are the basic class's properties, decoded. Flags says which are
// present.
type Properties struct {
	Flags                          uint16
	ContentType, ContentEncoding   string
	Headers                        Table
	DeliveryMode, Priority         uint8
	CorrelationID, ReplyTo         string
	Expiration, MessageID          string
	Timestamp                      Timestamp
	Type, UserID, AppID, ClusterID string
}

// Has says whether the property of that flag is present.
func (p *Properties) Has(flag uint16) bool { return p.Flags&flag != 0 }

// strings are the properties behind the priority, in wire order; the timestamp
// comes before the fifth.
func (p *Properties) strings() [8]struct {
	flag  uint16
	value *string
} {
	return [8]struct {
		flag  uint16
		value *string
	}{{FlagCorrelationID, &p.CorrelationID}, {FlagReplyTo, &p.ReplyTo}, {FlagExpiration, &p.Expiration}, {FlagMessageID, &p.MessageID},
		{FlagType, &p.Type}, {FlagUserID, &p.UserID}, {FlagAppID, &p.AppID}, {FlagClusterID, &p.ClusterID}}
}

// ParseProperties decodes property flags and list. Errors as ScanProperties.
func ParseProperties(props []byte) (Properties, error) {
	d := decoder{b: props}
	p := Properties{Flags: d.short()}
	for _, f := range []struct {
		flag uint16
		read func()
	}{
		{FlagContentType, func() { p.ContentType = string(d.shortstrView()) }},
		{FlagContentEncoding, func() { p.ContentEncoding = string(d.shortstrView()) }},
		{FlagHeaders, func() { p.Headers = d.table() }},
		{FlagDeliveryMode, func() { p.DeliveryMode = d.octet() }},
		{FlagPriority, func() { p.Priority = d.octet() }},
	} {
		if p.Has(f.flag) {
			f.read()
		}
	}
	for i, s := range p.strings() {
		if i == 4 && p.Has(FlagTimestamp) {
			p.Timestamp = d.timestamp()
		}
		if p.Has(s.flag) {
			*s.value = string(d.shortstrView())
		}
	}
	if d.err != nil || d.bad != nil || len(d.b) > 0 {
		return p, errProperties()
	}
	return p, nil
}

// Append adds property flags and list, as Header.Props holds them.
func (p *Properties) Append(dst []byte) []byte {
	dst = appendShort(dst, p.Flags&^3)
	if p.Has(FlagContentType) {
		dst = appendShortstr(dst, p.ContentType)
	}
	if p.Has(FlagContentEncoding) {
		dst = appendShortstr(dst, p.ContentEncoding)
	}
	if p.Has(FlagHeaders) {
		dst = AppendTable(dst, p.Headers)
	}
	if p.Has(FlagDeliveryMode) {
		dst = append(dst, p.DeliveryMode)
	}
	if p.Has(FlagPriority) {
		dst = append(dst, p.Priority)
	}
	for i, s := range p.strings() {
		if i == 4 && p.Has(FlagTimestamp) {
			dst = binary.BigEndian.AppendUint64(dst, uint64(p.Timestamp))
		}
		if p.Has(s.flag) {
			dst = appendShortstr(dst, *s.value)
		}
	}
	return dst
}
