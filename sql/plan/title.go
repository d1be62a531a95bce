package plan

import (
	"fmt"
	"strings"
	"time"

	"spate/column"
	"spate/sql/syntax"
)

// Title says what a node does, in the words of the script where it has them.
func (j *Job) Title(n Node) string {
	switch n := n.(type) {
	case *Input:
		s := "input " + n.Name
		if n.Time != nil {
			s += " TIMESTAMP BY " + j.text(n.Time)
		}
		return s
	case *Filter:
		return "filter " + j.text(n.Cond)
	case *Project:
		if n.Map {
			return "columns of the output " + strings.Join(titles(itemColumns(n.Items)), ", ")
		}
		return "project " + strings.Join(titles(itemColumns(n.Items)), ", ")
	case *Aggregate:
		return n.title(j)
	case *Analytic:
		var fs []string
		for _, f := range n.Funcs {
			fs = append(fs, strings.ToUpper(strings.SplitN(describeAnalytic(f), "(", 2)[0])+"("+j.text(f.argument())+")"+j.by(" PARTITION BY ", f.Keys))
		}
		return "analytic " + strings.Join(fs, ", ")
	case *Union:
		return fmt.Sprintf("union of %d", len(n.Ins))
	case *Join:
		return n.title(j)
	case *Apply:
		return n.title(j)
	case *Lookup:
		return n.title(j)
	case *Match:
		return n.title(j)
	}
	return n.describe()
}

func (n *Aggregate) title(j *Job) string {
	var as, ws []string
	for _, a := range n.Aggs {
		arg := "*"
		if a.Arg != nil {
			arg = j.text(a.Arg)
		}
		if a.Distinct {
			arg = "DISTINCT " + arg
		}
		as = append(as, fmt.Sprintf("%s(%s)", a.Func, arg))
	}
	for _, w := range n.Windows {
		ws = append(ws, w.title(j))
	}
	keys := make([]Expr, len(n.Keys))
	for i, k := range n.Keys {
		keys[i] = k.Expr
	}
	return "aggregate " + strings.Join(as, ", ") + j.by(" by ", keys) + " over " + strings.Join(ws, ", ")
}

func (w Window) title(j *Job) string {
	d := ticksText
	switch w.Kind {
	case Tumbling:
		return "TumblingWindow " + d(w.Size)
	case Hopping:
		return fmt.Sprintf("HoppingWindow %s every %s", d(w.Size), d(w.Hop))
	case Sliding:
		return "SlidingWindow " + d(w.Size)
	case Session:
		return fmt.Sprintf("SessionWindow %s, at most %s%s", d(w.Size), d(w.Hop), j.by(" PARTITION BY ", w.OverKey))
	}
	return "rows of one time"
}

func ticksText(t column.Ticks) string { return (time.Duration(t) * 100).String() }

func (j *Job) by(word string, es []Expr) string {
	if len(es) == 0 {
		return ""
	}
	var out []string
	for _, e := range es {
		out = append(out, j.text(e))
	}
	return word + strings.Join(out, ", ")
}

// Texts are expressions as the script has them.
func (j *Job) Texts(es []Expr) string { return j.by("", es) }

func titles(cols []Column) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		if out[i] = c.Name; c.Star {
			out[i] = "*"
		}
	}
	return out
}

// text is an expression as the script has it.
func (j *Job) text(e Expr) string {
	if e == nil {
		return ""
	}
	if w := e.Span(); w.From.Offset < w.To.Offset && w.To.Offset <= len(j.Source) {
		return strings.Join(strings.Fields(j.Source[w.From.Offset:w.To.Offset]), " ")
	}
	if c, ok := e.(*Col); ok {
		return c.Name
	}
	return describeExpr(e)
}

// Place is where a node stands in the script; the zero Span if it is not known.
func Place(n Node) syntax.Span {
	var first syntax.Span
	see := func(s syntax.Span) {
		if s.From.Line > 0 && (first.From.Line == 0 || s.From.Offset < first.From.Offset) {
			first = s
		}
	}
	switch n := n.(type) {
	case *Input:
		return n.Where
	case *Project:
		if n.Map {
			return first
		}
	case *Apply:
		see(n.Where)
	case *Match:
		see(n.Where)
	case *Aggregate:
		for _, a := range n.Aggs {
			see(a.Where)
		}
	}
	for _, e := range n.Exprs() {
		see((*e).Span())
	}
	return first
}
