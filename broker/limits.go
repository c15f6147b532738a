package broker

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/leveretmq/leveret/broker/meta"
)

// limitNames are the limits that something may have, and how RabbitMQ words
// what it refuses.
type limitNames struct {
	what       string
	names      []string
	begin, end string
}

var (
	vhostLimits = limitNames{"limits", []string{"max-connections", "max-queues"}, "Validation failed\n\n", "\n"} // read-only
	userLimits  = limitNames{"user-limits", []string{"max-connections", "max-channels"}, "", ""}                 // read-only
)

func (l *limitNames) invalid(format string, args ...any) error {
	return invalid(l.begin+format+l.end, args...)
}

// parse reads an object of limits.
func (l *limitNames) parse(raw json.RawMessage) (meta.Limits, error) {
	values, ok := decodeObject(raw)
	if !ok {
		return nil, l.invalid("%s must be a JSON object", l.what)
	}
	var out meta.Limits
	unknown := slices.DeleteFunc(slices.Sorted(maps.Keys(values)), func(name string) bool { return slices.Contains(l.names, name) })
	if len(unknown) > 0 {
		return nil, l.invalid("Unrecognised terms %s in %s", erlangPairs(values, unknown), l.what)
	}
	for _, name := range l.names {
		v, ok := values[name]
		if !ok {
			continue
		}
		n, ok := whole(v)
		if !ok {
			return nil, l.invalid("%s should be a number, actually was %s", name, erlang(v))
		}
		if out == nil {
			out = meta.Limits{}
		}
		out[name] = n
	}
	return out, nil
}

// whole is a number without its fraction.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case float64:
		return int64(min(max(v, -1<<53), 1<<53)), true
	}
	return 0, false
}

// with is old and one limit more or changed.
func (l *limitNames) with(old meta.Limits, name string, value json.RawMessage) (meta.Limits, error) {
	all, err := json.Marshal(map[string]json.RawMessage{name: value})
	if err != nil {
		return nil, l.invalid("%s should be a number, actually was %s", name, value)
	}
	set, err := l.parse(all)
	if err != nil {
		return nil, err
	}
	return mergedLimits(old, set), nil
}

func mergedLimits(old, set meta.Limits) meta.Limits {
	merged := maps.Clone(old)
	if merged == nil {
		merged = meta.Limits{}
	}
	maps.Copy(merged, set)
	return merged
}

// withoutLimit is old without one limit, or without any when name is empty.
func withoutLimit(old meta.Limits, name string) meta.Limits {
	left := maps.Clone(old)
	delete(left, name)
	if name == "" || len(left) == 0 {
		return nil
	}
	return left
}
