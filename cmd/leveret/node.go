package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/cmd/leveret/config"
	"github.com/leveretmq/leveret/cmd/leveret/logs"
	"github.com/leveretmq/leveret/server"
)

// stopMax bounds a stop: exit within ten seconds of SIGTERM.
const stopMax = 10 * time.Second

// node is one run of `leveret server`.
type node struct {
	out, errOut io.Writer
	configure   func() (config.Options, error) // at the start, and again at SIGHUP

	logs   *logs.Logs
	logger *slog.Logger
	server *server.Server
	// exchange publishes the log; nil: it is not published.
	exchange *broker.LogExchange
}

// run runs a broker until SIGTERM or SIGINT, or until it fails.
func (n *node) run(ctx context.Context) error {
	o, err := n.configure()
	if err != nil {
		return err
	}
	if n.logs, err = logs.Open(o.Log, n.out, n.errOut); err != nil {
		return err
	}
	defer n.logs.Close()
	n.logger = n.logs.Logger()
	if o.Log.Exchange {
		n.exchange = broker.NewLogExchange(n.logger.Handler())
		n.logger = slog.New(n.exchange)
	}
	if o.PIDFile != "" {
		if err := os.WriteFile(o.PIDFile, fmt.Appendln(nil, os.Getpid()), 0o644); err != nil {
			return err
		}
		defer os.Remove(o.PIDFile)
	}
	ctx, cancel := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	if err := n.start(ctx, o); err != nil {
		n.logger.Error("cannot start", "err", err)
		return err
	}
	notify("READY=1\nSTATUS=accepting AMQP")
	failure := n.wait(ctx, hangup)
	notify("STOPPING=1")
	stopping, done := context.WithTimeout(context.Background(), stopMax)
	defer done()
	return errors.Join(failure, n.server.Shutdown(stopping))
}

// start starts the server and says so as RabbitMQ does: tools wait for these
// lines, in this order.
func (n *node) start(ctx context.Context, o config.Options) error {
	fmt.Fprintf(n.out, "\n  ##  ##      Leveret %s, compatible with RabbitMQ\n  Starting broker...\n", broker.Version)
	n.logger.Info(fmt.Sprintf("Starting RabbitMQ-compatible Leveret %s on %s", broker.Version, runtime.Version()))
	for _, file := range o.Files {
		n.logger.Info("config file(s) : " + file)
	}
	for _, w := range o.Warnings {
		n.logger.Warn(w)
	}
	so := serverOptions(o, n.logger)
	so.LogExchange = n.exchange
	s, err := server.Start(ctx, so)
	if err != nil {
		return err
	}
	n.server = s
	fmt.Fprintf(n.out, " completed with %d plugins.\n", len(o.Plugins))
	done := fmt.Sprintf("Server startup complete; %d plugins started.", len(o.Plugins))
	if !n.logs.Console(slog.LevelInfo) { // whoever waits for it looks here
		fmt.Fprintln(n.out, done)
	}
	for _, name := range o.Plugins {
		done += "\n * " + name
	}
	n.logger.Info(done)
	return nil
}

// wait returns when the node has to stop, with the error that ended it.
func (n *node) wait(ctx context.Context, hangup <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			n.notice("SIGTERM received - shutting down")
			return nil
		case err := <-n.server.Err():
			return err
		case <-hangup:
			n.reload(ctx)
		}
	}
}

// reload takes over what can change while the node runs. A configuration with
// errors changes nothing.
func (n *node) reload(ctx context.Context) {
	o, err := n.configure()
	if err == nil {
		n.logs.SetLevels(o.Log)
		err = errors.Join(n.logs.Reopen(), n.server.Reload(ctx))
	}
	if err != nil {
		n.logger.Error("configuration was not reloaded", "err", strings.ReplaceAll(err.Error(), "\n", "; "))
		return
	}
	n.notice("configuration was reloaded")
}

func (n *node) notice(text string) {
	n.logger.Log(context.Background(), logs.Level("notice"), text)
}
