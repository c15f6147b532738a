package persistence

import (
	"encoding/binary"
	"math/bits"
)

// A footer entry begins with a tag octet: a form in the top two bits, then
// what follows. Whatever is the same as, or follows from, the entry before
// takes no room: a plain record of one queue's run costs one octet.
const (
	formPlain = 0 << 6 // one ref, no attr, term 0
	formAttr  = 1 << 6 // one ref, term 0, attr
	formFull  = 2 << 6 // any store
	formFact  = 3 << 6
	formMask  = 3 << 6

	tagGap   = 1 << 0 // the record does not begin where the one before ends
	tagSize  = 1 << 1 // payload size differs from the store before
	tagFlags = 1 << 2 // flags differ from the store before
	tagGroup = 1 << 3 // group differs from the entry before
	tagIndex = 1 << 4 // index is not the group's last + 1: a number follows
	tagDelta = 1 << 5 // that number is the zigzag distance to the group's last

	factShift = 1 // of a fact's kind within its tag
)

// predictor is what encoder and decoder both remember of the entries before.
type predictor struct {
	next  uint32 // where the next record begins if nothing stands between
	size  uint32
	flags uint8
	group uint64
	last  [256]struct{ group, index uint64 } // by the group's low octet
}

// footer collects the compact heads of one segment's records.
type footer struct {
	predictor
	buf   []byte
	count uint32
}

func (f *footer) reset() {
	f.predictor = predictor{next: headerSize}
	f.buf, f.count = f.buf[:0], 0
}

// add appends the record with head h at offset off. An entry is never longer
// than the head itself: Append counts on that when it keeps room for the footer.
func (f *footer) add(off uint32, h *head) {
	f.count++
	at := len(f.buf)
	f.buf = append(f.buf, 0)
	var tag uint8
	if off != f.next {
		tag |= tagGap
		f.buf = binary.AppendUvarint(f.buf, uint64(off-f.next))
	}
	f.next = off + h.length + h.size
	if h.kind != kindStore {
		f.buf[at] = tag | formFact | h.kind<<factShift
		b := h.b
		if h.kind == KindSettle {
			b -= h.a
		}
		f.buf = binary.AppendUvarint(f.buf, h.group)
		f.buf = binary.AppendUvarint(f.buf, h.a)
		f.buf = binary.AppendUvarint(f.buf, b)
		return
	}
	if h.size != f.size {
		tag |= tagSize
		f.size = h.size
		f.buf = binary.AppendUvarint(f.buf, uint64(h.size))
	}
	if h.flags != f.flags {
		tag |= tagFlags
		f.flags = h.flags
		f.buf = append(f.buf, h.flags)
	}
	if h.count != 1 || h.term != 0 {
		f.addFull(h)
		f.buf[at] = tag | formFull
		return
	}
	tag |= f.addRef(h.group, h.a)
	if len(h.attr) > 0 {
		tag |= formAttr
		f.buf = binary.AppendUvarint(f.buf, uint64(len(h.attr)))
		f.buf = append(f.buf, h.attr...)
	}
	f.buf[at] = tag
}

func (f *footer) addFull(h *head) {
	f.buf = binary.AppendUvarint(f.buf, h.term)
	f.buf = binary.AppendUvarint(f.buf, uint64(len(h.attr)))
	f.buf = binary.AppendUvarint(f.buf, h.count)
	f.buf = append(f.buf, h.refs...)
	f.buf = append(f.buf, h.attr...)
}

func (f *footer) addRef(group, index uint64) (tag uint8) {
	if group != f.group {
		tag |= tagGroup
		f.group = group
		f.buf = binary.AppendUvarint(f.buf, group)
	}
	last := &f.last[uint8(group)]
	switch delta := zigzag(int64(index - last.index)); {
	case last.group == group && index == last.index+1:
	case last.group == group && varintLen(delta) < varintLen(index):
		tag |= tagIndex | tagDelta
		f.buf = binary.AppendUvarint(f.buf, delta)
	default:
		tag |= tagIndex
		f.buf = binary.AppendUvarint(f.buf, index)
	}
	last.group, last.index = group, index
	return tag
}

// footerReader decodes a footer again.
type footerReader struct {
	predictor
	r varints
}

func newFooterReader(b []byte) *footerReader {
	return &footerReader{predictor: predictor{next: headerSize}, r: varints{b: b}}
}

