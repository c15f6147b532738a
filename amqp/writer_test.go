package amqp

import (
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

func newTestOutbound(nc net.Conn) *outbound {
	o := newOutbound(nc, &sync.Pool{New: func() any { return new(segment) }})
	o.frameMax = 131072
	return o
}

func TestWriterKeepsTheOrderOfEachSender(t *testing.T) {
	near, far := net.Pipe()
	o := newTestOutbound(near)
	const senders, each = 8, 500
	var group sync.WaitGroup
	for id := range uint16(senders) {
		group.Go(func() {
			for tag := range uint64(each) {
				s := o.lock()
				s.grown(wire.AppendAck(s.b, id+1, tag, false))
				o.unlock()
			}
		})
	}
	r := wire.NewReader(far)
	next := map[uint16]uint64{}
	for range senders * each {
		h, err := r.Head()
		if err != nil {
			t.Fatal(err)
		}
		payload, err := r.Payload()
		if err != nil {
			t.Fatal(err)
		}
		tag, _, err := wire.ParseAck(payload)
		if err != nil || tag != next[h.Channel] {
			t.Fatalf("channel %d: tag %d, %v, want %d", h.Channel, tag, err, next[h.Channel])
		}
		next[h.Channel]++
	}
	group.Wait()
	if !o.wait(0, time.Minute) {
		t.Error("something is still to be written")
	}
	o.close()
}

func TestWriterEndsWhenIdleAndKeepsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		o := newTestOutbound(near)
		go io.Copy(io.Discard, far)
		for range 3 {
			o.method(0, &wire.ConnectionOpenOk{})
			synctest.Wait()
			o.mu.Lock()
			if o.running || o.cur != nil {
				t.Errorf("running %t, segment %v", o.running, o.cur)
			}
			o.mu.Unlock()
		}
		o.close()
		far.Close()
	})
}

func TestWaitForTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		o := newTestOutbound(near)
		if !o.wait(0, 0) {
			t.Error("nothing to write and yet it waits")
		}
		for range 3 {
			s := o.lock()
			s.grown(append(s.b, make([]byte, 1000)...))
			o.unlock()
		}
		synctest.Wait() // the writer has the first, or all
		begin := time.Now()
		if o.wait(0, time.Second) || time.Since(begin) != time.Second {
			t.Errorf("nobody reads and yet all is written after %v", time.Since(begin))
		}
		if !o.wait(5000, time.Second) {
			t.Error("less than the limit waits and yet it waits")
		}
		go io.Copy(io.Discard, far)
		if !o.wait(0, time.Second) {
			t.Error("all is read and yet something is to be written")
		}
		o.close()
		far.Close()
	})
}

func TestKilledOutboundDropsAll(t *testing.T) {
	near, far := net.Pipe()
	o := newTestOutbound(near)
	o.method(0, &wire.ConnectionOpenOk{}) // nobody reads it
	o.kill()
	for range 1000 {
		o.method(0, &wire.ConnectionOpenOk{})
	}
	if n := o.pending(); n > 100 {
		t.Errorf("%d octets are kept for a dead socket", n)
	}
	if !o.wait(0, time.Minute) {
		t.Error("waits for a dead socket")
	}
	o.close()
	if _, err := far.Read(make([]byte, 1)); err == nil {
		t.Log("the first frame was on its way")
	}
}

func TestHeartbeatOnlyIntoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		o := newTestOutbound(near)
		var got []byte
		go func() {
			b := make([]byte, 100)
			for {
				n, err := far.Read(b)
				if err != nil {
					return
				}
				got = append(got, b[:n]...)
			}
		}()
		look := func(mark uint64, octets int) uint64 {
			t.Helper()
			mark = o.heartbeat(mark)
			synctest.Wait()
			if len(got) != octets {
				t.Fatalf("%d octets were sent, want %d", len(got), octets)
			}
			return mark
		}
		mark := look(0, 8)
		mark = look(mark, 16) // our own heartbeat is no traffic
		o.method(0, &wire.ConnectionCloseOk{})
		synctest.Wait()
		n := len(got)
		mark = look(mark, n) // something was sent meanwhile
		look(mark, n+8)
		o.close()
		far.Close()
	})
}

func TestHeartbeatLooks(t *testing.T) {
	begin := time.Unix(1000, 0)
	cases := []struct {
		name    string
		seconds uint16
		heard   []bool // before each look, half an interval apart
		dead    int    // the look that finds the peer dead; 0: none
	}{
		{"off", 0, []bool{false, false, false, false, false, false, false, false}, 0},
		{"silent from the start", 10, []bool{false, false, false, false}, 4},
		{"silent after a word", 10, []bool{true, false, false, false, false}, 5},
		{"a word in time", 10, []bool{false, false, false, true, false, false, false, true}, 0},
		{"talking", 10, []bool{true, true, true, true, true, true, true, true}, 0},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			near, far := net.Pipe()
			go io.Copy(io.Discard, far)
			o := newTestOutbound(near)
			defer o.close()
			var h heartbeat
			h.begin(k.seconds, begin)
			now, dead := begin, 0
			for i, heard := range k.heard {
				if early := now.Add(h.half / 2); h.half > 0 && h.look(early, &heard, o) {
					t.Errorf("dead before look %d was due", i+1)
				}
				now = now.Add(max(h.half, time.Second))
				if h.look(now, &heard, o) && dead == 0 {
					dead = i + 1
				}
			}
			if dead != k.dead {
				t.Errorf("dead at look %d, want %d", dead, k.dead)
			}
		})
	}
}
