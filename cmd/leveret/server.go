package main

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leveretmq/leveret/cmd/leveret/config"
)

func serverCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "server",
		Short: "Run a broker",
		Long: `Run a broker. Flags replace environment variables (RABBITMQ_*), which replace
the configuration file; "leveret config --help" says more.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			n := node{out: c.OutOrStdout(), errOut: c.ErrOrStderr(), configure: func() (config.Options, error) {
				return configured(c.Flags(), os.Environ())
			}}
			return n.run(c.Context())
		},
	}
	f := c.Flags()
	f.String("config", "", "configuration file in the form of rabbitmq.conf")
	f.String("data-dir", "data", "directory that holds everything durable")
	f.String("amqp", ":5672", "HOST:PORT to accept AMQP 0-9-1 on, in place of listeners.tcp")
	f.String("http", ":15672", "HOST:PORT of the management API; port 0 is none")
	f.String("metrics", ":15692", "HOST:PORT of the Prometheus metrics; port 0 is none")
	f.String("log-level", "info", "debug, info, warning or error")
	f.Bool("as-rabbitmq", false, "look for files where RabbitMQ does: /etc/rabbitmq, /var/lib/rabbitmq; what a link named rabbitmq-server does")
	f.String("compatibility", "", "RabbitMQ version whose answers are given: 3.10, 3.13 or 4.3")
	return c
}

// configured reads all that the node is told.
func configured(flags *pflag.FlagSet, environ []string) (config.Options, error) {
	src := config.Sources{Environ: environ, Default: config.Default()}
	src.Default.DataDir = flags.Lookup("data-dir").DefValue
	if as, _ := flags.GetBool("as-rabbitmq"); as { // it is a bool
		asRabbitMQ(&src)
	}
	var errs []error
	flags.Visit(func(f *pflag.Flag) {
		s := config.Setting{Value: f.Value.String(), Origin: "--" + f.Name}
		switch f.Name {
		case "config":
			src.File = s.Value
		case "data-dir":
			s.Key = "data_dir"
		case "amqp":
			s.Key = config.FlagListener
		case "http":
			errs = append(errs, webFlag(&src, "management", s))
		case "metrics":
			errs = append(errs, webFlag(&src, "prometheus", s))
		case "log-level":
			s.Key = "log.level"
			if s.Value == "warn" { // as slog says it
				s.Value = "warning"
			}
		case "compatibility":
			s.Key = "compatibility"
		}
		if s.Value == "" {
			errs = append(errs, fmt.Errorf("%s must not be empty", s.Origin))
		} else if s.Key != "" {
			src.Flags = append(src.Flags, s)
		}
	})
	if err := errors.Join(errs...); err != nil {
		return config.Options{}, err
	}
	return config.Load(src)
}

// asRabbitMQ sets RabbitMQ's places and name. The data is not in mnesia/NODE,
// where a RabbitMQ of before may have left its own; and in a container, whose
// host name changes, it is found again.
func asRabbitMQ(src *config.Sources) {
	src.Root = "/etc/rabbitmq"
	src.Default.DataDir = "/var/lib/rabbitmq/leveret"
	src.Default.NodeName = "rabbit"
}

// webFlag splits an address into the two keys it stands for.
func webFlag(src *config.Sources, prefix string, s config.Setting) error {
	host, port, err := net.SplitHostPort(s.Value)
	if err != nil {
		return fmt.Errorf("%s: must be HOST:PORT", s.Origin)
	}
	src.Flags = append(src.Flags, config.Setting{Key: prefix + ".tcp.port", Value: port, Origin: s.Origin})
	if host != "" {
		src.Flags = append(src.Flags, config.Setting{Key: prefix + ".tcp.ip", Value: host, Origin: s.Origin})
	}
	return nil
}
