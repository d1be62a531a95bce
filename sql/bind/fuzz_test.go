package bind

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"spate/column"
	"spate/sql/plan"
)

// check holds what every plan must hold: columns exist where they are read, and
// all inputs of the plan are listed.
func check(job *plan.Job) error {
	seen := map[plan.Node]bool{}
	var visit func(n plan.Node) error
	visit = func(n plan.Node) error {
		if n == nil || reflect.ValueOf(n).IsNil() {
			return fmt.Errorf("a step reads nothing")
		}
		if seen[n] {
			return nil
		}
		seen[n] = true
		for _, in := range n.Inputs() {
			if err := visit(in); err != nil {
				return err
			}
		}
		return checkNode(n)
	}
	for _, out := range job.Outputs {
		if err := visit(out.In); err != nil {
			return err
		}
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
	if ins := n.Inputs(); len(ins) > 0 {
		below = ins[0].Columns()
	}
	var es []plan.Expr
	switch n := n.(type) {
	case *plan.Input:
		below = n.Columns()
		es = append(n.Over, n.Time)
	case *plan.Filter:
		es = []plan.Expr{n.Cond}
	case *plan.Project:
		for _, it := range n.Items {
			es = append(es, it.Expr)
			if it.Type != it.Expr.Type() && !it.Star {
				return fmt.Errorf("column %s has type %s, its expression %s", it.Name, it.Type, it.Expr.Type())
			}
		}
	case *plan.Aggregate:
		if len(n.Windows) == 0 {
			return fmt.Errorf("an aggregate has no window")
		}
		for _, k := range n.Keys {
			es = append(es, k.Expr)
		}
		for _, a := range n.Aggs {
			es = append(es, a.Arg)
		}
		for _, w := range n.Windows {
			es = append(es, w.OverKey...)
			if w.Kind != plan.Snapshot && w.Size <= 0 {
				return fmt.Errorf("a window has size %d", w.Size)
			}
		}
	case *plan.Analytic:
		for _, f := range n.Funcs {
			es = append(append(es, f.Arg, f.Default, f.When), f.Keys...)
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
	for _, e := range es {
		if err := checkExpr(e, below); err != nil {
			return fmt.Errorf("%T: %w", n, err)
		}
	}
	return nil
}

func checkExpr(e plan.Expr, below []plan.Column) error {
	var parts []plan.Expr
	switch e := e.(type) {
	case nil, *plan.Const, *plan.Timestamp:
	case *plan.Col:
		if e.Index >= len(below) || below[e.Index].Name != e.Name || below[e.Index].Type != e.Static {
			return fmt.Errorf("column %s at %d of %v", e.Name, e.Index, below)
		}
	case *plan.Field:
		parts = []plan.Expr{e.Of}
	case *plan.Element:
		parts = []plan.Expr{e.Of}
	case *plan.Call:
		parts = e.Args
	case *plan.Cast:
		parts = []plan.Expr{e.Of}
		if e.Static == column.Null {
			return fmt.Errorf("a cast to nothing")
		}
	case *plan.Case:
		for _, w := range e.Whens {
			parts = append(parts, w.Cond, w.Then)
		}
		parts = append(parts, e.Else)
	case *plan.Coalesce:
		parts = e.Args
	default:
		return fmt.Errorf("unknown expression %T", e)
	}
	for _, p := range parts {
		if err := checkExpr(p, below); err != nil {
			return err
		}
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
