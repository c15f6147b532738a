package queue

import "encoding/binary"

// attribute is what a queue wants to know of a stored message at a restart
// without reading its payload. Each part is written only when there is reason.
type attribute struct {
	deadline int64  // milliseconds since 1970; 0: none
	head     int    // octets of the payload that are not body; 0: not noted
	priority uint8  // as published; queues take what they know
	key      string // for deduplication
	came     int64  // with a key: when, in milliseconds since 1970
}

// Parts of an attribute by their first octet; what follows is little-endian.
const (
	attrDeadline = 1 // 8 octets
	attrHead     = 2 // 2 octets
	attrPriority = 3 // 1 octet
	attrKey      = 4 // 8 octets when it came, 1 octet length, the key
)

func (a *attribute) append(dst []byte) []byte {
	if a.deadline != 0 {
		dst = binary.LittleEndian.AppendUint64(append(dst, attrDeadline), uint64(a.deadline))
	}
	if a.head > 0 {
		dst = binary.LittleEndian.AppendUint16(append(dst, attrHead), uint16(min(a.head, headMax)))
	}
	if a.priority > 0 {
		dst = append(dst, attrPriority, a.priority)
	}
	if a.key != "" {
		dst = binary.LittleEndian.AppendUint64(append(dst, attrKey), uint64(a.came))
		dst = append(append(dst, byte(len(a.key))), a.key...)
	}
	return dst
}

// parseAttribute reads what append wrote. It stops at a part that it does not
// know: the parts after it are of a later version.
func parseAttribute(b []byte) attribute {
	var a attribute
	for {
		switch {
		case len(b) >= 9 && b[0] == attrDeadline:
			a.deadline = int64(binary.LittleEndian.Uint64(b[1:]))
			b = b[9:]
		case len(b) >= 3 && b[0] == attrHead:
			a.head = int(binary.LittleEndian.Uint16(b[1:]))
			b = b[3:]
		case len(b) >= 2 && b[0] == attrPriority:
			a.priority = b[1]
			b = b[2:]
		case len(b) >= 10 && b[0] == attrKey && len(b) >= 10+int(b[9]):
			a.came = int64(binary.LittleEndian.Uint64(b[1:]))
			a.key = string(b[10 : 10+int(b[9])])
			b = b[10+int(b[9]):]
		default:
			return a
		}
	}
}
