package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// frame gives a whole frame.
func frame(kind uint8, ch uint16, payload []byte) []byte {
	dst, at := beginFrame(nil, kind, ch)
	return endFrame(append(dst, payload...), at)
}

// pattern gives n octets that differ from place to place.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}

// All sizes round the buffer's, in all ways that the stream can be cut up.
func TestReaderSizes(t *testing.T) {
	sizes := []int{0, 1, 7, 8, 4088, 4096, readSize - 9, readSize - 8, readSize - 7, readSize - 1, readSize, readSize + 1, 131072, 2 * readSize, 3}
	var stream []byte
	for i, size := range sizes {
		stream = append(stream, frame(FrameBody, uint16(i), pattern(size))...)
	}
	for _, c := range []struct {
		name string
		cut  func(io.Reader) io.Reader
	}{
		{"whole reads", func(r io.Reader) io.Reader { return r }},
		{"one octet at a time", iotest.OneByteReader},
		{"halves", iotest.HalfReader},
		{"data with its error", iotest.DataErrReader},
		{"waiting source", func(r io.Reader) io.Reader { return &waiting{Reader: r} }},
	} {
		for _, into := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				r := NewReader(c.cut(bytes.NewReader(stream)))
				r.SetFrameMax(131072)
				for i, size := range sizes {
					checkFrame(t, r, into, Head{FrameBody, uint16(i), uint32(size)})
				}
				if _, err := r.Head(); err != io.EOF {
					t.Errorf("after the last frame: %v", err)
				}
			})
		}
	}
}

func checkFrame(t *testing.T, r *Reader, into bool, want Head) {
	t.Helper()
	h, err := r.Head()
	if err != nil || h != want {
		t.Fatalf("head %+v, error %v, want %+v", h, err, want)
	}
	var got []byte
	if into {
		got = make([]byte, h.Size)
		err = r.ReadInto(got)
	} else {
		got, err = r.Payload()
	}
	if err != nil || !bytes.Equal(got, pattern(int(want.Size))) {
		t.Fatalf("payload of %d octets is wrong, error %v", want.Size, err)
	}
}

// A stream that ends inside a frame is told from one that ends between two.
func TestReaderEndOfStream(t *testing.T) {
	whole := frame(FrameBody, 1, pattern(40))
	for _, into := range []bool{false, true} {
		for n := range len(whole) {
			for _, src := range []io.Reader{bytes.NewReader(whole[:n]), &waiting{Reader: bytes.NewReader(whole[:n])}} {
				want := io.ErrUnexpectedEOF
				if n == 0 {
					want = io.EOF
				}
				if err := takeFrame(NewReader(src), into); err != want {
					t.Errorf("%d octets: %v, want %v", n, err, want)
				}
			}
		}
	}
}

// Views stay as they are while Buffered says true: a batch of publishes is
// handled before anything of it is copied.
func TestReaderViewsStay(t *testing.T) {
	var stream []byte
	for i := range 10000 {
		stream = append(stream, frame(FrameMethod, 1, pattern(20+i%50))...)
	}
	r := NewReader(bytes.NewReader(stream))
	var views [][]byte
	batches, frames := 0, 0
	for {
		h, err := r.Head()
		if err == io.EOF {
			break
		}
		view, err := r.Payload()
		if err != nil || h.Channel != 1 {
			t.Fatalf("frame %d: %+v, %v", frames, h, err)
		}
		views = append(views, view)
		if r.Buffered() {
			continue
		}
		for _, view := range views {
			if !bytes.Equal(view, pattern(20+frames%50)) {
				t.Fatalf("view of frame %d changed", frames)
			}
			frames++
		}
		views, batches = views[:0], batches+1
	}
	if frames != 10000 || batches > len(stream)/readSize+2 {
		t.Errorf("%d frames in %d batches", frames, batches)
	}
}

