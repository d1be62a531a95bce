package bind

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"spate/column"
	"spate/sql/plan"
)

// check holds what every plan must hold: columns exist where they are read, and
// all inputs of the plan are listed.
func check(job *plan.Job) error {
	var err error
	seen := map[plan.Node]bool{}
	plan.Walk(job, func(n plan.Node) {
		seen[n] = true
		if err == nil {
			err = checkNode(n)
		}
	})
	if err != nil {
		return err
	}
	for _, in := range job.Inputs {
		if !seen[in] {
			return fmt.Errorf("input %s is listed and not read", in.Name)
		}
		delete(seen, in)
	}
	for n := range seen {
		if in, ok := n.(*plan.Input); ok {
			return fmt.Errorf("input %s is read and not listed", in.Name)
		}
	}
	return nil
}

func checkNode(n plan.Node) error {
	var below []plan.Column
	for i, in := range n.Inputs() {
		if *n.Edges()[i] != in {
			return fmt.Errorf("%T: input %d is not where its edge is", n, i)
		}
		if _, ok := in.(*leaf); ok {
			return fmt.Errorf("%T: a source stands where its node belongs", n)
		}
		below = append(below, in.Columns()...)
	}
	if n.Passes() && !slices.Equal(n.Columns()[:len(below)], below) {
		return fmt.Errorf("%T: columns %v do not begin with %v", n, n.Columns(), below)
	}
	switch n := n.(type) {
	case *plan.Input:
		below = n.Columns()
	case *plan.Project:
		for _, it := range n.Items {
			if it.Type != it.Expr.Type() && !it.Star {
				return fmt.Errorf("column %s has type %s, its expression %s", it.Name, it.Type, it.Expr.Type())
			}
		}
	case *plan.Aggregate:
		if len(n.Windows) == 0 {
			return fmt.Errorf("an aggregate has no window")
		}
		for _, w := range n.Windows {
			if w.Kind != plan.Snapshot && w.Size <= 0 {
				return fmt.Errorf("a window has size %d", w.Size)
			}
		}
	case *plan.Match:
		for _, e := range n.OfRows() {
			if err := checkExpr(*e, below); err != nil {
				return err
			}
		}
		below = n.Columns() // definitions read the aggregates too
	case *plan.Analytic:
		for _, f := range n.Funcs {
			if f.Limit <= 0 {
				return fmt.Errorf("an analytic function has limit %d", f.Limit)
			}
		}
	case *plan.Union:
		for _, in := range n.Ins {
			if cols := in.Columns(); !n.Cols[0].Star && len(cols) != len(n.Cols) {
				return fmt.Errorf("a union of %d columns has a member of %d", len(n.Cols), len(cols))
			}
		}
	}
	var err error
	for _, e := range n.Exprs() {
		plan.WalkExpr(e, func(e *plan.Expr) {
			if err == nil {
				err = checkExpr(*e, below)
			}
		})
	}
	if err != nil {
		return fmt.Errorf("%T: %w", n, err)
	}
	return nil
}

// checkExpr looks at one expression, not at its parts.
func checkExpr(e plan.Expr, below []plan.Column) error {
	switch e := e.(type) {
	case nil:
		return fmt.Errorf("a place without an expression")
	case *plan.Col:
		if e.Index >= len(below) || below[e.Index].Name != e.Name || below[e.Index].Type != e.Static {
			return fmt.Errorf("column %s at %d of %v", e.Name, e.Index, below)
		}
	case *plan.Cast:
		if e.Static == column.Null {
			return fmt.Errorf("a cast to nothing")
		}
	case *col:
		return fmt.Errorf("column %d has no index", e.id)
	}
	return nil
}

func FuzzScript(f *testing.F) {
	text, err := os.ReadFile("testdata/plans.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, block := range strings.Split(string(text), "=== ")[1:] {
		_, rest, _ := strings.Cut(block, "\n")
		script, _, _ := strings.Cut(rest, "---\n")
		f.Add(script)
	}
	f.Add("WITH s AS (SELECT *, a AS b, LAG(c) OVER (LIMIT DURATION(s, 1)) AS l FROM i) SELECT s.*, b, COALESCE(l, 1) FROM s UNION SELECT * FROM s")
	f.Fuzz(func(t *testing.T, src string) {
		job, errs, _ := Script(src, Options{Steps: true})
		if len(errs) > 0 {
			for _, e := range errs {
				if e.Span.From.Line < 1 || e.Msg == "" {
					t.Fatalf("error without place or text: %+v", e)
				}
			}
			return
		}
		if err := check(job); err != nil {
			t.Fatalf("%v\n%s\n%s", err, src, plan.Explain(job))
		}
	})
}
