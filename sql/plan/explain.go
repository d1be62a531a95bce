package plan

import (
	"fmt"
	"strings"

	"spate/column"
)

// Explain prints the plan as text: one line per step, inputs first. Two plans
// with one text run alike, so it is also what a plan is recognised by.
func Explain(j *Job) string {
	p := &printer{ids: make(map[Node]int)}
	for _, o := range j.Outputs {
		id := p.node(o.In)
		fmt.Fprintf(&p.b, "output [%s] from #%d\n", o.Name, id)
	}
	return p.b.String()
}

type printer struct {
	b   strings.Builder
	ids map[Node]int
}

func (p *printer) node(n Node) int {
	if id, ok := p.ids[n]; ok {
		return id
	}
	var ins []string
	for _, in := range n.Inputs() {
		ins = append(ins, fmt.Sprintf("#%d", p.node(in)))
	}
	id := len(p.ids) + 1
	p.ids[n] = id
	fmt.Fprintf(&p.b, "#%d = %s", id, describe(n))
	if len(ins) > 0 {
		fmt.Fprintf(&p.b, " from %s", strings.Join(ins, ", "))
	}
	p.b.WriteByte('\n')
	return id
}

func describe(n Node) string {
	switch n := n.(type) {
	case *Input:
		cols := make([]string, len(n.Cols))
		for i, c := range n.Cols {
			cols[i] = describeSource(c)
		}
		s := fmt.Sprintf("input [%s] (%s)", n.Name, strings.Join(cols, ", "))
		if n.Time != nil {
			s += " timestamp by " + describeExpr(n.Time)
		}
		if len(n.Over) > 0 {
			s += " over " + describeAll(n.Over)
		}
		return s
	case *Filter:
		return "filter " + describeExpr(n.Cond)
	case *Project:
		return "project " + describeItems(n.Items)
	case *Aggregate:
		var ws, as []string
		for _, w := range n.Windows {
			ws = append(ws, describeWindow(w))
		}
		for _, a := range n.Aggs {
			arg := "*"
			if a.Arg != nil {
				arg = describeExpr(a.Arg)
			}
			if a.Distinct {
				arg = "distinct " + arg
			}
			as = append(as, fmt.Sprintf("%s(%s) as [%s] of %s", a.Func, arg, a.Name, a.ArgType))
		}
		s := fmt.Sprintf("aggregate %s by %s over %s", strings.Join(as, ", "), describeItems(n.Keys), strings.Join(ws, ", "))
		if n.WindowID {
			s += " with id"
		}
		return s
	case *Analytic:
		var fs []string
		for _, f := range n.Funcs {
			fs = append(fs, describeAnalytic(f))
		}
		return "analytic " + strings.Join(fs, ", ")
	case *Union:
		names := make([]string, len(n.Cols))
		for i, c := range n.Cols {
			names[i] = "[" + c.Name + "]"
		}
		return "union (" + strings.Join(names, ", ") + ")"
	}
	return fmt.Sprintf("%T", n)
}

func describeSource(c Source) string {
	kind := [...]string{"payload", "whole", "enqueued", "processed", "partition"}[c.Kind]
	s := fmt.Sprintf("[%s] %s %s", c.Name, kind, strings.Join(c.Path, "."))
	if c.Declared != column.Null {
		s += " as " + c.Declared.String()
	}
	return strings.TrimSpace(s)
}

func describeWindow(w Window) string {
	kind := [...]string{"tumbling", "hopping", "sliding", "session", "snapshot"}[w.Kind]
	s := fmt.Sprintf("%s(%d, %d, %d)", kind, w.Size, w.Hop, w.Offset)
	if w.ID != "" {
		s += " '" + w.ID + "'"
	}
	if len(w.OverKey) > 0 {
		s += " over " + describeAll(w.OverKey)
	}
	return s
}

func describeAnalytic(f AnalyticFunc) string {
	kind := [...]string{"lag", "last", "isfirst"}[f.Kind]
	s := fmt.Sprintf("%s(", kind)
	if f.Arg != nil {
		s += describeExpr(f.Arg)
	}
	s += fmt.Sprintf(", %d", f.Offset)
	if f.Default != nil {
		s += ", " + describeExpr(f.Default)
	}
	s += fmt.Sprintf(") as [%s] by %s limit %d", f.Name, describeAll(f.Keys), f.Limit)
	if f.When != nil {
		s += " when " + describeExpr(f.When)
	}
	return s
}

func describeItems(items []Item) string {
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = fmt.Sprintf("%s as [%s]", describeExpr(it.Expr), it.Name)
		if it.Star {
			out[i] = describeExpr(it.Expr) + ".*"
		}
	}
	return "(" + strings.Join(out, ", ") + ")"
}

func describeAll(es []Expr) string { return explained.all(es) }

func describeExpr(e Expr) string { return explained.expr(e) }

// describer prints expressions; how it prints what they read is the caller's.
type describer struct {
	col  func(*Col) string
	time func() string // System.Timestamp()
}

// explained prints for people, and for the fingerprint of a whole plan.
var explained = describer{
	col:  func(e *Col) string { return fmt.Sprintf("[%s]@%d", e.Name, e.Index) },
	time: func() string { return "timestamp()" },
}

func (d describer) all(es []Expr) string {
	out := make([]string, len(es))
	for i, e := range es {
		out[i] = d.expr(e)
	}
	return "(" + strings.Join(out, ", ") + ")"
}

func (d describer) expr(e Expr) string {
	switch e := e.(type) {
	case nil:
		return "nothing"
	case *Const:
		return string(column.AppendJSON(nil, e.Value)) + ":" + e.Value.Kind.String()
	case *Col:
		return d.col(e)
	case *Field:
		return fmt.Sprintf("%s.[%s]", d.expr(e.Of), e.Name)
	case *Element:
		return fmt.Sprintf("%s[%d]", d.expr(e.Of), e.Index)
	case *Timestamp:
		return d.time()
	case *Call:
		return strings.ToLower(e.Func) + d.all(e.Args)
	case *Cast:
		if e.Try {
			return fmt.Sprintf("try_cast(%s, %s)", d.expr(e.Of), e.Static)
		}
		return fmt.Sprintf("cast(%s, %s)", d.expr(e.Of), e.Static)
	case *Case:
		var b strings.Builder
		b.WriteString("case")
		for _, w := range e.Whens {
			fmt.Fprintf(&b, " when %s then %s", d.expr(w.Cond), d.expr(w.Then))
		}
		if e.Else != nil {
			b.WriteString(" else " + d.expr(e.Else))
		}
		if e.ToFloat {
			b.WriteString(" as float")
		}
		return b.String() + " end"
	case *Coalesce:
		return "coalesce" + d.all(e.Args)
	}
	return fmt.Sprintf("%T", e)
}

// SameExprs reports whether two lists of expressions over one node compute the same.
func SameExprs(a, b []Expr) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if describeExpr(a[i]) != describeExpr(b[i]) || a[i].Type() != b[i].Type() {
			return false
		}
	}
	return true
}
