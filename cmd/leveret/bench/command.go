package bench

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const long = `Load an AMQP 0-9-1 broker and say how fast it is.

Producers publish and consumers consume until --time has passed, --messages are
through or Ctrl-C. The broker's CPU per message needs --broker-pid. Results go to
stdout, progress to stderr. The exit code is 1 when the broker refuses, and when
a message was lost, doubled or out of order.`

const examples = `  # one producer, one consumer, persistent with confirms, ten seconds
  leveret bench --persistent --confirm 1000 --qos 1000 --time 10s
  # a million messages in, then out again
  leveret bench --fill --drain --persistent --confirm 1000 --messages 1000000
  # fan-out to ten queues
  leveret bench --exchange f --type fanout --queues 10 --auto-ack --time 5s
  # 10,000 topic bindings
  leveret bench --exchange t --type topic --bindings 10000 --routing-keys 1000 --auto-ack --time 5s
  # declares, connections and channels per second
  leveret bench --declares 10000 --durable yes --pipeline 100
  leveret bench --open-connections 5000 --parallel 4
  leveret bench --open-channels 50000 --pipeline 100`

// Command is `leveret bench`.
func Command() *cobra.Command {
	o := DefaultOptions()
	cmd := &cobra.Command{
		Use:           "bench",
		Short:         "Load a broker and measure it",
		Long:          long,
		Example:       examples,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: false,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return execute(ctx, o, cmd)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	loadFlags(flags, &o.Load)
	lengthFlags(flags, &o.Length)
	routingFlags(flags, &o.Routing)
	brokerFlags(flags, &o.Broker)
	modeFlags(flags, &o.Mode)
	flags.BoolVar(&o.Output.JSON, "json", false, "print the result as JSON")
	flags.BoolVar(&o.Output.Quiet, "quiet", false, "no progress each second")
	return cmd
}

// execute runs and prints. A result with faults is printed and is an error.
func execute(ctx context.Context, o Options, cmd *cobra.Command) error {
	if ctx == nil {
		ctx = context.Background()
	}
	progress := cmd.ErrOrStderr()
	if o.Output.Quiet {
		progress = nil
	}
	result, err := Run(ctx, o, progress)
	if err != nil {
		return err
	}
	if err := result.print(cmd.OutOrStdout(), o.Output.JSON); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return result.fault()
}

func loadFlags(f *pflag.FlagSet, l *LoadOptions) {
	f.IntVarP(&l.Producers, "producers", "x", l.Producers, "producers, one connection each")
	f.IntVarP(&l.Consumers, "consumers", "y", l.Consumers, "consumers, one connection each")
	f.IntVarP(&l.Size, "size", "s", l.Size, "body size in bytes; verification and latency need 24")
	f.BoolVar(&l.Persistent, "persistent", l.Persistent, "delivery mode 2, durable queues")
	f.BoolVar(&l.Mandatory, "mandatory", l.Mandatory, "ask for what cannot be routed to be returned")
	f.IntVarP(&l.Confirm, "confirm", "c", l.Confirm, "publisher confirms with that many outstanding per producer; 0: none")
	f.IntVarP(&l.Prefetch, "qos", "q", l.Prefetch, "prefetch of each consumer; 0: unlimited")
	f.BoolVarP(&l.AutoAck, "auto-ack", "a", l.AutoAck, "consume without acknowledgements")
	f.IntVarP(&l.MultiAck, "multi-ack", "A", l.MultiAck, "acknowledge that many deliveries at once")
	f.Float64VarP(&l.Rate, "rate", "r", l.Rate, "messages per second of each producer; 0: unlimited")
	f.DurationVarP(&l.ConsumerLatency, "consumer-latency", "L", l.ConsumerLatency, "work time per delivery")
	f.BoolVar(&l.HoldFirst, "hold-first", l.HoldFirst, "never acknowledge a consumer's first delivery")
}

func lengthFlags(f *pflag.FlagSet, l *LengthOptions) {
	f.DurationVarP(&l.Time, "time", "z", l.Time, "run for that long; 0: until --messages or Ctrl-C")
	f.DurationVar(&l.Warmup, "warmup", l.Warmup, "leave that much of the beginning out of the figures")
	f.Uint64VarP(&l.Messages, "messages", "C", l.Messages, "messages per producer; 0: unlimited")
	f.DurationVar(&l.Grace, "grace", l.Grace, "give up when nothing moves for that long")
	f.BoolVar(&l.Fill, "fill", l.Fill, "publish first, without consumers; the queues stay unless --drain is given too")
	f.BoolVar(&l.Drain, "drain", l.Drain, "consume what the queues hold")
}

func routingFlags(f *pflag.FlagSet, r *RoutingOptions) {
	f.IntVar(&r.Queues, "queues", r.Queues, "number of queues, shared out among producers and consumers")
	f.StringVar(&r.Pattern, "queue-pattern", r.Pattern, "queue names")
	f.StringSliceVar(&r.QueueArgs, "queue-args", r.QueueArgs, "queue arguments, key=value,...")
	f.StringVar(&r.Durable, "durable", r.Durable, "durable queues and exchange: auto (as --persistent), yes, no")
	f.StringVarP(&r.Exchange, "exchange", "e", r.Exchange, "exchange to declare and use; default: straight to the queues")
	f.StringVarP(&r.Type, "type", "t", r.Type, "type of --exchange: direct, fanout, topic")
	f.StringVarP(&r.RoutingKeys, "routing-keys", "k", r.RoutingKeys, "routing keys: a number to generate, or a list")
	f.StringVar(&r.Bindings, "bindings", r.Bindings, "binding keys: a number to generate, or a list")
	f.BoolVar(&r.Keep, "keep", r.Keep, "leave queues and exchange behind")
	f.BoolVarP(&r.Passive, "passive", "p", r.Passive, "use queues and exchange that exist, as they are")
}

func brokerFlags(f *pflag.FlagSet, b *BrokerOptions) {
	f.StringVarP(&b.URI, "uri", "u", b.URI, "broker")
	f.IntVar(&b.PID, "broker-pid", b.PID, "broker's process on this machine: report its CPU and memory")
	f.IntVarP(&b.Heartbeat, "heartbeat", "b", b.Heartbeat, "heartbeat in seconds; -1: as the broker suggests")
	f.Uint32Var(&b.FrameMax, "frame-max", b.FrameMax, "frame_max in bytes; 0: as the broker suggests")
}

func modeFlags(f *pflag.FlagSet, m *ModeOptions) {
	f.IntVar(&m.Declares, "declares", 0, "measure: declare that many queues")
	f.IntVar(&m.Connections, "open-connections", 0, "measure: open that many connections")
	f.IntVar(&m.Channels, "open-channels", 0, "measure: open that many channels")
	f.IntVar(&m.Pipeline, "pipeline", m.Pipeline, "requests waiting for their answer on one connection")
	f.IntVar(&m.Parallel, "parallel", m.Parallel, "connections that ask at the same time")
	f.DurationVar(&m.Hold, "hold", 0, "keep connections or queues for that long before the memory is read again")
	f.BoolVar(&m.Relay, "relay", false, "measure: the same bytes through a bare TCP relay instead of a broker")
	f.IntVar(&m.RelayBuffer, "relay-buffer", m.RelayBuffer, "read size of --relay in bytes")
	f.StringVar(&m.FsyncDir, "fsync-probe", "", "measure: pwrite + fdatasync in that directory")
}
