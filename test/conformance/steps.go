package conformance

import (
	"encoding/hex"
	"fmt"
	"time"
)

type dialStep struct {
	label
	Conn string `json:"conn"`
}

func (s *dialStep) run(p *play) error {
	c, err := dial(p.codec, p.broker.address)
	if err != nil {
		return err
	}
	return p.keep(s.Conn, c)
}

type connectStep struct {
	label
	Conn             string         `json:"conn"`
	User             *string        `json:"user"`
	Pass             *string        `json:"pass"`
	VHost            *string        `json:"vhost"`
	ClientProperties map[string]any `json:"client-properties"`
	ChannelMax       *uint16        `json:"channel-max"`
	FrameMax         *uint32        `json:"frame-max"`
	Heartbeat        uint16         `json:"heartbeat"`
}

func (s *connectStep) run(p *play) error {
	l := login{properties: s.ClientProperties, tune: map[string]any{"heartbeat": s.Heartbeat}}
	for _, f := range []struct {
		to       *string
		from     *string
		fallback string
	}{{&l.user, s.User, "guest"}, {&l.pass, s.Pass, "guest"}, {&l.vhost, s.VHost, "/"}} {
		*f.to = f.fallback
		if f.from == nil {
			continue
		}
		var err error
		if *f.to, err = p.bound.fill(*f.from); err != nil {
			return err
		}
	}
	if s.ChannelMax != nil {
		l.tune["channel-max"] = *s.ChannelMax
	}
	if s.FrameMax != nil {
		l.tune["frame-max"] = *s.FrameMax
	}
	c, err := open(p.codec, p.broker.address, l)
	if err != nil {
		return err
	}
	return p.keep(s.Conn, c)
}

type sendStep struct {
	label
	Conn      string         `json:"conn"`
	Ch        uint16         `json:"ch"`
	Method    string         `json:"method"`
	Args      map[string]any `json:"args"`
	AppendHex string         `json:"append-hex"`
}

func (s *sendStep) run(p *play) error {
	c, err := p.conn(s.Conn)
	if err != nil {
		return err
	}
	args, err := p.bound.fillMap(s.Args)
	if err != nil {
		return err
	}
	extra, err := hex.DecodeString(s.AppendHex)
	if err != nil {
		return err
	}
	return c.send(s.Ch, s.Method, args, extra)
}

type publishStep struct {
	label
	Conn  string         `json:"conn"`
	Ch    uint16         `json:"ch"`
	Args  map[string]any `json:"args"`
	Props map[string]any `json:"props"`
	Body  string         `json:"body"`
}

func (s *publishStep) run(p *play) error {
	c, err := p.conn(s.Conn)
	if err != nil {
		return err
	}
	args, err := p.bound.fillMap(s.Args)
	if err != nil {
		return err
	}
	props, err := p.bound.fillMap(s.Props)
	if err != nil {
		return err
	}
	body, err := p.octets(s.Body)
	if err != nil {
		return err
	}
	return c.publish(s.Ch, args, props, body)
}

// octets fills and decodes the notation of a body.
func (p *play) octets(s string) ([]byte, error) {
	filled, err := p.bound.fill(s)
	if err != nil {
		return nil, err
	}
	out, err := octets(filled)
	return []byte(out), err
}

type headerStep struct {
	label
	Conn   string         `json:"conn"`
	Ch     uint16         `json:"ch"`
	Class  uint16         `json:"class"`
	Weight uint16         `json:"weight"`
	Size   uint64         `json:"size"`
	Props  map[string]any `json:"props"`
}

func (s *headerStep) run(p *play) error {
	props, err := p.bound.fillMap(s.Props)
	if err != nil {
		return err
	}
	payload, err := p.codec.header(s.Class, s.Weight, s.Size, props)
	if err != nil {
		return err
	}
	return p.frame(s.Conn, frame{kind: frameHeader, channel: s.Ch, payload: payload}, frameEnd)
}

func (p *play) frame(name string, f frame, end byte) error {
	c, err := p.conn(name)
	if err != nil {
		return err
	}
	return c.write(f.append(nil, end))
}

type bodyStep struct {
	label
	Conn string `json:"conn"`
	Ch   uint16 `json:"ch"`
	Body string `json:"body"`
}

func (s *bodyStep) run(p *play) error {
	body, err := p.octets(s.Body)
	if err != nil {
		return err
	}
	return p.frame(s.Conn, frame{kind: frameBody, channel: s.Ch, payload: body}, frameEnd)
}

type frameStep struct {
	label
	Conn string `json:"conn"`
	Ch   uint16 `json:"ch"`
	Type uint8  `json:"type"`
	Hex  string `json:"hex"`
	End  string `json:"end"`
}

func (s *frameStep) run(p *play) error {
	payload, err := hex.DecodeString(s.Hex)
	if err != nil {
		return err
	}
	end := byte(frameEnd)
	if s.End != "" {
		b, err := hex.DecodeString(s.End)
		if err != nil || len(b) != 1 {
			return fmt.Errorf("end %q is not one octet", s.End)
		}
		end = b[0]
	}
	return p.frame(s.Conn, frame{kind: s.Type, channel: s.Ch, payload: payload}, end)
}

type rawStep struct {
	label
	Conn string `json:"conn"`
	Hex  string `json:"hex"`
}

func (s *rawStep) run(p *play) error {
	c, err := p.conn(s.Conn)
	if err != nil {
		return err
	}
	b, err := hex.DecodeString(s.Hex)
	if err != nil {
		return err
	}
	return c.write(b)
}

type sleepStep struct {
	label
	MS int `json:"ms"`
}

func (s *sleepStep) run(*play) error {
	<-time.After(milliseconds(s.MS, 0))
	return nil
}

// milliseconds is n ms, or the fallback when a step names no time.
func milliseconds(n int, fallback time.Duration) time.Duration {
	if n == 0 {
		return fallback
	}
	return time.Duration(n) * time.Millisecond
}

type closeStep struct {
	label
	Conn string `json:"conn"`
}

func (s *closeStep) run(p *play) error {
	c, err := p.conn(s.Conn)
	if err != nil {
		return err
	}
	c.close()
	delete(p.conns, s.Conn)
	return nil
}