// read decodes the next entry into h and returns the record's offset. more is
// false at the end and after a malformed entry; err then tells which. h has no
// checksums.
func (f *footerReader) read(h *head) (off uint32, more bool, err error) {
	r := &f.r
	if len(r.b) == 0 {
		return 0, false, nil
	}
	tag := r.b[0]
	r.b = r.b[1:]
	off = f.next
	if tag&tagGap != 0 {
		off += uint32(r.next())
	}
	h.term, h.attr, h.refs, h.size, h.flags = 0, nil, nil, 0, 0
	switch tag & formMask {
	case formFact:
		f.readFact(h, tag)
	case formFull:
		f.readSize(h, tag)
		f.readFull(h)
	default:
		f.readSize(h, tag)
		f.readSingle(h, tag)
	}
	end := uint64(off) + uint64(h.length) + uint64(h.size)
	if r.bad || off < f.next || end > 1<<32-1 {
		return 0, false, errBad
	}
	f.next = uint32(end)
	return off, true, nil
}

func (f *footerReader) readFact(h *head, tag uint8) {
	h.kind = tag >> factShift & kindMaxFact
	h.group, h.a, h.b = f.r.next(), f.r.next(), f.r.next()
	h.length = uint32(headFixed + varintLen(h.group) + varintLen(h.a) + varintLen(h.b))
	if h.kind == KindSettle {
		h.b += h.a
	}
	if h.kind == 0 {
		f.r.bad = true
	}
}

func (f *footerReader) readSize(h *head, tag uint8) {
	if tag&tagSize != 0 {
		size := f.r.next()
		if size > 1<<32-1 {
			f.r.bad = true
		}
		f.size = uint32(size)
	}
	if tag&tagFlags != 0 {
		if len(f.r.b) == 0 {
			f.r.bad = true
		} else {
			f.flags, f.r.b = f.r.b[0], f.r.b[1:]
		}
	}
	h.kind, h.size, h.flags = kindStore, f.size, f.flags
}

func (f *footerReader) readFull(h *head) {
	r := &f.r
	h.term = r.next()
	attr := r.next()
	h.count = r.next()
	if h.count > uint64(len(r.b))/2 {
		r.bad = true
		return
	}
	h.readRefs(r)
	h.attr = f.take(attr)
	fixed := storeFixed + varintLen(h.term) + varintLen(attr) + varintLen(h.count)
	h.length = uint32(fixed + len(h.refs) + len(h.attr))
}

func (f *footerReader) readSingle(h *head, tag uint8) {
	if tag&tagGroup != 0 {
		f.group = f.r.next()
	}
	last := &f.last[uint8(f.group)]
	index := last.index + 1
	if tag&tagIndex != 0 {
		index = f.r.next()
		if tag&tagDelta != 0 {
			index = last.index + uint64(unzigzag(index))
		}
	} else if last.group != f.group {
		f.r.bad = true
	}
	last.group, last.index = f.group, index
	h.count, h.group, h.a = 1, f.group, index
	h.length = uint32(storeFixed + 3 + varintLen(f.group) + varintLen(index))
	if tag&formMask == formAttr {
		n := f.r.next()
		h.attr = f.take(n)
		h.length += uint32(varintLen(n) - 1 + len(h.attr))
	}
}

func (f *footerReader) take(n uint64) []byte {
	if n > uint64(len(f.r.b)) {
		f.r.bad = true
		return nil
	}
	b := f.r.b[:n:n]
	f.r.b = f.r.b[n:]
	return b
}

// eachRef calls do for the refs of a store, whichever form its entry had.
func (h *head) eachRef(do func(group, index uint64)) {
	if h.refs == nil {
		if h.count == 1 {
			do(h.group, h.a)
		}
		return
	}
	r := varints{b: h.refs}
	for range h.count {
		g := r.next()
		do(g, r.next())
	}
}

// appendRefs appends the refs of a store as group, index pairs.
func (h *head) appendRefs(dst []uint64) []uint64 {
	if h.refs == nil && h.count == 1 {
		return append(dst, h.group, h.a)
	}
	r := varints{b: h.refs}
	for range 2 * h.count {
		dst = append(dst, r.next())
	}
	return dst
}

func varintLen(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

func zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
