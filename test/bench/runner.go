package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// A runner measures rows on products.
type runner struct {
	generator string
	scratch   string
	duration  time.Duration
	runs      int
	// scale shrinks the rows that count messages; 1 is the promised size.
	scale    float64
	products []*product
	progress io.Writer
	brokers  map[*product]*broker
}

func (r *runner) scaled(n int) int { return max(int(float64(n)*r.scale), 1) }

// An outcome is a row's cells.
type outcome struct {
	row      row
	baseline []figure
	figures  map[*product][]figure
	failed   map[*product]error
}

// measure does all runs of a row, the products taking turns.
func (r *runner) measure(ctx context.Context, w row) (*outcome, error) {
	o := &outcome{row: w, figures: map[*product][]figure{}, failed: map[*product]error{}}
	var baselines [][]figure
	all := map[*product][][]figure{}
	runs := r.runs
	if w.once {
		runs = 1
	}
	for i := range runs {
		fmt.Fprintf(r.progress, "%s: run %d of %d\n", w.key, i+1, runs)
		if w.baseline != nil {
			b, err := w.baseline(ctx, r)
			if err != nil {
				return nil, fmt.Errorf("%s: baseline: %w", w.key, err)
			}
			baselines = append(baselines, b)
		}
		for _, p := range r.products {
			if o.failed[p] != nil || p.slow && (w.ours || w.long && i > 0) {
				continue
			}
			figures, err := r.once(ctx, w, p)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				o.failed[p] = err
				fmt.Fprintf(r.progress, "  %-12s failed: %v\n", p.name, err)
				continue
			}
			fmt.Fprintf(r.progress, "  %-12s %s\n", p.name, list(figures))
			all[p] = append(all[p], figures)
		}
	}
	if baselines != nil {
		o.baseline = combine(baselines)
	}
	for p, f := range all {
		o.figures[p] = combine(f)
	}
	return o, nil
}

// once does one run; a broker that failed it is not used again.
func (r *runner) once(ctx context.Context, w row, p *product) ([]figure, error) {
	b, err := r.broker(ctx, w, p)
	if err != nil {
		return nil, err
	}
	figures, err := w.measure(ctx, r, b)
	if err != nil || w.fresh {
		return figures, errors.Join(err, r.drop(p))
	}
	return figures, b.sleep()
}

// broker gives the product's broker, awake; a new one where it is wanted.
func (r *runner) broker(ctx context.Context, w row, p *product) (*broker, error) {
	if b := r.brokers[p]; b != nil && !w.fresh {
		return b, b.wake()
	}
	if err := r.drop(p); err != nil {
		return nil, err
	}
	b, err := newBroker(ctx, p, r.scratch)
	if err != nil {
		return nil, err
	}
	r.brokers[p] = b
	return b, nil
}

// drop stops a product's broker and deletes its directory.
func (r *runner) drop(p *product) error {
	b := r.brokers[p]
	if b == nil {
		return nil
	}
	delete(r.brokers, p)
	return errors.Join(b.stop(), b.remove())
}

// close stops every broker and removes the scratch directory.
func (r *runner) close() error {
	var errs []error
	for _, p := range r.products {
		errs = append(errs, r.drop(p))
	}
	return errors.Join(append(errs, os.RemoveAll(r.scratch))...)
}

// table is the markdown of all outcomes. The bars judge the first product that
// is not slow.
func (r *runner) table(outcomes []*outcome) (markdown string, met bool) {
	met = true
	ours := r.products[slices.IndexFunc(r.products, func(p *product) bool { return !p.slow })]
	line := "| case |"
	rule := "|---|"
	for _, p := range r.products {
		line += " " + p.name + " |"
		rule += "---|"
	}
	markdown = line + " bar | |\n" + rule + "---|---|\n"
	for _, o := range outcomes {
		asked, verdict := judge(o.row.bars, o.figures[ours], o.baseline)
		if o.failed[ours] != nil {
			verdict = "FAILED"
		}
		if o.baseline != nil {
			asked += " (bare: " + list(o.baseline) + ")"
		}
		met = met && verdict == "met"
		line := "| " + o.row.title + " |"
		for _, p := range r.products {
			line += " " + o.cell(p) + " |"
		}
		markdown += line + " " + asked + " | " + verdict + " |\n"
	}
	return markdown, met
}

func (o *outcome) cell(p *product) string {
	switch {
	case o.failed[p] != nil:
		return "failed"
	case o.figures[p] == nil:
		return "-"
	}
	return list(o.figures[p])
}
