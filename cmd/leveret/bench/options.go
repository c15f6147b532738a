package bench

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Options says what one invocation does. The zero value of a mode means that
// the mode is not asked for; without any mode producers and consumers run.
type Options struct {
	Broker  BrokerOptions
	Load    LoadOptions
	Routing RoutingOptions
	Length  LengthOptions
	Mode    ModeOptions
	Output  OutputOptions
}

// BrokerOptions says where the broker is and how it is watched.
type BrokerOptions struct {
	// URI is amqp://user:password@host:port/vhost.
	URI string
	// PID is the broker's process; its CPU and memory, with those of its
	// descendants, are reported. 0: unknown.
	PID int
	// Heartbeat in seconds; negative takes what the broker suggests.
	Heartbeat int
	// FrameMax in octets; 0 takes what the broker suggests.
	FrameMax uint32
}

// LoadOptions is what producers and consumers do.
type LoadOptions struct {
	Producers, Consumers int
	// Size of a body in octets. Below StampSize nothing can be verified and no
	// end-to-end latency is taken.
	Size                  int
	Persistent, Mandatory bool
	// Confirm is the most publishes of one producer that wait for their
	// confirm; 0: no confirms.
	Confirm int
	// Prefetch is each consumer's basic.qos; 0: unlimited.
	Prefetch int
	AutoAck  bool
	// MultiAck acknowledges that many deliveries with one frame.
	MultiAck int
	// Rate is one producer's messages per second; 0: as fast as possible.
	Rate float64
	// ConsumerLatency is how long a consumer works on one delivery.
	ConsumerLatency time.Duration
	// HoldFirst leaves each consumer's first delivery unacknowledged.
	HoldFirst bool
}

// RoutingOptions is the topology.
type RoutingOptions struct {
	Queues int
	// Pattern names the queues; it holds one %d.
	Pattern   string
	QueueArgs []string
	// Durable is auto, yes or no; auto follows Persistent.
	Durable string
	// Exchange empty publishes straight to the queues.
	Exchange, Type string
	// RoutingKeys and Bindings are a number of generated ones or a list.
	RoutingKeys, Bindings string
	// Keep leaves exchange and queues behind; Passive expects them to exist.
	Keep, Passive bool
}

// LengthOptions says when a run ends.
type LengthOptions struct {
	Time, Warmup time.Duration
	// Messages per producer; 0: until Time has passed.
	Messages uint64
	// Grace is how long a run may stand still while it waits for confirms or
	// deliveries.
	Grace time.Duration
	// Fill publishes everything and consumes nothing; Drain consumes what is in
	// the queues. Both: the one after the other.
	Fill, Drain bool
}

// ModeOptions are the measurements that are not a flow of messages.
type ModeOptions struct {
	Declares, Connections, Channels int
	// Pipeline is how many requests may wait for their answer on one connection.
	Pipeline int
	// Parallel is the number of connections that ask at the same time.
	Parallel int
	// Hold keeps what was opened or declared for that long.
	Hold  time.Duration
	Relay bool
	// RelayBuffer is the relay's read size in octets.
	RelayBuffer int
	// FsyncDir asks for the disk probe in that directory.
	FsyncDir string
}

// OutputOptions says how results are shown.
type OutputOptions struct {
	JSON, Quiet bool
}

// DefaultOptions is one producer and one consumer on one transient queue until
// interrupted.
func DefaultOptions() Options {
	return Options{
		Broker:  BrokerOptions{URI: "amqp://guest:guest@127.0.0.1:5672/", Heartbeat: -1},
		Load:    LoadOptions{Producers: 1, Consumers: 1, Size: 128, MultiAck: 1},
		Routing: RoutingOptions{Queues: 1, Pattern: "bench-%d", Durable: "auto", Type: "direct"},
		Length:  LengthOptions{Grace: 10 * time.Second},
		Mode:    ModeOptions{Pipeline: 1, Parallel: 1, RelayBuffer: 1 << 20},
	}
}

// Limits of what one invocation may ask for; the stamp's fields and the memory
// taken per window entry set them.
const (
	maxProducers = 1 << 16
	maxQueues    = 1 << 20
	maxKeys      = 1 << 16
	maxSize      = 1 << 30
	maxWindow    = 1 << 22
	maxPrefetch  = 1<<16 - 1
)

// modes counts the measurements asked for beside the flow of messages.
func (m ModeOptions) modes() (names []string) {
	for _, c := range []struct {
		name  string
		asked bool
	}{
		{"--declares", m.Declares != 0}, {"--open-connections", m.Connections != 0},
		{"--open-channels", m.Channels != 0}, {"--relay", m.Relay}, {"--fsync-probe", m.FsyncDir != ""},
	} {
		if c.asked {
			names = append(names, c.name)
		}
	}
	return names
}

