package persistence

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// Kinds of facts. A fact is about records that stand before it in the log.
const (
	KindSettle    = 1 // records index x..y of the group are gone
	KindCut       = 2 // records up to index x are gone
	KindReturn    = 3 // record x came back to its queue for the y-th time
	KindTombstone = 4 // the group is gone with all its records
)

// FlagVolatile marks a record that is written only to free memory: nobody
// waits for it and a later run of the broker ignores it.
const FlagVolatile = 1

const (
	kindMaxFact = 7 // 5 to 7 are free
	kindStore   = 16
	kindCommit  = 17

	headFixed   = 10 // CRC, length, kind, flags
	storeFixed  = headFixed + 8
	commitSize  = headFixed + 44
	maxHeadSize = 1 << 28
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// head is a record's head, parsed. docs/format.md has the bytes.
type head struct {
	kind, flags uint8
	sum         uint32 // the record's own CRC; the payload's CRC is under it
	length      uint32 // octets of the head
	size        uint32 // octets of payload behind the head
	bodySum     uint32 // CRC of the payload
	term        uint64
	count       uint64 // number of refs
	group, a, b uint64 // a fact's numbers; of a store the first ref in group, a
	refs        []byte // count x (group, index) as varints
	attr        []byte
}

var (
	errShort  = errors.New("truncated record")
	errBadSum = errors.New("checksum of a record head does not match")
	errBad    = errors.New("malformed record head")
)

// frame looks at the fixed start of a record and returns the length of its head.
func frame(b []byte) (length uint32, kind uint8, err error) {
	if len(b) < headFixed {
		return 0, 0, errShort
	}
	length, kind = binary.LittleEndian.Uint32(b[4:]), b[8]
	if length < headFixed || length > maxHeadSize {
		return 0, 0, errBad
	}
	return length, kind, nil
}

// parseHead decodes the record head at the start of b and checks its CRC. The
// result's slices are views into b.
func parseHead(b []byte, h *head) error {
	length, kind, err := frame(b)
	if err != nil {
		return err
	}
	if uint64(len(b)) < uint64(length) {
		return errShort
	}
	b = b[:length]
	sum := binary.LittleEndian.Uint32(b)
	if checksum(b[4:]) != sum {
		return errBadSum
	}
	return h.decode(b, kind, sum)
}

// decode reads a head whose CRC is known to be right.
func (h *head) decode(b []byte, kind uint8, sum uint32) error {
	*h = head{kind: kind, flags: b[9], sum: sum, length: uint32(len(b))}
	switch {
	case kind == kindStore:
		return h.decodeStore(b)
	case kind == kindCommit:
		if len(b) != commitSize {
			return errBad
		}
		return nil
	case kind >= 1 && kind <= kindMaxFact:
		return h.decodeFact(b[headFixed:])
	}
	return errBad
}

func (h *head) decodeStore(b []byte) error {
	if len(b) < storeFixed {
		return errBad
	}
	h.size = binary.LittleEndian.Uint32(b[headFixed:])
	h.bodySum = binary.LittleEndian.Uint32(b[headFixed+4:])
	r := varints{b: b[storeFixed:]}
	attr := r.next()
	h.term = r.next()
	h.count = r.next()
	if r.bad || h.count > uint64(len(r.b))/2 || attr > uint64(len(r.b)) {
		return errBad
	}
	h.readRefs(&r)
	if r.bad || uint64(len(r.b)) != attr {
		return errBad
	}
	h.attr = r.b
	return nil
}

// readRefs reads h.count refs; the first one is kept apart as well.
func (h *head) readRefs(r *varints) {
	all := r.b
	h.group, h.a = 0, 0
	for i := range h.count {
		g, x := r.next(), r.next()
		if i == 0 {
			h.group, h.a = g, x
		}
	}
	h.refs = all[:len(all)-len(r.b)]
}

func (h *head) decodeFact(b []byte) error {
	r := varints{b: b}
	h.group, h.a, h.b = r.next(), r.next(), r.next()
	if r.bad || len(r.b) != 0 {
		return errBad
	}
	if h.kind == KindSettle {
		h.b += h.a
	}
	return nil
}

// varints reads unsigned varints one after another; bad stays true once one
// could not be read.
type varints struct {
	b   []byte
	bad bool
}

func (r *varints) next() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		v := r.b[0]
		r.b = r.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// record is what a store is made of.
type record struct {
	refs               []uint64 // group, index pairs
	flags              uint8
	term               uint64
	attr               []byte
	route, props, body []byte
}

// appendStore encodes a record: head, then route | u32 length | props | body.
func appendStore(dst []byte, r *record) (out []byte, headLen int) {
	at := len(dst)
	dst = appendStoreHead(dst, r)
	headLen = len(dst) - at
	dst = append(dst, r.route...)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(r.props)))
	dst = append(dst, r.props...)
	dst = append(dst, r.body...)
	sealHead(dst[at:], headLen, checksum(dst[at+headLen:]))
	return dst, headLen
}

