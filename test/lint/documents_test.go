package lint

import (
	"bytes"
	"go/ast"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const architecture = "docs/architecture.md"

// TestWayOfAMessage: the files that the architecture names exist, and the way
// of one message has no more than eight between the socket and the log.
func TestWayOfAMessage(t *testing.T) {
	h := load(t)
	text := h.document(t, architecture)
	named := regexp.MustCompile("`([a-z0-9_/]+\\.go)`").FindAllStringSubmatch(text, -1)
	distinct := map[string]bool{}
	for _, m := range named {
		distinct[m[1]] = true
		if !h.exists(m[1]) {
			t.Errorf("%s names %s, which does not exist", architecture, m[1])
		}
	}
	if len(distinct) < 8 {
		t.Errorf("%s names %d files, and not the eight of the way of one message", architecture, len(distinct))
	}
}

// TestGoroutinesAreListed: every go statement of the product is accounted for in
// the architecture's list of goroutines, by file or by function, and says at
// its line who ends it.
func TestGoroutinesAreListed(t *testing.T) {
	h := load(t)
	_, list, found := strings.Cut(h.document(t, architecture), "## Goroutines")
	if !found {
		t.Fatalf("%s has no section Goroutines", architecture)
	}
	list, _, _ = strings.Cut(list, "\n## ")
	who := regexp.MustCompile(`\b(ends?|until|same)\b`)
	for _, f := range h.files {
		if !f.product() || strings.HasPrefix(f.path, "cmd/leveret/bench") {
			continue // a load tool ends with its run
		}
		h.functions(f, func(name string, d *ast.FuncDecl) {
			ast.Inspect(d, func(n ast.Node) bool {
				if !starts(n) {
					return true
				}
				if !strings.Contains(list, f.path) && !mentions(list, f.pkg) {
					t.Errorf("%s: %s starts a goroutine that %s does not list", h.at(n.Pos()), name, architecture)
				}
				if !who.MatchString(h.lineComment(f, n) + h.endComment(f, n)) {
					t.Errorf("%s: say at the line who ends the goroutine", h.at(n.Pos()))
				}
				return true
			})
		})
	}
}

// mentions tells whether the list has a line for a whole package.
func mentions(list, pkg string) bool { return strings.Contains(list, "`"+pkg+"`") }

// starts tells whether a node starts a goroutine: a go statement, or
// sync.WaitGroup's Go.
func starts(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		return true
	case *ast.CallExpr:
		s, ok := n.Fun.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "Go" && len(n.Args) == 1
	}
	return false
}

// endComment is the comment on the last line of a node.
func (h *house) endComment(f *file, n ast.Node) string {
	line := h.fset.Position(n.End()).Line
	for _, group := range f.syntax.Comments {
		if h.fset.Position(group.Pos()).Line == line {
			return group.Text()
		}
	}
	return ""
}

// TestGeneratedFilesAreUpToDate runs the generator beside the file it wrote.
func TestGeneratedFilesAreUpToDate(t *testing.T) {
	h := load(t)
	const name = "amqp/wire/methods_gen.go"
	out := filepath.Join(t.TempDir(), "methods_gen.go")
	cmd := exec.Command("go", "run", "./internal/gen", "-o", out)
	cmd.Dir = filepath.Join(h.root, "amqp", "wire")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the generator: %v\n%s", err, text)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.document(t, name); !bytes.Equal(want, []byte(got)) {
		t.Errorf("%s is not what make generate writes", name)
	}
	for _, f := range h.files {
		if f.generated != strings.HasSuffix(f.path, "_gen.go") {
			t.Errorf("%s: generated files, and only they, end in _gen.go and carry the header", f.path)
		}
	}
}

// TestDocumentsNameWhatExists follows the links of README and docs to files.
func TestDocumentsNameWhatExists(t *testing.T) {
	h := load(t)
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`)
	pages, err := filepath.Glob(filepath.Join(h.root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := filepath.Glob(filepath.Join(h.root, "docs", "decisions", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, decisions...)
	for _, page := range append(pages, filepath.Join(h.root, "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
			}
		}
	}
}

// TestMakefile: help is the first target, and every target has its line in it.
func TestMakefile(t *testing.T) {
	text := load(t).document(t, "Makefile")
	targets := regexp.MustCompile(`(?m)^([a-z]+):.*$`).FindAllStringSubmatch(text, -1)
	if len(targets) == 0 || targets[0][1] != "help" {
		t.Error("help is not the first target")
	}
	for _, target := range targets {
		if !strings.Contains(target[0], "## ") {
			t.Errorf("target %s has no line for help", target[1])
		}
	}
}
