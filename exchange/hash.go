package exchange

import (
	"encoding/binary"

	"github.com/leveretmq/leveret/amqp/wire"
)

// Hashes here decide which queue a message goes to, in every run and on every
// node: they never change.

// hashStart and hashPrime are FNV-1a's, 64 bits.
const (
	hashStart = 0xcbf29ce484222325
	hashPrime = 0x100000001b3
)

// hashText goes on hashing with text.
func hashText(hash uint64, text []byte) uint64 {
	for _, c := range text {
		hash = (hash ^ uint64(c)) * hashPrime
	}
	return hash
}

// mix spreads every bit over all: the finalizer of splitmix64.
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// hashFlag is the flag of a property that may be hashed, 0 for any other
// value.
func hashFlag(property any) uint16 {
	switch property {
	case "correlation_id":
		return wire.FlagCorrelationID
	case "message_id":
		return wire.FlagMessageID
	case "timestamp":
		return wire.FlagTimestamp
	}
	return 0
}

// of hashes what by says. All messages without that header or property have
// one hash; headers of different types have different ones (RabbitMQ).
func (by *hashBy) of(m Message) uint64 {
	hash := uint64(hashStart)
	switch {
	case by.flag != 0:
		hash = hashText(hash, property(m.Props, by.flag))
	case by.header != "":
		// The headers before an octet that does not decode count.
		_ = wire.ScanTable(m.Headers, func(name []byte, typ byte, value []byte) bool {
			if string(name) != by.header {
				return true
			}
			hash = hashText((hash^uint64(typ))*hashPrime, value)
			return false
		})
	default:
		hash = hashText(hash, m.Key)
	}
	return mix(hash)
}

// property gives the octets of a short string or of the timestamp in a property
// list, nil when it is not there.
func property(props []byte, flag uint16) []byte {
	if len(props) < 2 {
		return nil
	}
	flags, rest := binary.BigEndian.Uint16(props), props[2:]
	for f := uint16(wire.FlagContentType); f != 0; f >>= 1 {
		if flags&f == 0 {
			continue
		}
		size := 1
		switch {
		case f == wire.FlagDeliveryMode || f == wire.FlagPriority:
		case f == wire.FlagTimestamp:
			size = 8
		case f == wire.FlagHeaders:
			if len(rest) < 4 {
				return nil
			}
			size = 4 + int(binary.BigEndian.Uint32(rest))
		case len(rest) > 0:
			size = 1 + int(rest[0])
		}
		if size > len(rest) {
			return nil
		}
		if f == flag {
			return rest[:size]
		}
		rest = rest[size:]
	}
	return nil
}