// appendCopy encodes a record whose payload, with its checksum, is known already.
func appendCopy(dst []byte, r *record, payload []byte, bodySum uint32) (out []byte, headLen int) {
	at := len(dst)
	dst = appendStoreHead(dst, r)
	headLen = len(dst) - at
	dst = append(dst, payload...)
	sealHead(dst[at:], headLen, bodySum)
	return dst, headLen
}

func appendStoreHead(dst []byte, r *record) []byte {
	var fixed [storeFixed]byte
	fixed[8], fixed[9] = kindStore, r.flags
	dst = append(dst, fixed[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(r.attr)))
	dst = binary.AppendUvarint(dst, r.term)
	dst = binary.AppendUvarint(dst, uint64(len(r.refs)/2))
	for _, v := range r.refs {
		dst = binary.AppendUvarint(dst, v)
	}
	return append(dst, r.attr...)
}

// sealHead fills in the lengths and checksums of the store record b, whose
// head has headLen octets and whose payload follows it.
func sealHead(b []byte, headLen int, bodySum uint32) {
	binary.LittleEndian.PutUint32(b[4:], uint32(headLen))
	binary.LittleEndian.PutUint32(b[headFixed:], uint32(len(b)-headLen))
	binary.LittleEndian.PutUint32(b[headFixed+4:], bodySum)
	binary.LittleEndian.PutUint32(b, checksum(b[4:headLen]))
}

func appendFact(dst []byte, kind uint8, group, x, y uint64) []byte {
	at := len(dst)
	var fixed [headFixed]byte
	fixed[8] = kind
	dst = append(dst, fixed[:]...)
	if kind == KindSettle {
		y -= x
	}
	dst = binary.AppendUvarint(dst, group)
	dst = binary.AppendUvarint(dst, x)
	dst = binary.AppendUvarint(dst, y)
	b := dst[at:]
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	binary.LittleEndian.PutUint32(b, checksum(b[4:]))
	return dst
}

// commit closes a batch. A batch counts only as a whole, and only when its
// COMMIT names the segment and the salt it was written under: what an earlier
// life of a recycled file left behind never does.
type commit struct {
	count  uint32 // records in the batch
	start  uint32 // offset of its first record
	sums   uint32 // CRC over the record CRCs, in order
	salt   uint64
	number uint64 // of the segment
	synced uint64 // position up to which everything was synced when the batch was written
	prev   uint64 // position of the end of the batch before
}

func (c *commit) put(b []byte) {
	_ = b[:commitSize]
	le := binary.LittleEndian
	le.PutUint32(b[4:], commitSize)
	b[8], b[9] = kindCommit, 0
	b = b[:commitSize]
	f := b[headFixed:]
	le.PutUint64(f, c.salt)
	le.PutUint64(f[8:], c.number)
	le.PutUint64(f[16:], c.synced)
	le.PutUint64(f[24:], c.prev)
	le.PutUint32(f[32:], c.count)
	le.PutUint32(f[36:], c.start)
	le.PutUint32(f[40:], c.sums)
	le.PutUint32(b, checksum(b[4:]))
}

// parse reads a COMMIT record; false when b does not begin with a sound one.
func (c *commit) parse(b []byte) bool {
	if length, kind, err := frame(b); err != nil || kind != kindCommit || length != commitSize || len(b) < commitSize {
		return false
	}
	b = b[:commitSize]
	le := binary.LittleEndian
	if checksum(b[4:]) != le.Uint32(b) {
		return false
	}
	f := b[headFixed:]
	*c = commit{
		salt: le.Uint64(f), number: le.Uint64(f[8:]), synced: le.Uint64(f[16:]), prev: le.Uint64(f[24:]),
		count: le.Uint32(f[32:]), start: le.Uint32(f[36:]), sums: le.Uint32(f[40:]),
	}
	return true
}
