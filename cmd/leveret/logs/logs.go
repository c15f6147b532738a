// Package logs writes the node's log where the configuration says: to the
// console and to a file that is put aside when it has grown. A line has
// RabbitMQ's form, so that what is searched for in logs is found:
//
//	2026-11-25 12:00:00.123456+00:00 [info] <0.1.0> text
//
// or is a JSON object. Two attributes have a meaning: domain is the category
// that log.CATEGORY.level speaks of, pid takes the place of <0.1.0>.
package logs

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/leveretmq/leveret/cmd/leveret/config"
)

// Logs are the outputs of one node. Its handlers may be used by any goroutine.
type Logs struct {
	sinks  []*sink
	levels atomic.Pointer[levels]
	file   *rotating // nil: none
}

// sink is one place that lines go to.
type sink struct {
	output int // consoleOutput or fileOutput
	json   bool

	mu sync.Mutex // guards w and buf
	w  io.Writer
	// buf is kept between lines.
	buf []byte
}

const (
	consoleOutput = iota
	fileOutput
)

// Open opens what o names. Close ends it.
func Open(o config.Log, stdout, stderr io.Writer) (*Logs, error) {
	l := &Logs{}
	l.SetLevels(o)
	if o.Console.On {
		w := stdout
		if o.ToStderr {
			w = stderr
		}
		l.sinks = append(l.sinks, &sink{output: consoleOutput, json: o.Console.JSON, w: w})
	}
	if !o.File.On {
		return l, nil
	}
	name := o.FileName
	if !filepath.IsAbs(name) {
		name = filepath.Join(o.Dir, name)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		return nil, err
	}
	file, err := openRotating(name, o.Rotation)
	if err != nil {
		return nil, err
	}
	l.file = file
	l.sinks = append(l.sinks, &sink{output: fileOutput, json: o.File.JSON, w: file})
	return l, nil
}

// Logger writes to all outputs.
func (l *Logs) Logger() *slog.Logger { return slog.New(l.handler()) }

// SetLevels changes which lines are written.
func (l *Logs) SetLevels(o config.Log) { l.levels.Store(newLevels(o)) }

// Console says whether lines of a level go to the console.
func (l *Logs) Console(level slog.Level) bool {
	for _, s := range l.sinks {
		if s.output == consoleOutput {
			return l.levels.Load().pass(consoleOutput, "", level)
		}
	}
	return false
}

// Reopen opens the file by its name again, for those who move it away.
func (l *Logs) Reopen() error {
	if l.file == nil {
		return nil
	}
	return l.file.reopen()
}

// Close ends the file.
func (l *Logs) Close() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
