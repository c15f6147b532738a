package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
)

// scenario is one dialogue. Its name is the prefix of every queue, exchange,
// user and policy it uses, so that scenarios may run side by side.
type scenario struct {
	Name     string   `json:"name"`
	Topic    string   `json:"topic"`
	Title    string   `json:"title"`
	Refs     []string `json:"refs"`
	Needs    []string `json:"needs"`
	Cleanup  cleanup  `json:"cleanup"`
	Steps    []step   `json:"steps"`
	Teardown []step   `json:"teardown"`
}

type cleanup struct {
	Queues    []string `json:"queues"`
	Exchanges []string `json:"exchanges"`
}

func (s scenario) needsHTTP() bool { return slices.Contains(s.Needs, "http") }

// step is one decoded step with its source, which failures quote.
type step struct {
	op     string
	source json.RawMessage
	action action
}

// action does a step within a play.
type action interface {
	run(p *play) error
}

// label holds what every step may carry besides its own keys.
type label struct {
	Op       string          `json:"op"`
	Note     string          `json:"note"`
	Title    string          `json:"title"`
	Observed json.RawMessage `json:"observed"`
}

// UnmarshalJSON decodes a step strictly: an unknown op or key is an error, so
// that no part of a scenario is passed over in silence.
func (s *step) UnmarshalJSON(b []byte) error {
	var head struct {
		Op string `json:"op"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return err
	}
	a := newAction(head.Op)
	if a == nil {
		return fmt.Errorf("unknown op %q", head.Op)
	}
	if err := strictly(b, a); err != nil {
		return fmt.Errorf("op %s: %w", head.Op, err)
	}
	*s = step{op: head.Op, source: slices.Clone(b), action: a}
	return nil
}

// strictly decodes JSON into v, refusing keys v does not have and keeping
// numbers as they are written.
func strictly(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

func newAction(op string) action {
	switch op {
	case "dial":
		return &dialStep{}
	case "connect":
		return &connectStep{}
	case "send":
		return &sendStep{}
	case "publish":
		return &publishStep{}
	case "header":
		return &headerStep{Class: 60}
	case "body":
		return &bodyStep{}
	case "frame":
		return &frameStep{}
	case "raw":
		return &rawStep{}
	case "expect":
		return &expectStep{}
	case "nothing":
		return &nothingStep{}
	case "confirms":
		return &confirmsStep{}
	case "drain":
		return &drainStep{}
	case "await":
		return &awaitStep{}
	case "http":
		return &httpStep{}
	case "sleep":
		return &sleepStep{}
	case "close-socket":
		return &closeStep{}
	}
	return nil
}

// load reads every scenario file of one folder, in the order of the files.
func load(fsys fs.FS, dir string) ([]scenario, error) {
	names, err := fs.Glob(fsys, path.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var out []scenario
	for _, name := range names {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		var file struct {
			Scenarios []scenario `json:"scenarios"`
		}
		if err := json.Unmarshal(b, &file); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, file.Scenarios...)
	}
	return out, nil
}
