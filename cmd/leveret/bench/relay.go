package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// runRelay sends the bytes of publishes through a relay that reads and writes
// on, and counts what arrives: no broker that copies bodies can cost less. The
// relay works on blocking sockets on a thread of its own, whose CPU is reported.
func runRelay(ctx context.Context, o *Options) (*Result, error) {
	p, err := newPlan(o, 0)
	if err != nil {
		return nil, err
	}
	t, err := newTemplate(&o.Load, p, 0, p.producerKeys(0, 1), 0)
	if err != nil {
		return nil, err
	}
	source, in, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("--relay: %w", err)
	}
	out, sink, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("--relay: %w", err)
	}
	r := &relay{in: in, out: out, buf: make([]byte, o.Mode.RelayBuffer)}
	cr := newCrew()
	cr.own(newConn(source, 1))
	cr.start(func() error { return onThread(r.run) })
	received := &atomic.Uint64{}
	cr.start(func() error { return drain(sink, received) })
	stop, cancel := context.WithTimeout(ctx, probeTime(o))
	defer cancel()
	from := &sample{at: time.Now(), own: ownCPU()}
	cr.start(func() error {
		defer source.Close() // ends relay and sink in turn
		for stop.Err() == nil {
			octets, _ := t.cut(t.batch, 0)
			if _, err := source.Write(octets); err != nil {
				return err
			}
		}
		return nil
	})
	if err := cr.wait(); err != nil {
		return nil, fmt.Errorf("--relay: %w", err)
	}
	to := &sample{at: time.Now(), own: ownCPU() - r.cpu}
	n := received.Load() * uint64(len(t.slots)) / uint64(len(t.buf))
	ph := phase("relay", from, to, n)
	ph.Broker = &Process{CPUMicros: micros(r.cpu) / float64(max(n, 1)), CPUCores: r.cpu.Seconds() / ph.Seconds}
	return &Result{Mode: "relay", Phases: []Phase{ph}}, nil
}

// socketPair is a TCP connection over loopback, both ends.
func socketPair() (dialled, accepted *net.TCPConn, err error) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	dialled, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		return nil, nil, err
	}
	accepted, err = l.AcceptTCP()
	if err != nil {
		dialled.Close()
	}
	return dialled, accepted, err
}

// A relay copies in to out until in ends.
type relay struct {
	in, out *net.TCPConn
	buf     []byte
	cpu     time.Duration // after run
}

// run needs the thread to itself. The sockets are in blocking mode: waiting in
// the system call costs less than the runtime's poller.
func (r *relay) run() error {
	in, err := blockingSocket(r.in)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := blockingSocket(r.out)
	if err != nil {
		return err
	}
	defer out.Close()
	began := threadCPU()
	for {
		n, err := in.Read(r.buf)
		if n > 0 {
			if _, err := out.Write(r.buf[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			r.cpu = threadCPU() - began
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

func drain(c *net.TCPConn, received *atomic.Uint64) error {
	defer c.Close()
	buf := make([]byte, consumerBufferLarge)
	for {
		n, err := c.Read(buf)
		received.Add(uint64(n))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
