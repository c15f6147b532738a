package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/server"
)

// stopMax bounds a stop: exit within ten seconds of SIGTERM.
const stopMax = 10 * time.Second

type serverFlags struct{ dataDir, amqp, http, config, logLevel, compatibility string }

func serverCommand() *cobra.Command {
	var f serverFlags
	c := &cobra.Command{
		Use:   "server",
		Short: "Run a broker",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runServer(c.Context(), f, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().StringVar(&f.dataDir, "data-dir", "data", "directory that holds everything durable")
	c.Flags().StringVar(&f.amqp, "amqp", ":5672", "HOST:PORT to accept AMQP 0-9-1 on")
	c.Flags().StringVar(&f.http, "http", ":15672", "HOST:PORT of the management API")
	c.Flags().StringVar(&f.config, "config", "", "configuration file (it has to exist; no key has a meaning yet)")
	c.Flags().StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	c.Flags().StringVar(&f.compatibility, "compatibility", "", "RabbitMQ version whose answers are given: 3.10, 3.13 or 4.3")
	return c
}

// check refuses flags that cannot mean anything, naming them.
func (f serverFlags) check() (level slog.Level, err error) {
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return 0, fmt.Errorf("--log-level %q: must be debug, info, warn or error", f.logLevel)
	}
	for flag, addr := range map[string]string{"--amqp": f.amqp, "--http": f.http} {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return 0, fmt.Errorf("%s %q: must be HOST:PORT", flag, addr)
		}
	}
	if f.dataDir == "" {
		return 0, errors.New("--data-dir must not be empty")
	}
	if f.config != "" {
		if _, err := os.Stat(f.config); err != nil {
			return 0, fmt.Errorf("--config: %w", err)
		}
	}
	return level, nil
}

// runServer runs a broker until SIGTERM or SIGINT, or until it fails.
func runServer(ctx context.Context, f serverFlags, out, errOut io.Writer) error {
	level, err := f.check()
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	s, err := server.Start(ctx, server.Options{DataDir: f.dataDir, AMQP: f.amqp, HTTP: f.http, Compatibility: f.compatibility,
		Logger: slog.New(slog.NewTextHandler(errOut, &slog.HandlerOptions{Level: level}))})
	if err != nil {
		return err
	}
	// The lines that tools wait for (RabbitMQ's boot lines).
	fmt.Fprintf(out, "  ##  ##      RabbitMQ-compatible: Leveret %s\n\n  Starting broker... completed with 0 plugins.\n", broker.Version)
	fmt.Fprintf(out, "started TCP listener on %s\nServer startup complete; 0 plugins started.\n", s.Addr())
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-s.Err():
	}
	stopping, done := context.WithTimeout(context.Background(), stopMax)
	defer done()
	return errors.Join(failure, s.Shutdown(stopping))
}
