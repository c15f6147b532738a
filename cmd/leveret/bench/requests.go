package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// An operation is a request and what must come back.
type operation func(c *conn, i int) error

// runDeclares declares queues 0..n-1 on --parallel connections, with
// --pipeline requests under way on each.
func runDeclares(ctx context.Context, o *Options) (*Result, error) {
	p, err := newPlan(&Options{Routing: RoutingOptions{Queues: o.Mode.Declares, Pattern: o.Routing.Pattern, QueueArgs: o.Routing.QueueArgs, Type: "direct", Durable: "auto"}}, 0)
	if err != nil {
		return nil, err
	}
	f := &flow{o: o, plan: p}
	ask := func(c *conn, i int) error {
		return c.send(1, &wire.QueueDeclare{Queue: p.queues[i], Durable: o.durable(), Arguments: p.arguments})
	}
	answer := func(c *conn, _ int) error {
		_, err := expect[*wire.QueueDeclareOk](c, 1)
		return err
	}
	ph, err := measure(ctx, o, "declares", func() error {
		return parallel(ctx, o, len(p.queues), func(c *conn, items []int) error {
			if err := c.openChannel(); err != nil {
				return err
			}
			return pipeline(c, items, o.Mode.Pipeline, ask, answer)
		})
	})
	if err != nil || o.Routing.Keep {
		return &Result{Mode: "declares", Phases: []Phase{ph}}, err
	}
	return &Result{Mode: "declares", Phases: []Phase{ph}}, f.control(ctx, p.remove)
}

// runChannels opens channels, as many at a time as the connection may have, and
// closes them before the next ones.
func runChannels(ctx context.Context, o *Options) (*Result, error) {
	ph, err := measure(ctx, o, "channels", func() error {
		return parallel(ctx, o, o.Mode.Channels, func(c *conn, items []int) error {
			for len(items) > 0 {
				n := min(len(items), int(c.channelMax))
				if err := openAndClose(c, n, o.Mode.Pipeline); err != nil {
					return err
				}
				items = items[n:]
			}
			return nil
		})
	})
	return &Result{Mode: "channels", Phases: []Phase{ph}}, err
}

func openAndClose(c *conn, n, depth int) error {
	numbers := share(0, 1, n)
	open := func(c *conn, i int) error { return c.send(uint16(i+1), &wire.ChannelOpen{}) }
	end := func(c *conn, i int) error {
		return c.send(uint16(i+1), &wire.ChannelClose{ReplyCode: uint16(wire.ReplySuccess)})
	}
	if err := pipeline(c, numbers, depth, open, answered(idChannelOpenOk)); err != nil {
		return err
	}
	return pipeline(c, numbers, depth, end, answered(idChannelCloseOk))
}

// idChannelOpenOk is the answer that runChannels counts.
const idChannelOpenOk = 20<<16 | 11

// answered waits for one answer on any channel: brokers work on channels in
// parallel. It looks at frames before housekeeping, which would take
// channel.close-ok for the end.
func answered(id uint32) operation {
	return func(c *conn, _ int) error {
		for {
			f, err := c.scan.next()
			if err != nil || f.kind == wire.FrameMethod && methodID(f.data) == id {
				return err
			}
			own, err := c.housekeeping(f)
			if err != nil {
				return err
			}
			if !own {
				return fmt.Errorf("the broker sent an unexpected frame of type %d on channel %d", f.kind, f.channel)
			}
		}
	}
}

// pipeline asks for all items with at most depth answers outstanding, in blocks
// of half the depth; one at a time for depth 1.
func pipeline(c *conn, items []int, depth int, ask, answer operation) error {
	asked, answered := 0, 0
	for answered < len(items) {
		for asked < len(items) && asked-answered < depth {
			if err := ask(c, items[asked]); err != nil {
				return err
			}
			asked++
		}
		for floor := max(asked-depth/2, answered+1); answered < floor || asked == len(items) && answered < asked; answered++ {
			if err := answer(c, items[answered]); err != nil {
				return err
			}
		}
	}
	return nil
}

// parallel shares 0..n-1 out among --parallel connections.
func parallel(ctx context.Context, o *Options, n int, do func(c *conn, items []int) error) error {
	cr := newCrew()
	defer cr.hangUp()
	workers := min(o.Mode.Parallel, n)
	for w := range workers {
		c, err := dial(ctx, o.Broker, producerBuffer)
		if err != nil {
			cr.fail(err)
			break
		}
		cr.own(c)
		cr.start(func() error { return do(c, share(w, workers, n)) })
	}
	return cr.wait()
}

// runConnections opens connections on --parallel goroutines. Without --hold
// each is closed before the same goroutine opens the next one.
func runConnections(ctx context.Context, o *Options) (*Result, error) {
	cr := newCrew()
	defer cr.hangUp()
	var opened atomic.Int64
	open := func() error {
		for opened.Add(1) <= int64(o.Mode.Connections) {
			c, err := dial(ctx, o.Broker, connectionBuffer)
			if err != nil {
				return err
			}
			if o.Mode.Hold > 0 {
				cr.own(c)
				continue
			}
			if err := c.closeAtOnce(o.Length.Grace); err != nil {
				return err
			}
		}
		return nil
	}
	ph, err := measure(ctx, o, "connections", func() error {
		for range o.Mode.Parallel {
			cr.start(open)
		}
		return cr.wait()
	})
	return &Result{Mode: "connections", Phases: []Phase{ph}}, err
}

// connectionBuffer is enough for a handshake.
const connectionBuffer = 4 << 10

// measure runs do between two samples; with --hold, what it left open is kept
// for that long and the memory read once more.
func measure(ctx context.Context, o *Options, name string, do func() error) (Phase, error) {
	m := &meter{broker: o.Broker.PID}
	from, err := m.sample()
	if err != nil {
		return Phase{}, err
	}
	if err := do(); err != nil {
		return Phase{}, fmt.Errorf("%s: %w", name, err)
	}
	to, err := m.sample()
	if err != nil {
		return Phase{}, err
	}
	ph := phase(name, from, to, uint64(max(o.Mode.Declares, o.Mode.Connections, o.Mode.Channels)))
	if o.Mode.Hold == 0 {
		return ph, nil
	}
	_ = wallClock{}.Sleep(ctx, o.Mode.Hold) // an interrupt ends it early
	held, err := m.sample()
	if err != nil {
		return Phase{}, err
	}
	if ph.Broker != nil {
		ph.Broker.RSS, ph.Broker.PeakRSS = held.broker.rss, held.broker.peak
		ph.Broker.Anon, ph.Broker.Files = held.broker.anon, held.broker.files
	}
	return ph, nil
}

// closeAtOnce closes a connection without channels. The socket is reset after
// the broker's answer, so that no port stays behind in TIME_WAIT.
func (c *conn) closeAtOnce(grace time.Duration) error {
	defer c.net.Close()
	_ = c.net.SetReadDeadline(time.Now().Add(grace)) // the read below reports it
	if _, err := call[*wire.ConnectionCloseOk](c, 0, &wire.ConnectionClose{ReplyCode: uint16(wire.ReplySuccess)}); err != nil && err != errEnded {
		return err
	}
	if l, ok := c.net.(interface{ SetLinger(int) error }); ok {
		return l.SetLinger(0)
	}
	return nil
}
