// Command leveret is the broker and its tools.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/cmd/leveret/bench"
	"github.com/leveretmq/leveret/cmd/leveret/config"
)

func main() {
	root := &cobra.Command{
		Use:           "leveret",
		Short:         "A RabbitMQ-compatible work-queue message broker",
		Version:       broker.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serverCommand(), config.Command(), bench.Command(), namesCommand())
	root.SetArgs(arguments(os.Args))
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "leveret:", err)
		os.Exit(1)
	}
}
