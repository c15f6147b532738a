package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bindings are the values seen so far in a scenario, by placeholder name.
type bindings map[string]string

// nowSlack is how far a received timestamp may be from the runner's clock.
const nowSlack = 60

var placeholder = regexp.MustCompile(`\$\{([A-Za-z0-9_-]+)\}`)

// fill puts bound values into a string that is to be sent. An unbound name is
// an error of the scenario; ${now} is the current time in seconds.
func (b bindings) fill(s string) (string, error) {
	var missing error
	out := placeholder.ReplaceAllStringFunc(s, func(p string) string {
		name := p[2 : len(p)-1]
		v, ok := b[name]
		if !ok && name == "now" {
			v, ok = strconv.FormatInt(time.Now().Unix(), 10), true
		}
		if !ok {
			missing = fmt.Errorf("%s is not bound", p)
		}
		return v
	})
	return out, missing
}

// fillAll does fill in every string inside v, which stays as it is.
func (b bindings) fillAll(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return b.fill(v)
	case map[string]any:
		return b.fillMap(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = b.fillAll(v[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

func (b bindings) fillMap(m map[string]any) (map[string]any, error) {
	if m == nil {
		return nil, nil
	}
	out := make(map[string]any, len(m))
	for name, v := range m {
		var err error
		if out[name], err = b.fillAll(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// event compares a received event with the wanted one. Placeholders are bound
// only when the whole event matches.
func (b bindings) event(want expectation, got event) error {
	trial := maps.Clone(b)
	if err := trial.compare(want, got); err != nil {
		return err
	}
	maps.Copy(b, trial)
	return nil
}

func (b bindings) compare(want expectation, got event) error {
	if want.Event != "" || got.kind != "" {
		if want.Event != got.kind || want.Data != "" && want.Data != got.detail {
			return fmt.Errorf("event differs")
		}
		return nil
	}
	if want.Ch != got.ch || want.Method != got.method.name {
		return fmt.Errorf("channel or method differs")
	}
	if id := []uint16{got.method.id.class, got.method.id.method}; want.ID != nil && !slices.Equal(want.ID, id) {
		return fmt.Errorf("id differs")
	}
	if err := b.fields("args", want.Args, got.args); err != nil {
		return err
	}
	return b.content(want, got)
}

func (b bindings) content(want expectation, got event) error {
	if !got.method.content {
		if want.Props != nil || want.Body != nil {
			return fmt.Errorf("content wanted, %s has none", got.method.name)
		}
		return nil
	}
	if err := b.fields("props", want.Props, got.props); err != nil {
		return err
	}
	body := ""
	if want.Body != nil {
		body = *want.Body
	}
	return b.text("body", body, string(got.body))
}

// fields compares method arguments or properties: the same names, each equal.
func (b bindings) fields(path string, want, got map[string]any) error {
	if err := sameNames(path, want, got); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if err := b.value(path+"."+name, want[name], got[name]); err != nil {
			return err
		}
	}
	return nil
}

func sameNames[W, G any](path string, want map[string]W, got map[string]G) error {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[name]; !ok {
			return fmt.Errorf("%s.%s is missing", path, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			return fmt.Errorf("%s.%s is not wanted", path, name)
		}
	}
	return nil
}

// value compares a decoded value with its notation.
func (b bindings) value(path string, want, got any) error {
	switch got := got.(type) {
	case string:
		if want, ok := want.(string); ok {
			return b.text(path, want, got)
		}
	case table:
		if want, ok := want.(map[string]any); ok {
			return b.table(path, want, got)
		}
	case []field:
		if want, ok := want.([]any); ok {
			return b.array(path, want, got)
		}
	case decimal:
		if want, ok := want.([]any); ok && len(want) == 2 {
			return firstError(b.value(path+".scale", want[0], got.scale), b.value(path+".unscaled", want[1], got.unscaled))
		}
	case uint64, int64:
		return b.number(path, want, fmt.Sprint(got))
	case float32, float64:
		return float(path, want, got)
	default: // bool and nil
		if want == got {
			return nil
		}
	}
	return differs(path)
}

func differs(path string) error { return fmt.Errorf("%s differs", path) }

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (b bindings) table(path string, want map[string]any, got table) error {
	if err := sameNames(path, want, got); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if err := b.field(path+"."+name, want[name], got[name]); err != nil {
			return err
		}
	}
	return nil
}

func (b bindings) array(path string, want []any, got []field) error {
	if len(want) != len(got) {
		return fmt.Errorf("%s has %d elements, want %d", path, len(got), len(want))
	}
	for i := range want {
		if err := b.field(fmt.Sprintf("%s[%d]", path, i), want[i], got[i]); err != nil {
			return err
		}
	}
	return nil
}

func (b bindings) field(path string, want any, got field) error {
	kind, value, err := typed(want)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if kind != got.kind {
		return fmt.Errorf("%s has type %q, want %q", path, got.kind, kind)
	}
	return b.value(path, value, got.value)
}

// number compares integers by value. "${now}" is a time within 60 s of now.
func (b bindings) number(path string, want any, got string) error {
	switch want := want.(type) {
	case json.Number:
		if want.String() == got {
			return nil
		}
	case string:
		if want == "${now}" {
			return recent(path, got)
		}
		return b.text(path, want, got)
	}
	return differs(path)
}

func recent(path, got string) error {
	seconds, err := strconv.ParseInt(got, 10, 64)
	if off := seconds - time.Now().Unix(); err != nil || off > nowSlack || off < -nowSlack {
		return fmt.Errorf("%s = %s is not within %d s of now", path, got, nowSlack)
	}
	return nil
}

func float(path string, want, got any) error {
	n, ok := want.(json.Number)
	if !ok {
		return differs(path)
	}
	f, err := n.Float64()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if single, ok := got.(float32); ok && single == float32(f) || got == f {
		return nil
	}
	return differs(path)
}

// text compares octets with the notation of a string, which may be a
// placeholder as a whole or contain bound ones.
func (b bindings) text(path, want, got string) error {
	if name, expression, ok := pattern(want); ok {
		return b.bind(path, name, expression, got)
	}
	filled, err := b.fill(want)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	wanted, err := octets(filled)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if wanted != got {
		return differs(path)
	}
	return nil
}

// pattern splits "${name~expression}"; "${any}" has an empty expression, which
// everything matches.
func pattern(s string) (name, expression string, ok bool) {
	inner, found := strings.CutPrefix(s, "${")
	inner, closed := strings.CutSuffix(inner, "}")
	if !found || !closed {
		return "", "", false
	}
	if name, expression, ok = strings.Cut(inner, "~"); ok && !strings.Contains(name, "}") {
		return name, expression, true
	}
	return "any", "", inner == "any"
}

func (b bindings) bind(path, name, expression, got string) error {
	re, err := regexp.Compile(expression)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !re.MatchString(got) {
		return fmt.Errorf("%s does not match %s", path, expression)
	}
	if name != "any" {
		b[name] = notation(got)
	}
	return nil
}
