package lint

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestExportedNamesAreDocumented looks at every exported name outside tests.
func TestExportedNamesAreDocumented(t *testing.T) {
	h := load(t)
	for _, f := range h.files {
		if f.test || f.generated {
			continue
		}
		for _, decl := range f.syntax.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc.Text() == "" {
					t.Errorf("%s: %s has no comment", h.at(d.Pos()), d.Name.Name)
				}
			case *ast.GenDecl:
				h.checkSpecs(t, d)
			}
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	return d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type))
}

// checkSpecs: a type needs its own comment, constants and variables one for
// their group or one each, fields of an exported struct and methods of an
// exported interface none.
func (h *house) checkSpecs(t *testing.T, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc.Text() == "" && d.Doc.Text() == "" {
				t.Errorf("%s: type %s has no comment", h.at(s.Pos()), s.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() && s.Doc.Text() == "" && s.Comment.Text() == "" && d.Doc.Text() == "" {
					t.Errorf("%s: %s has no comment", h.at(s.Pos()), name.Name)
				}
			}
		}
	}
}

// TestPackagesAreDocumented wants one package comment in each package that is
// not a test suite's own.
func TestPackagesAreDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range load(t).files {
		documented[f.pkg] = documented[f.pkg] || f.syntax.Doc.Text() != ""
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
}

// TestNoInitAndNoState refuses init functions and package variables that can
// change: no state is global, so that several brokers fit in one process.
func TestNoInitAndNoState(t *testing.T) {
	h := load(t)
	for _, f := range h.files {
		if f.generated && !f.product() {
			continue
		}
		for _, decl := range f.syntax.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "init" && d.Recv == nil {
					t.Errorf("%s: init function", h.at(d.Pos()))
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR && !f.test {
					h.checkVariables(t, f, d)
				}
			}
		}
	}
}

// checkVariables allows what does not change: sentinel errors, compiled
// expressions, embedded files, checks of an interface, pools, functions of
// sync, and tables that a comment calls read-only.
func (h *house) checkVariables(t *testing.T, f *file, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		s := spec.(*ast.ValueSpec)
		comment := d.Doc.Text() + s.Doc.Text() + s.Comment.Text() + h.lineComment(f, s)
		if strings.Contains(comment, "read-only") || embeds(d, s) || s.Names[0].Name == "_" {
			continue
		}
		for n, name := range s.Names {
			if n < len(s.Values) && constant(s.Values[n]) {
				continue
			}
			t.Errorf("%s: package variable %s (say read-only in its comment when nothing writes it)", h.at(s.Pos()), name.Name)
		}
	}
}

// embeds tells whether a directive fills the variable.
func embeds(d *ast.GenDecl, s *ast.ValueSpec) bool {
	for _, group := range []*ast.CommentGroup{d.Doc, s.Doc} {
		if group != nil && slices.ContainsFunc(group.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed") }) {
			return true
		}
	}
	return false
}

// constant tells whether an expression makes something that has no state to be
// seen from outside.
func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CallExpr:
		s, ok := e.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		x, ok := s.X.(*ast.Ident)
		return ok && slices.Contains([]string{"errors.New", "fmt.Errorf", "regexp.MustCompile", "crc32.MakeTable",
			"sync.OnceValue", "sync.OnceValues", "reflect.TypeFor"}, x.Name+"."+s.Sel.Name)
	case *ast.CompositeLit:
		s, ok := e.Type.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		x, ok := s.X.(*ast.Ident)
		return ok && x.Name == "sync" && s.Sel.Name == "Pool"
	case *ast.UnaryExpr:
		return constant(e.X)
	}
	return false
}

// lineComment is the comment behind a variable's first line, as behind the
// opening brace of a table.
func (h *house) lineComment(f *file, n ast.Node) string {
	line := h.fset.Position(n.Pos()).Line
	for _, group := range f.syntax.Comments {
		if h.fset.Position(group.Pos()).Line == line {
			return group.Text()
		}
	}
	return ""
}

// TestNoSleepInUnitTests: unit tests use virtual time or wait for what happens.
// The suites in test/ run against a real process.
func TestNoSleepInUnitTests(t *testing.T) {
	h := load(t)
	for _, f := range h.files {
		if !f.test || strings.HasPrefix(f.path, "test/") || imports(f, "testing/synctest") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
					t.Errorf("%s: time.Sleep", h.at(s.Pos()))
				}
			}
			return true
		})
	}
}

// imports tells whether a file imports a package; sleeping in a bubble of
// virtual time is no waiting.
func imports(f *file, imported string) bool {
	return slices.ContainsFunc(f.syntax.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == `"`+imported+`"` })
}

// TestNames refuses names that the house does not use.
func TestNames(t *testing.T) {
	h := load(t)
	getter := regexp.MustCompile(`^Get[A-Z]`)
	vague := regexp.MustCompile(`(Manager|Helper|Util|Utils)$`)
	for _, f := range h.files {
		if f.generated {
			continue
		}
		h.functions(f, func(name string, d *ast.FuncDecl) {
			if getter.MatchString(d.Name.Name) || vague.MatchString(d.Name.Name) {
				t.Errorf("%s: name it for what it is, not %s", h.at(d.Pos()), d.Name.Name)
			}
		})
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if s, ok := n.(*ast.TypeSpec); ok && vague.MatchString(s.Name.Name) {
				t.Errorf("%s: name it for what it is, not %s", h.at(s.Pos()), s.Name.Name)
			}
			return true
		})
	}
}

// TestNothingUnfinished refuses marks of unfinished work and skipped tests.
func TestNothingUnfinished(t *testing.T) {
	h := load(t)
	mark := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
	for _, f := range h.files {
		for _, group := range f.syntax.Comments {
			if mark.MatchString(group.Text()) {
				t.Errorf("%s: unfinished: %s", h.at(group.Pos()), strings.TrimSpace(group.Text()))
			}
		}
		h.functions(f, func(name string, d *ast.FuncDecl) {
			if !f.test || strings.HasPrefix(d.Name.Name, "Fuzz") { // an input without meaning may be skipped
				return
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, s.Sel.Name) {
					if x, ok := s.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "tb"}, x.Name) {
						t.Errorf("%s: %s skips itself", h.at(s.Pos()), name)
					}
				}
				return true
			})
		})
	}
}

// TestAllocationTestsAreRun: tests that the race detector would disturb are
// left out of its pass by a build constraint, so their names must be those that
// the pass without it picks.
func TestAllocationTestsAreRun(t *testing.T) {
	h := load(t)
	picked := regexp.MustCompile(`-run '([^']+)'`).FindStringSubmatch(after(h.document(t, "Makefile"), "\nallocs:"))
	if picked == nil {
		t.Fatal("the Makefile's target allocs names no pattern")
	}
	pattern := regexp.MustCompile(picked[1])
	for _, f := range h.files {
		if !f.test || !strings.HasPrefix(string(f.source), "//go:build !race") {
			continue
		}
		h.functions(f, func(_ string, d *ast.FuncDecl) {
			if strings.HasPrefix(d.Name.Name, "Test") && !pattern.MatchString(d.Name.Name) {
				t.Errorf("%s: %s is not run by any pass of make test (pattern %s)", h.at(d.Pos()), d.Name.Name, pattern)
			}
		})
	}
}

func after(text, mark string) string {
	_, rest, _ := strings.Cut(text, mark)
	return rest
}
