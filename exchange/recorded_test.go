package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// recordedCase is one dialogue with RabbitMQ 3.10.8, as testdata/matching.json
// has it: what was bound, what was published, and which bodies each queue got.
type recordedCase struct {
	Name     string
	Kind     string
	Bindings []struct {
		Queue string
		Key   string
		Args  map[string]recordedValue
	}
	Messages []struct {
		Body    string
		Key     string
		Headers map[string]recordedValue
	}
	Arrived map[string][]string
	Refused string // the reply-text of the bind, when it was refused
}

// recordedValue is a field value, written as its type letter and its value.
type recordedValue struct{ value any }

func (r *recordedValue) UnmarshalJSON(b []byte) error {
	var parts [2]json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	var letter string
	if err := json.Unmarshal(parts[0], &letter); err != nil {
		return err
	}
	var err error
	switch letter {
	case "V":
	case "t":
		r.value, err = decode[bool](parts[1])
	case "b":
		r.value, err = decode[int8](parts[1])
	case "I":
		r.value, err = decode[int32](parts[1])
	case "l":
		r.value, err = decode[int64](parts[1])
	case "d":
		r.value, err = decode[float64](parts[1])
	case "S":
		r.value, err = decode[string](parts[1])
	default:
		err = fmt.Errorf("no type %q in the recordings", letter)
	}
	return err
}

func decode[T any](b []byte) (any, error) {
	var v T
	err := json.Unmarshal(b, &v)
	return v, err
}

func recordedTable(m map[string]recordedValue) wire.Table {
	var t wire.Table
	for name, v := range m {
		t = append(t, wire.Field{Name: name, Value: v.value})
	}
	return t
}

func recordings(t *testing.T) []recordedCase {
	t.Helper()
	b, err := os.ReadFile("testdata/matching.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []recordedCase
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestRecorded(t *testing.T) {
	for _, c := range recordings(t) {
		t.Run(c.Name, func(t *testing.T) {
			if c.Refused != "" {
				c.checkRefused(t)
				return
			}
			router, ids := c.bind(t)
			got := c.publish(router, ids)
			for queue, want := range c.Arrived {
				if !slices.Equal(got[queue], want) {
					t.Errorf("queue %s\n got %q\nwant %q", queue, got[queue], want)
				}
			}
		})
	}
}

// bind gives the router, and the queues' names by their ids.
func (c *recordedCase) bind(t *testing.T) (Router, []string) {
	t.Helper()
	router := mustNew(t, c.Kind)
	var queues []string
	for _, b := range c.Bindings {
		if err := CheckBinding(c.Kind, nil, Binding{Args: recordedTable(b.Args)}); err != nil {
			t.Fatal(err)
		}
		id := slices.Index(queues, b.Queue)
		if id < 0 {
			id, queues = len(queues), append(queues, b.Queue)
		}
		router = router.Bind(Binding{Dest: Dest{ID: uint64(id)}, Key: b.Key, Args: recordedTable(b.Args)})
	}
	return router, queues
}

// publish gives the bodies that each queue gets, one for each copy.
func (c *recordedCase) publish(router Router, queues []string) map[string][]string {
	got := map[string][]string{}
	for _, m := range c.Messages {
		message := Message{Key: []byte(m.Key)}
		if m.Headers != nil {
			message.Headers = wire.AppendTable(nil, recordedTable(m.Headers))[4:]
		}
		for _, d := range router.Route(message, nil) {
			got[queues[d.ID]] = append(got[queues[d.ID]], m.Body)
		}
	}
	return got
}

func (c *recordedCase) checkRefused(t *testing.T) {
	t.Helper()
	err := CheckBinding(c.Kind, nil, Binding{Args: recordedTable(c.Bindings[0].Args)})
	var said *wire.Error
	if !errors.As(err, &said) || said.Code != wire.PreconditionFailed || said.Error() != c.Refused {
		t.Errorf("got %v, want %s", err, c.Refused)
	}
}

// TestRecordedIsComplete keeps a lost or empty file from passing.
func TestRecordedIsComplete(t *testing.T) {
	messages, kinds := 0, map[string]int{}
	for _, c := range recordings(t) {
		kinds[c.Kind]++
		messages += len(c.Messages)
	}
	if kinds["topic"] < 17 || kinds["headers"] < 14 || kinds["direct"] < 1 || kinds["fanout"] < 1 || messages < 500 {
		t.Errorf("only %v with %d messages", kinds, messages)
	}
}
