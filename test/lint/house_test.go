// Package lint checks the house itself: what imports what, how large things
// are, what is documented, and that the documents speak of what exists. Rules
// are data where they can be; an exception has its reason beside it.
package lint

import (
	"bufio"
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/leveretmq/leveret"

// house is the whole module, parsed.
type house struct {
	root  string
	fset  *token.FileSet
	files []*file
}

// file is one Go source file.
type file struct {
	path      string // from the module's root, with slashes
	pkg       string // folder of the package, from the root
	syntax    *ast.File
	source    []byte
	lines     int
	test      bool // _test.go
	generated bool
}

// product tells whether the file is part of what is shipped: not a test, not
// of a test suite, not generated.
func (f *file) product() bool {
	return !f.test && !f.generated && !strings.HasPrefix(f.path, "test/")
}

// load parses every Go file of the module.
func load(t *testing.T) *house {
	t.Helper()
	h := &house{root: filepath.Join("..", ".."), fset: token.NewFileSet()}
	err := filepath.WalkDir(h.root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipped(d.Name()):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, ".go"):
			return h.add(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(h.files) < 50 {
		t.Fatalf("only %d Go files found below %s", len(h.files), h.root)
	}
	return h
}

func skipped(folder string) bool {
	return folder == "testdata" || folder == "node_modules" || folder == "bin" || folder == "data" ||
		strings.HasPrefix(folder, ".") && folder != "." && folder != ".."
}

func (h *house) add(name string) error {
	source, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	relative, err := filepath.Rel(h.root, name)
	if err != nil {
		return err
	}
	relative = filepath.ToSlash(relative)
	syntax, err := parser.ParseFile(h.fset, relative, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	h.files = append(h.files, &file{
		path: relative, pkg: path.Dir(relative), syntax: syntax, source: source,
		lines: bytes.Count(source, []byte("\n")), test: strings.HasSuffix(relative, "_test.go"), generated: ast.IsGenerated(syntax),
	})
	return nil
}

// at is a position as file:line.
func (h *house) at(p token.Pos) string {
	position := h.fset.Position(p)
	position.Column = 0
	return position.String()
}

// span is how many lines a node takes.
func (h *house) span(n ast.Node) int {
	return h.fset.Position(n.End()).Line - h.fset.Position(n.Pos()).Line + 1
}

// functions calls visit for every function and method, named as in
// "queue.Batch.Commit".
func (h *house) functions(f *file, visit func(name string, d *ast.FuncDecl)) {
	for _, decl := range f.syntax.Decls {
		if d, ok := decl.(*ast.FuncDecl); ok {
			name := f.pkg + "."
			if d.Recv != nil && len(d.Recv.List) > 0 {
				name += receiver(d.Recv.List[0].Type) + "."
			}
			visit(name+d.Name.Name, d)
		}
	}
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// document reads a text file of the project; the test fails without it.
func (h *house) document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.root, name))
	if err != nil {
		t.Fatalf("%s is missing: %v", name, err)
	}
	return string(text)
}

// exists tells whether the project has a file.
func (h *house) exists(name string) bool {
	_, err := os.Stat(filepath.Join(h.root, filepath.FromSlash(name)))
	return err == nil
}

// exceptions reads a list: what on the left, after two blanks or more the
// reason; empty lines and those that begin with # are left out.
func exceptions(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		what, reason, _ := strings.Cut(line, "  ")
		if reason = strings.TrimSpace(reason); reason == "" {
			t.Errorf("%s: %s has no reason", name, what)
		}
		list[what] = reason
	}
	return list
}
