package bench

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// Run does what the options ask for and returns when it is over or ctx is
// done, which is no error for a flow of messages. Progress goes to out each
// second unless out is nil.
func Run(ctx context.Context, o Options, out io.Writer) (*Result, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	switch {
	case o.Mode.Declares > 0:
		return runDeclares(ctx, &o)
	case o.Mode.Connections > 0:
		return runConnections(ctx, &o)
	case o.Mode.Channels > 0:
		return runChannels(ctx, &o)
	case o.Mode.Relay:
		return runRelay(ctx, &o)
	case o.Mode.FsyncDir != "":
		return runFsync(ctx, &o)
	}
	return runFlow(ctx, &o, out)
}

// A crew is the goroutines of one stage. The first error closes all
// connections, so that the others end too.
type crew struct {
	ctx  context.Context
	fail context.CancelCauseFunc
	wg   sync.WaitGroup

	mu    sync.Mutex
	conns []*conn // guarded by mu
}

func newCrew() *crew {
	c := &crew{}
	c.ctx, c.fail = context.WithCancelCause(context.Background())
	context.AfterFunc(c.ctx, c.hangUp)
	return c
}

// start runs f until it returns; wait waits for it.
func (c *crew) start(f func() error) {
	c.wg.Go(func() {
		if err := f(); err != nil {
			c.fail(err)
		}
	})
}

func (c *crew) own(cn *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns = append(c.conns, cn)
}

func (c *crew) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cn := range c.conns {
		cn.net.Close()
	}
}

// wait returns when all have returned, with the first error.
func (c *crew) wait() error {
	c.wg.Wait()
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return nil
}

// A flow is producers and consumers over one plan, in one or two stages.
type flow struct {
	o    *Options
	plan *plan
	out  io.Writer
	// backlog is what the queues held before; only --drain alone looks at it.
	backlog   uint64
	producers []*producer
	consumers []*consumer
	// idle counts producers that have sent their last message.
	idle atomic.Int64
	// expected caches expect once the producers are idle.
	expected func() (uint64, bool)
}

// A stage is what happens at the same time.
type stage struct {
	name             string
	produce, consume bool
}

func stages(o *Options) []stage {
	fill, drain := stage{"fill", true, false}, stage{"drain", false, true}
	switch {
	case o.Length.Fill && o.Length.Drain:
		return []stage{fill, drain}
	case o.Length.Fill:
		return []stage{fill}
	case o.Length.Drain:
		return []stage{drain}
	}
	return []stage{{"run", o.Load.Producers > 0, o.Load.Consumers > 0}}
}

func runFlow(ctx context.Context, o *Options, out io.Writer) (*Result, error) {
	p, err := newPlan(o, uint32(time.Now().UnixNano()>>16))
	if err != nil {
		return nil, err
	}
	f := &flow{o: o, plan: p, out: out}
	f.expected = sync.OnceValues(f.expect)
	drainOnly := o.Length.Drain && !o.Length.Fill
	err = f.control(ctx, func(c *conn) (err error) {
		f.backlog, err = p.declare(c, o.Routing.Passive || drainOnly, !drainOnly)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("declare: %w", err)
	}
	r := &Result{Mode: "flow"}
	for _, s := range stages(o) {
		ph, err := f.run(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		r.Phases = append(r.Phases, ph)
	}
	if len(f.consumers) > 0 {
		r.Verification = f.verify()
	}
	if o.Routing.Keep || o.Routing.Passive || drainOnly || len(f.consumers) == 0 && o.Length.Fill {
		return r, nil
	}
	return r, f.control(context.WithoutCancel(ctx), p.remove)
}

// control does something on a connection of its own.
func (f *flow) control(ctx context.Context, do func(*conn) error) error {
	c, err := dial(ctx, f.o.Broker, producerBuffer)
	if err != nil {
		return err
	}
	defer c.net.Close()
	if err := c.openChannel(); err != nil {
		return err
	}
	if err := do(c); err != nil {
		return err
	}
	return c.close(f.o.Length.Grace)
}

// run does one stage and closes its connections.
func (f *flow) run(ctx context.Context, s stage) (Phase, error) {
	c := newCrew()
	defer c.hangUp()
	m := &meter{broker: f.o.Broker.PID}
	if err := f.connect(ctx, s, c, m); err != nil {
		return Phase{}, err
	}
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	from, err := m.sample()
	if err != nil {
		return Phase{}, err
	}
	f.begin(c, m, stop)
	w := &watcher{flow: f, crew: c, meter: m, stage: s, from: from}
	to, err := w.watch(ctx)
	cancel()
	if err == nil {
		err = w.settle()
	}
	if err == nil {
		err = f.leave(c, m)
	}
	if err != nil {
		c.fail(err)
		return Phase{}, c.wait()
	}
	if f.o.Length.Time == 0 && ctx.Err() == nil {
		// Everything is through: what the last acks cost belongs to it.
		if last, err := m.sample(); err == nil {
			to.broker, to.own = last.broker, last.own
		}
	}
	return flowPhase(s.name, w.from, to, f.o.Load.Size), nil
}

func (f *flow) connect(ctx context.Context, s stage, c *crew, m *meter) error {
	for i := 0; s.consume && i < f.o.Load.Consumers; i++ {
		co, err := newConsumer(ctx, f.o, f.plan, i)
		if err != nil {
			return fmt.Errorf("consumer %d: %w", i, err)
		}
		c.own(co.conn)
		m.consumers = append(m.consumers, co)
	}
	for i := 0; s.produce && i < f.o.Load.Producers; i++ {
		p, err := newProducer(ctx, f.o, f.plan, i)
		if err != nil {
			return fmt.Errorf("producer %d: %w", i, err)
		}
		c.own(p.conn)
		m.producers = append(m.producers, p)
	}
	f.producers = append(f.producers, m.producers...)
	f.consumers = append(f.consumers, m.consumers...)
	return nil
}

// begin starts everybody: the consumers first, so that nothing queues up.
func (f *flow) begin(c *crew, m *meter, stop context.Context) {
	for _, co := range m.consumers {
		c.start(co.read)
		c.start(func() error { return co.consume(f.plan) })
	}
	for _, p := range m.producers {
		p.assignment = assignment{stop, f.o.Length.Messages, func() { f.idle.Add(1) }}
		c.start(p.read)
		if !p.pumps() {
			c.start(p.publish)
		}
	}
}

// leave closes the connections in order and waits for their goroutines.
func (f *flow) leave(c *crew, m *meter) error {
	for _, p := range m.producers {
		if err := p.conn.finish(f.o.Length.Grace); err != nil {
			return err
		}
	}
	for _, co := range m.consumers {
		if err := co.cancel(f.o.Length.Grace); err != nil {
			return err
		}
	}
	return c.wait()
}
