package conformance

// assembly joins the frames of each channel into events.
type assembly struct {
	codec *codec
	open  map[uint16]*event // methods whose content is not complete
	left  map[uint16]uint64 // body octets still to come, once the header is there
}

func newAssembly(c *codec) *assembly {
	return &assembly{codec: c, open: map[uint16]*event{}, left: map[uint16]uint64{}}
}

// add takes one frame. complete tells whether e is now a whole event.
func (a *assembly) add(f frame) (e event, complete bool, err error) {
	switch f.kind {
	case frameHeartbeat:
		if f.channel != 0 || len(f.payload) > 0 {
			return e, false, faultf("heartbeat on channel %d with %d octets", f.channel, len(f.payload))
		}
		return event{kind: eventHeartbeat}, true, nil
	case frameMethod:
		return a.method(f)
	case frameHeader:
		return a.header(f)
	case frameBody:
		return a.body(f)
	}
	return e, false, faultf("frame of unknown type %d", f.kind)
}

func (a *assembly) method(f frame) (e event, complete bool, err error) {
	if waiting := a.open[f.channel]; waiting != nil {
		return e, false, faultf("method frame inside the content of %s", waiting.method.name)
	}
	m, args, err := a.codec.decodeMethod(f.payload)
	if err != nil {
		return e, false, err
	}
	e = event{ch: f.channel, method: m, args: args}
	if m.content {
		a.open[f.channel] = &e
	}
	return e, !m.content, nil
}

func (a *assembly) header(f frame) (e event, complete bool, err error) {
	waiting := a.open[f.channel]
	if _, begun := a.left[f.channel]; waiting == nil || begun {
		return e, false, faultf("content header out of place on channel %d", f.channel)
	}
	size, props, err := a.codec.decodeHeader(f.payload)
	if err != nil {
		return e, false, err
	}
	waiting.props = props
	a.left[f.channel] = size
	return a.settle(f.channel)
}

func (a *assembly) body(f frame) (e event, complete bool, err error) {
	left, begun := a.left[f.channel]
	n := uint64(len(f.payload))
	if !begun || n == 0 || n > left {
		return e, false, faultf("body frame of %d octets on channel %d, %d wanted", n, f.channel, left)
	}
	waiting := a.open[f.channel]
	waiting.body = append(waiting.body, f.payload...)
	a.left[f.channel] = left - n
	return a.settle(f.channel)
}

// settle hands the event of a channel out when its body is complete.
func (a *assembly) settle(ch uint16) (e event, complete bool, err error) {
	if a.left[ch] > 0 {
		return e, false, nil
	}
	e = *a.open[ch]
	delete(a.open, ch)
	delete(a.left, ch)
	return e, true, nil
}
