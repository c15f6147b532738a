package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
)

// programs are RabbitMQ's programs that the binary is when it is called by
// their names, each with the arguments that this stands for. The image has a
// link for each.
var programs = map[string][]string{ // read-only
	"rabbitmq-server": {"server", "--as-rabbitmq"},
}

// arguments are those for the root command.
func arguments(argv []string) []string {
	return slices.Concat(programs[filepath.Base(argv[0])], argv[1:])
}

// namesCommand lists the names, for those who make the links.
func namesCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "names",
		Short:  "List the names of RabbitMQ's programs that a link to this binary may have",
		Hidden: true,
		Args:   cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) {
			for _, name := range slices.Sorted(maps.Keys(programs)) {
				fmt.Fprintln(c.OutOrStdout(), name)
			}
		},
	}
}
