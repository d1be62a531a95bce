// Package gosource is what tests share that read the source of a package: they hold what it
// tells people against what it does.
package gosource

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Files are the files of the package in a folder, by name, without its tests.
func Files(t testing.TB, dir string) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]*ast.File)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if out[name], err = parser.ParseFile(token.NewFileSet(), name, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if len(out) == 0 {
		t.Fatalf("no package in %s", dir)
	}
	return out
}

// Text is what an expression makes of its string literals, with … for what is not written
// out. Of a Sprintf it is the format.
func Text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil {
			return s
		}
	case *ast.BinaryExpr:
		return Text(e.X) + Text(e.Y)
	case *ast.CallExpr:
		if Called(e) == "Sprintf" {
			return Text(e.Args[0])
		}
	}
	return "…"
}

// Called is the name of what is called, without its package or receiver.
func Called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
