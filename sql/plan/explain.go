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
	if j.Level != Level12 {
		fmt.Fprintf(&p.b, "level %s\n", j.Level)
	}
	for _, o := range j.Outputs {
		id := p.node(o.In)
		fmt.Fprintf(&p.b, "output [%s] from #%d\n", o.Name, id)
	}
	return p.b.String()
}

// Describe is one line about a node.
func Describe(n Node) string { return n.describe() }

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
	fmt.Fprintf(&p.b, "#%d = %s", id, n.describe())
	if len(ins) > 0 {
		fmt.Fprintf(&p.b, " from %s", strings.Join(ins, ", "))
	}
	p.b.WriteByte('\n')
	return id
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
	case *UserCall:
		return "udf." + e.Func.canon() + d.all(e.Args)
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
	case *Row:
		cols := make([]string, len(e.Of))
		for i, of := range e.Of {
			if cols[i] = d.expr(of) + ".*"; !e.Cols[i].Star {
				cols[i] = fmt.Sprintf("%s as [%s]", d.expr(of), e.Cols[i].Name)
			}
		}
		return "row(" + strings.Join(cols, ", ") + ")"
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
