package config

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

const long = `Check configuration files without starting a node.

Settings come from, later ones replacing earlier ones: the defaults;
RABBITMQ_NODE_PORT, RABBITMQ_NODE_IP_ADDRESS, RABBITMQ_LOG and RABBITMQ_LOGS; the
configuration file; the files of conf.d in alphabetical order (RABBITMQ_CONFIG_FILES);
advanced.config (RABBITMQ_ADVANCED_CONFIG_FILE); all other RABBITMQ_* variables; flags.`

// Command is `leveret config`.
func Command() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Check configuration files", Long: long}
	c.AddCommand(&cobra.Command{
		Use:   "check [FILE]",
		Short: "Say what is wrong with the configuration, and what in it has no effect",
		Long: `Read the configuration as "leveret server" would, FILE in place of the one that
the environment names. Warnings and errors go to standard output; the exit code
is 1 when a node would refuse to start.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			src := Sources{Environ: os.Environ(), Default: Default()}
			if len(args) == 1 {
				src.File = args[0]
			}
			return check(src, c.OutOrStdout())
		},
	})
	return c
}

func check(src Sources, out io.Writer) error {
	o, err := Load(src)
	for _, w := range o.Warnings {
		fmt.Fprintln(out, "warning:", w)
	}
	for _, file := range o.Files {
		fmt.Fprintln(out, "read:", file)
	}
	if err != nil {
		fmt.Fprintln(out, err)
		return fmt.Errorf("the configuration has errors")
	}
	fmt.Fprintln(out, "the configuration is good")
	return nil
}