// validate names the first option that is out of range or contradicts another.
func (o *Options) validate() error {
	if names := o.Mode.modes(); len(names) > 1 {
		return fmt.Errorf("%s cannot be combined", strings.Join(names, " and "))
	}
	for _, check := range []func() error{o.checkRanges, o.checkLoad, o.checkRouting, o.checkLength} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (o *Options) checkRanges() error {
	for _, r := range []struct {
		flag          string
		value         int
		least, atMost int
	}{
		{"--producers", o.Load.Producers, 0, maxProducers},
		{"--consumers", o.Load.Consumers, 0, maxProducers},
		{"--size", o.Load.Size, 0, maxSize},
		{"--confirm", o.Load.Confirm, 0, maxWindow},
		{"--qos", o.Load.Prefetch, 0, maxPrefetch},
		{"--multi-ack", o.Load.MultiAck, 1, maxPrefetch},
		{"--queues", o.Routing.Queues, 1, maxQueues},
		{"--heartbeat", o.Broker.Heartbeat, -1, 1<<16 - 1},
		{"--broker-pid", o.Broker.PID, 0, 1 << 30},
		{"--declares", o.Mode.Declares, 0, maxQueues},
		{"--open-connections", o.Mode.Connections, 0, 1 << 20},
		{"--open-channels", o.Mode.Channels, 0, 1 << 30},
		{"--pipeline", o.Mode.Pipeline, 1, maxWindow},
		{"--parallel", o.Mode.Parallel, 1, maxProducers},
		{"--relay-buffer", o.Mode.RelayBuffer, 1, 64 << 20},
	} {
		if r.value < r.least || r.value > r.atMost {
			return fmt.Errorf("%s %d: must be %d to %d", r.flag, r.value, r.least, r.atMost)
		}
	}
	return nil
}

func (o *Options) checkLoad() error {
	l := &o.Load
	switch {
	case l.Rate < 0:
		return fmt.Errorf("--rate %g: must not be negative", l.Rate)
	case l.ConsumerLatency < 0:
		return fmt.Errorf("--consumer-latency %v: must not be negative", l.ConsumerLatency)
	case l.AutoAck && (l.MultiAck > 1 || l.HoldFirst):
		return errors.New("--auto-ack leaves nothing to acknowledge: drop --multi-ack and --hold-first")
	case l.Prefetch > 0 && l.MultiAck > l.Prefetch:
		return fmt.Errorf("--multi-ack %d with --qos %d: the broker would wait for an ack that never comes", l.MultiAck, l.Prefetch)
	case l.HoldFirst && (l.MultiAck > 1 || l.Prefetch == 1):
		return errors.New("--hold-first needs single acks and a prefetch other than 1")
	case l.Producers == 0 && l.Consumers == 0:
		return errors.New("--producers 0 and --consumers 0: nothing to do")
	case o.Broker.FrameMax != 0 && o.Broker.FrameMax < 4096:
		return fmt.Errorf("--frame-max %d: must be 0 or at least 4096", o.Broker.FrameMax)
	}
	return nil
}

func (o *Options) checkRouting() error {
	r := &o.Routing
	switch {
	case strings.Count(r.Pattern, "%") != 1 || !strings.Contains(r.Pattern, "%d"):
		return fmt.Errorf("--queue-pattern %q: must hold %%d once and no other %%", r.Pattern)
	case r.Durable != "auto" && r.Durable != "yes" && r.Durable != "no":
		return fmt.Errorf("--durable %q: must be auto, yes or no", r.Durable)
	case r.Type != "direct" && r.Type != "fanout" && r.Type != "topic":
		return fmt.Errorf("--type %q: must be direct, fanout or topic", r.Type)
	case r.Exchange == "" && r.Bindings != "":
		return errors.New("--bindings needs --exchange: nothing can be bound to the default exchange")
	}
	_, err := parseArguments(r.QueueArgs)
	return err
}

func (o *Options) checkLength() error {
	l := &o.Length
	switch {
	case l.Time < 0 || l.Warmup < 0 || l.Grace <= 0:
		return errors.New("--time and --warmup must not be negative, --grace must be above 0")
	case l.Time > 0 && l.Warmup >= l.Time:
		return fmt.Errorf("--warmup %v: must be shorter than --time %v", l.Warmup, l.Time)
	case l.Fill && l.Messages == 0 && l.Time == 0:
		return errors.New("--fill needs --messages or --time")
	case l.Fill && o.Load.Producers == 0:
		return errors.New("--fill needs a producer")
	case l.Drain && o.Load.Consumers == 0:
		return errors.New("--drain needs a consumer")
	}
	return nil
}

// durable says whether queues and exchange survive the broker.
func (o *Options) durable() bool {
	if o.Routing.Durable == "auto" {
		return o.Load.Persistent
	}
	return o.Routing.Durable == "yes"
}
