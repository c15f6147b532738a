package lint

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// table says what each package may import beside the standard library: ours,
// which is always of a lower layer, and of others. It is a statement of policy:
// a new line is a decision.
var table = map[string]allowed{ // read-only
	// layer 0
	"amqp/wire":              {},
	"amqp/wire/internal/gen": {},
	"persistence":            {third: []string{"go.etcd.io/bbolt", "golang.org/x/sys"}},
	// layer 1
	"exchange": {ours: []string{"amqp/wire"}},
	"queue":    {ours: []string{"amqp/wire"}},
	// layer 2
	"broker/meta": {ours: []string{"amqp/wire"}},
	"broker":      {ours: []string{"amqp/wire", "exchange", "queue", "broker/meta"}, third: []string{"github.com/dlclark/regexp2"}},
	// layer 3
	"amqp": {ours: []string{"amqp/wire", "queue", "broker"}, third: []string{"golang.org/x/sys"}},
	"mgmt": {ours: []string{"amqp/wire", "exchange", "queue", "broker", "broker/meta"}, third: []string{"github.com/gorilla/mux", "github.com/prometheus/client_golang"}},
	// layer 4
	"server":            {ours: []string{"amqp", "amqp/wire", "broker", "broker/meta", "exchange", "mgmt", "persistence", "queue"}},
	"server/servertest": {ours: []string{"server"}},
	// layer 5
	"cmd/leveret": {ours: []string{"server", "amqp", "broker", "mgmt", "cmd/leveret/bench", "cmd/leveret/config", "cmd/leveret/logs"},
		third: []string{"github.com/spf13/cobra", "github.com/spf13/pflag"}},
	"cmd/leveret/config": {third: []string{"github.com/spf13/cobra"}},
	"cmd/leveret/logs":   {ours: []string{"cmd/leveret/config"}},
	"cmd/leveret/bench":  {ours: []string{"amqp/wire"}, third: []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/sys"}},
	// black-box suites: nothing of the broker's inside
	"test/bench":          {ours: []string{"server/servertest"}},
	"test/clients":        {ours: []string{"server/servertest", "test/harness", "test/harness/client"}},
	"test/conformance":    {ours: []string{"server/servertest", "test/harness"}},
	"test/crash":          {ours: []string{"test/harness", "test/harness/client"}},
	"test/deploy":         {ours: []string{"server/servertest", "test/harness"}},
	"test/harness":        {},
	"test/harness/client": {third: []string{"github.com/rabbitmq/amqp091-go"}},
	"test/lint":           {},
	"test/management":     {ours: []string{"server", "server/servertest"}, third: []string{"github.com/michaelklishin/rabbit-hole/v2"}},
}

// inTests is what a package's tests may import beside what the package may: a
// client, and a check for goroutines left behind.
var inTests = []string{"github.com/rabbitmq/amqp091-go", "go.uber.org/goleak"} // read-only

// alsoInTests is what the tests of one package may import beyond that, of ours.
var alsoInTests = map[string][]string{ // read-only
	"amqp":              {"broker/meta"},
	"server":            {"server/servertest"},
	"server/servertest": {"server/servertest"},
}

type allowed struct{ ours, third []string }

// TestImports holds every import against the table.
func TestImports(t *testing.T) {
	h := load(t)
	seen := map[string]bool{}
	for _, f := range h.files {
		rule, listed := table[f.pkg]
		if !listed {
			if !seen[f.pkg] {
				t.Errorf("package %s is not in the import table", f.pkg)
			}
			seen[f.pkg] = true
			continue
		}
		seen[f.pkg] = true
		for _, spec := range f.syntax.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !rule.allows(f, name) {
				t.Errorf("%s: %s may not import %s", h.at(spec.Pos()), f.pkg, name)
			}
		}
	}
	for pkg := range table {
		if !seen[pkg] {
			t.Errorf("the import table speaks of %s, which does not exist", pkg)
		}
	}
}

func (a allowed) allows(f *file, name string) bool {
	if ours, ok := strings.CutPrefix(name, module+"/"); ok {
		return slices.Contains(a.ours, ours) || f.test && (slices.Contains(alsoInTests[f.pkg], ours) || ours == f.pkg)
	}
	if !strings.Contains(strings.SplitN(name, "/", 2)[0], ".") {
		return name != "C" // the standard library, and no cgo: the binary is static
	}
	under := func(prefix string) bool { return name == prefix || strings.HasPrefix(name, prefix+"/") }
	return slices.ContainsFunc(a.third, under) || f.test && slices.ContainsFunc(inTests, under)
}

// TestTableIsDownward shows that the table itself has no cycle, so that its
// layers exist.
func TestTableIsDownward(t *testing.T) {
	const (
		entered = 1
		left    = 2
	)
	state := map[string]int{}
	var visit func(pkg string, way []string)
	visit = func(pkg string, way []string) {
		way = append(way, pkg)
		switch state[pkg] {
		case entered:
			t.Errorf("cycle: %s", strings.Join(way, " → "))
			return
		case left:
			return
		}
		state[pkg] = entered
		for _, lower := range table[pkg].ours {
			if _, ok := table[lower]; !ok {
				t.Errorf("%s may import %s, which is not in the table", pkg, lower)
			}
			visit(lower, way)
		}
		state[pkg] = left
	}
	for pkg := range table {
		visit(pkg, nil)
	}
}

// TestPackageNames refuses names that say nothing.
func TestPackageNames(t *testing.T) {
	for _, f := range load(t).files {
		for _, name := range strings.Split(f.pkg, "/") {
			switch name {
			case "common", "util", "utils", "types", "models", "interfaces", "helpers", "misc":
				t.Errorf("%s: a package named %s says nothing", f.path, name)
			}
		}
	}
}
