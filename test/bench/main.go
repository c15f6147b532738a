package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	rows, generator, rabbit, scratch string
	noRabbit, list, strict           bool
	targets                          targets
	duration                         time.Duration
	runs                             int
	scale                            float64
}

// targets are builds of ours, name=path each.
type targets []*product

func (t *targets) String() string { return "" }

// Set adds one.
func (t *targets) Set(s string) error {
	name, path, ok := strings.Cut(s, "=")
	if !ok || name == "" || path == "" {
		return fmt.Errorf("must be name=path")
	}
	path, err := filepath.Abs(path)
	*t = append(*t, leveret(name, path))
	return err
}

func parse(args []string, stderr io.Writer) (*settings, error) {
	s := &settings{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&s.rows, "rows", "", "rows to measure, comma-separated (default: all)")
	f.BoolVar(&s.list, "list", false, "list the rows")
	f.Var(&s.targets, "target", "build of ours, name=path; may be given several times (default ours=bin/leveret)")
	f.StringVar(&s.generator, "generator", "bin/leveret", "build whose bench command makes the load")
	f.StringVar(&s.rabbit, "rabbitmq", "/usr/lib/rabbitmq/bin/rabbitmq-server", "RabbitMQ's server script")
	f.BoolVar(&s.noRabbit, "no-rabbitmq", false, "leave RabbitMQ out")
	f.StringVar(&s.scratch, "scratch", filepath.Join("data", "bench"), "directory for the brokers' data; on the disk that is to be measured")
	f.DurationVar(&s.duration, "duration", 3*time.Second, "time of one run")
	f.IntVar(&s.runs, "runs", 3, "runs per row")
	f.Float64Var(&s.scale, "scale", 1, "share of the messages in rows that count them")
	f.BoolVar(&s.strict, "strict", false, "exit with 1 when a bar is not met")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case s.duration < 100*time.Millisecond:
		return nil, fmt.Errorf("-duration %v: must be at least 100ms", s.duration)
	case s.runs < 1:
		return nil, fmt.Errorf("-runs %d: must be at least 1", s.runs)
	case s.scale <= 0 || s.scale > 1:
		return nil, fmt.Errorf("-scale %g: must be above 0 and at most 1", s.scale)
	}
	if len(s.targets) == 0 {
		return s, s.targets.Set("ours=bin/leveret")
	}
	return s, nil
}

// choose picks rows by key, in the table's order.
func choose(spec string) ([]row, error) {
	all := rows()
	if spec == "" {
		return all, nil
	}
	keys := strings.Split(spec, ",")
	for _, k := range keys {
		if !slices.ContainsFunc(all, func(w row) bool { return w.key == k }) {
			return nil, fmt.Errorf("-rows: no row %q (see -list)", k)
		}
	}
	return slices.DeleteFunc(all, func(w row) bool { return !slices.Contains(keys, w.key) }), nil
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	s, err := parse(args, progress)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if s.list {
		for _, w := range rows() {
			fmt.Fprintf(out, "%-20s %s\n", w.key, w.title)
		}
		return nil
	}
	chosen, err := choose(s.rows)
	if err != nil {
		return err
	}
	r, err := newRunner(s, progress)
	if err != nil {
		return err
	}
	return errors.Join(r.all(ctx, chosen, s.strict, out), r.close())
}

func newRunner(s *settings, progress io.Writer) (*runner, error) {
	generator, err := filepath.Abs(s.generator)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.scratch, 0o755); err != nil {
		return nil, err
	}
	scratch, err := filepath.Abs(s.scratch)
	if err != nil {
		return nil, err
	}
	if scratch, err = os.MkdirTemp(scratch, "run-"); err != nil {
		return nil, err
	}
	r := &runner{generator: generator, scratch: scratch, duration: s.duration, runs: s.runs, scale: s.scale, progress: progress, brokers: map[*product]*broker{}}
	switch _, err := exec.LookPath(s.rabbit); {
	case s.noRabbit:
	case err != nil:
		fmt.Fprintf(progress, "RabbitMQ is left out: %v (apt-get install rabbitmq-server, or -rabbitmq PATH)\n", err)
	default:
		r.products = append(r.products, rabbitMQ(s.rabbit))
	}
	r.products = append(r.products, s.targets...)
	return r, nil
}

// all measures the rows and prints the table; an interrupt prints what there is.
func (r *runner) all(ctx context.Context, chosen []row, strict bool, out io.Writer) error {
	var outcomes []*outcome
	var failed error
	for _, w := range chosen {
		o, err := r.measure(ctx, w)
		if err != nil {
			failed = err
			break
		}
		outcomes = append(outcomes, o)
	}
	markdown, met := r.table(outcomes)
	if _, err := io.WriteString(out, markdown); err != nil {
		return err
	}
	if failed == nil && strict && !met {
		return errors.New("a bar is not met")
	}
	return failed
}
