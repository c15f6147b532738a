package lint

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// Limits of size. A function of more than wideFunction lines needs a line in
// testdata/long-functions.txt, one of more than maxParams parameters in
// testdata/many-parameters.txt.
const (
	maxFile      = 500 // lines
	maxFunction  = 100
	wideFunction = 60
	maxFields    = 20
	maxOptions   = 30
	maxParams    = 5
	maxMedian    = 12 // lines of the median function
	maxLongShare = 2  // per cent of the functions may be wide
)

// TestFileSizes counts lines of files that are not generated.
func TestFileSizes(t *testing.T) {
	for _, f := range load(t).files {
		if !f.generated && f.lines > maxFile {
			t.Errorf("%s has %d lines, at most %d are allowed", f.path, f.lines, maxFile)
		}
	}
}

// TestFunctionSizes counts lines and parameters of functions outside tests.
func TestFunctionSizes(t *testing.T) {
	h := load(t)
	excused := exceptions(t, "long-functions.txt")
	full := exceptions(t, "many-parameters.txt")
	var lengths []int
	wide := 0
	for _, f := range h.files {
		if f.test || f.generated {
			continue
		}
		h.functions(f, func(name string, d *ast.FuncDecl) {
			n := h.span(d)
			lengths = append(lengths, n)
			_, listed := excused[name]
			delete(excused, name)
			switch {
			case n > maxFunction:
				t.Errorf("%s: %s has %d lines, at most %d are allowed", h.at(d.Pos()), name, n, maxFunction)
			case n > wideFunction && !listed:
				t.Errorf("%s: %s has %d lines: split it, or give the reason in testdata/long-functions.txt", h.at(d.Pos()), name, n)
			case n <= wideFunction && listed:
				t.Errorf("testdata/long-functions.txt: %s has only %d lines by now", name, n)
			}
			if n > wideFunction {
				wide++
			}
			p := d.Type.Params.NumFields()
			_, listed = full[name]
			delete(full, name)
			switch {
			case p <= maxParams && listed:
				t.Errorf("testdata/many-parameters.txt: %s has only %d by now", name, p)
			case p > maxParams && !listed:
				t.Errorf("%s: %s has %d parameters, at most %d are allowed", h.at(d.Pos()), name, p, maxParams)
			}
		})
	}
	for list, left := range map[string]map[string]string{"long-functions.txt": excused, "many-parameters.txt": full} {
		for name := range left {
			t.Errorf("testdata/%s: %s does not exist", list, name)
		}
	}
	slices.Sort(lengths)
	median, share := lengths[len(lengths)/2], float64(100*wide)/float64(len(lengths))
	t.Logf("%d functions: median %d, p99 %d, longest %d lines, %.1f %% over %d",
		len(lengths), median, lengths[len(lengths)*99/100], lengths[len(lengths)-1], share, wideFunction)
	if median > maxMedian || share > maxLongShare {
		t.Errorf("the median function has %d lines (at most %d), %.1f %% have more than %d (at most %d %%)",
			median, maxMedian, share, wideFunction, maxLongShare)
	}
}

// TestStructSizes counts fields.
func TestStructSizes(t *testing.T) {
	h := load(t)
	for _, f := range h.files {
		if f.test || f.generated {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			s, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			limit := maxFields
			if strings.HasSuffix(spec.Name.Name, "Options") {
				limit = maxOptions
			}
			if count := s.Fields.NumFields(); count > limit {
				t.Errorf("%s: %s has %d fields, at most %d are allowed", h.at(spec.Pos()), spec.Name.Name, count, limit)
			}
			return true
		})
	}
}