func TestReaderBuffered(t *testing.T) {
	one := frame(FrameMethod, 1, pattern(10))
	for _, c := range []struct {
		name string
		more []byte // what follows one frame in the same read
		want bool
	}{
		{"nothing", nil, false},
		{"part of a head", one[:6], false},
		{"a head", one[:7], false},
		{"all but the end", one[:len(one)-1], false},
		{"a whole frame", one, true},
		{"a size that would overflow", []byte{3, 0, 1, 0xff, 0xff, 0xff, 0xff, 0}, false},
	} {
		r := NewReader(bytes.NewReader(append(bytes.Clone(one), c.more...)))
		checkFrame(t, r, false, Head{FrameMethod, 1, 10})
		if got := r.Buffered(); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	if NewReader(strings.NewReader("")).Buffered() {
		t.Error("a new Reader has something buffered")
	}
}

// Until SetFrameMax only frames of the least frame_max are taken, and nothing
// is read or kept for a frame that is too large.
func TestReaderLimit(t *testing.T) {
	src := bytes.NewReader(frame(FrameMethod, 0, pattern(FrameMinSize+1)))
	r := NewReader(iotest.OneByteReader(src))
	_, err := r.Head()
	var reply *Error
	if !errors.As(err, &reply) || reply.Code != FrameError {
		t.Fatalf("error %v", err)
	}
	if read := int(src.Size()) - src.Len(); read != 7 {
		t.Errorf("%d octets were read for a frame that is refused", read)
	}
	r = NewReader(bytes.NewReader(frame(FrameMethod, 0, pattern(FrameMinSize))))
	checkFrame(t, r, false, Head{FrameMethod, 0, FrameMinSize})
}

func TestReaderPeekAndSkip(t *testing.T) {
	r := NewReader(iotest.OneByteReader(strings.NewReader("AMQP\x00\x00\x09\x01" + string(frame(FrameBody, 2, pattern(3))))))
	for range 2 {
		if b, err := r.Peek(8); string(b) != "AMQP\x00\x00\x09\x01" || err != nil {
			t.Fatalf("peeked %q, error %v", b, err)
		}
	}
	r.Skip(8)
	checkFrame(t, r, false, Head{FrameBody, 2, 3})
}

// A read that times out loses nothing: heartbeats are timed by deadlines.
func TestReaderTimeoutLosesNothing(t *testing.T) {
	whole := frame(FrameBody, 1, pattern(40))
	for n := range len(whole) {
		src := &script{parts: [][]byte{whole[:n], nil, whole[n:]}}
		r := NewReader(src)
		timeouts := 0
		var h Head
		var err error
		for h, err = r.Head(); errors.Is(err, os.ErrDeadlineExceeded); h, err = r.Head() {
			timeouts++
		}
		if err != nil || h != (Head{FrameBody, 1, 40}) {
			t.Fatalf("cut at %d: head %+v, error %v", n, h, err)
		}
		var got []byte
		for got, err = r.Payload(); errors.Is(err, os.ErrDeadlineExceeded); got, err = r.Payload() {
			timeouts++
		}
		if err != nil || timeouts != 1 || !bytes.Equal(got, pattern(40)) {
			t.Errorf("cut at %d: %d timeouts, error %v", n, timeouts, err)
		}
	}
}

// script gives one part per read; nil is a timeout.
type script struct{ parts [][]byte }

func (s *script) Read(p []byte) (int, error) {
	for len(s.parts) > 0 && s.parts[0] != nil && len(s.parts[0]) == 0 {
		s.parts = s.parts[1:]
	}
	if len(s.parts) == 0 {
		return 0, io.EOF
	}
	if s.parts[0] == nil {
		s.parts = s.parts[1:]
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p, s.parts[0])
	s.parts[0] = s.parts[0][n:]
	return n, nil
}

// waiting is a source with a Wait, as sockets are.
type waiting struct {
	io.Reader
	waits  int
	onWait func()
	err    error
}

func (w *waiting) Wait() error {
	w.waits++
	if w.onWait != nil {
		w.onWait()
	}
	return w.err
}

// An idle connection holds no memory: the buffer is gone whenever the source is
// asked to wait, and so is the larger one of an oversized frame.
func TestReaderHoldsNothingWhileWaiting(t *testing.T) {
	stream := append(frame(FrameMethod, 1, pattern(10)), frame(FrameHeader, 1, pattern(2*readSize))...)
	src := &waiting{Reader: bytes.NewReader(append(stream, frame(FrameMethod, 1, pattern(10))...))}
	r := NewReader(src)
	r.SetFrameMax(0)
	src.onWait = func() {
		if r.buf != nil || r.spare != nil {
			t.Error("a buffer is held while waiting")
		}
	}
	for _, size := range []int{10, 2 * readSize, 10} {
		head := Head{FrameMethod, 1, uint32(size)}
		if size > readSize {
			head.Type = FrameHeader
		}
		checkFrame(t, r, false, head)
	}
	if _, err := r.Head(); err != io.EOF || src.waits < 2 {
		t.Errorf("error %v after %d waits", err, src.waits)
	}
}

func TestReaderWaitError(t *testing.T) {
	failed := errors.New("woken")
	src := &waiting{Reader: bytes.NewReader(frame(FrameMethod, 1, pattern(10))), err: failed}
	r := NewReader(src)
	if _, err := r.Head(); err != failed {
		t.Fatalf("error %v", err)
	}
	src.err = nil
	checkFrame(t, r, false, Head{FrameMethod, 1, 10})
}

// A source without Wait keeps its buffer; Close gives it back, once.
func TestReaderClose(t *testing.T) {
	r := NewReader(bytes.NewReader(append(frame(FrameMethod, 1, pattern(10)), frame(FrameMethod, 2, nil)...)))
	checkFrame(t, r, false, Head{FrameMethod, 1, 10})
	if r.buf == nil {
		t.Error("no buffer while frames are buffered")
	}
	r.Close()
	r.Close()
	if r.buf != nil || r.Buffered() {
		t.Error("the buffer is held after Close")
	}
}

// Large bodies go from the source into dst in one read each, not through the
// buffer.
func TestReadIntoReadsStraight(t *testing.T) {
	src := &counting{Reader: bytes.NewReader(frame(FrameBody, 1, pattern(1<<20)))}
	r := NewReader(src)
	r.SetFrameMax(0)
	checkFrame(t, r, true, Head{FrameBody, 1, 1 << 20})
	if src.reads > 3 {
		t.Errorf("%d reads for head and rest of the buffer, body, end octet", src.reads)
	}
}

type counting struct {
	io.Reader
	reads int
}

func (c *counting) Read(p []byte) (int, error) {
	c.reads++
	return c.Reader.Read(p)
}
