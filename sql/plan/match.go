package plan

import (
	"fmt"
	"slices"
	"strings"

	"spate/column"
	"spate/sql/syntax"
)

// Match finds sequences of rows of a key that follow each other as a pattern says. From
// every row on it looks for the longest one, and among those of one length for the one that
// the pattern prefers: alternatives that stand first, and repetitions that go on. For each it
// makes a row, which has the time of the last row of the sequence and stands where the first
// does among rows of that time.
//
// Its columns are those of the first row of the sequence, then Aggs over all of it.
type Match struct {
	In      Node
	Keys    []Expr       // PARTITION BY
	Limit   column.Ticks // the time from the first row to the last, at most
	Vars    []MatchVar
	Pattern *Pattern
	Aggs    []MatchAgg
	Where   syntax.Span
}

// MatchVar is a variable of a pattern: a condition that a row meets. Without a condition
// every row does.
type MatchVar struct {
	Name string
	When Expr // over the row; nil: none
	// SoFar is a condition over the row, and behind its columns the Aggs over the rows of the
	// sequence before it. It is looked at where When holds. Nil: none.
	SoFar Expr
}

// MatchFunc is what an aggregate of a Match says of the rows that it looks at.
type MatchFunc uint8

// Aggregates of a Match: the value of the first row and of the last, the least and the
// greatest, and the names of the variables in turn.
const (
	MatchFirst MatchFunc = iota
	MatchLast
	MatchMin
	MatchMax
	Classifier
)

// String is the name of the language.
func (f MatchFunc) String() string {
	return [...]string{"FIRST", "LAST", "MIN", "MAX", "CLASSIFIER"}[f]
}

// MatchAgg is an aggregate over the rows of a sequence that a variable took.
type MatchAgg struct {
	Column
	Func  MatchFunc
	Var   int  // in Vars; -1: rows of all variables
	Arg   Expr // over a row; nil: Classifier
	Where syntax.Span
}

// Agg is the aggregate function of MIN and MAX.
func (a *MatchAgg) Agg() *Agg {
	f := Min
	if a.Func == MatchMax {
		f = Max
	}
	return &Agg{Column: a.Column, Func: f, Arg: a.Arg, ArgType: a.Arg.Type(), Where: a.Where}
}

// Pattern is a pattern over the rows of a sequence. Without Parts it is one row that Var
// takes.
type Pattern struct {
	Var         int        // in Vars; -1: any row
	Parts       []*Pattern // in turn, or with Either one of them
	Either      bool
	Least, Most int // how often; Most -1: without end
}

// Lengths are the lengths that sequences of a pattern have: the least and the greatest, -1
// without end. They stop at MaxPattern.
func (p *Pattern) Lengths() (least, most int) {
	const endless = MaxPattern + 1
	least, most = 1, 1
	if p.Parts != nil {
		least, most = 0, 0
		for i, part := range p.Parts {
			l, m := part.Lengths()
			if m < 0 {
				m = endless
			}
			switch {
			case !p.Either:
				least, most = least+l, most+m
			case i == 0:
				least, most = l, m
			default:
				least, most = min(least, l), max(most, m)
			}
		}
	}
	switch {
	case most == 0: // nothing, however often
	case p.Most < 0 || most >= endless:
		most = -1
	default:
		most = min(most*p.Most, MaxPattern)
	}
	return min(least*p.Least, MaxPattern), most
}

// Fixed reports whether all sequences of a pattern are of one length.
func (p *Pattern) Fixed() bool {
	least, most := p.Lengths()
	return least == most
}

// MaxPattern is how many rows a pattern may name once its repetitions are written out.
const MaxPattern = 1000

// Size is how many rows a pattern names once its repetitions are written out. It stops above
// MaxPattern.
func (p *Pattern) Size() int {
	n := 1
	if p.Parts != nil {
		n = 0
		for _, part := range p.Parts {
			n = min(n+part.Size(), MaxPattern+1)
		}
	}
	return min(n*max(p.Least, p.Most, 1), MaxPattern+1)
}

func (p *Pattern) describe(vars []MatchVar) string {
	s := "."
	switch {
	case p.Parts != nil:
		parts := make([]string, len(p.Parts))
		for i, part := range p.Parts {
			parts[i] = part.describe(vars)
		}
		sep := " "
		if p.Either {
			sep = " | "
		}
		s = "(" + strings.Join(parts, sep) + ")"
	case p.Var >= 0:
		s = fmt.Sprintf("%d", p.Var)
	}
	if p.Least != 1 || p.Most != 1 {
		s += fmt.Sprintf("{%d,%d}", p.Least, p.Most)
	}
	return s
}

// Columns implements Node.
func (n *Match) Columns() []Column { return append(slices.Clone(n.In.Columns()), n.aggColumns()...) }

func (n *Match) aggColumns() []Column {
	cols := make([]Column, len(n.Aggs))
	for i := range n.Aggs {
		cols[i] = n.Aggs[i].Column
	}
	return cols
}

// Inputs implements Node.
func (n *Match) Inputs() []Node { return []Node{n.In} }

// Edges implements Node.
func (n *Match) Edges() []*Node { return []*Node{&n.In} }

// Exprs implements Node. Those of SoFar read the columns of the aggregates too.
func (n *Match) Exprs() []*Expr {
	list := n.OfRows()
	for i := range n.Vars {
		list = append(list, exprs(&n.Vars[i].SoFar)...)
	}
	return list
}

// OfRows are the expressions that read a row alone.
func (n *Match) OfRows() []*Expr {
	list := all(n.Keys)
	for i := range n.Vars {
		list = append(list, exprs(&n.Vars[i].When)...)
	}
	for i := range n.Aggs {
		list = append(list, exprs(&n.Aggs[i].Arg)...)
	}
	return list
}

// Passes implements Node.
func (n *Match) Passes() bool { return true }

// Reach implements Node.
func (n *Match) Reach() column.Ticks { return n.Limit }

func (n *Match) describe() string {
	vars := make([]string, len(n.Vars))
	for i, v := range n.Vars {
		vars[i] = fmt.Sprintf("[%s] when %s so far %s", v.Name, describeExpr(v.When), describeExpr(v.SoFar))
	}
	aggs := make([]string, len(n.Aggs))
	for i := range n.Aggs {
		aggs[i] = fmt.Sprintf("%s as [%s]", n.Aggs[i].describe(describeExpr), n.Aggs[i].Name)
	}
	return fmt.Sprintf("match %s by %s limit %d where %s to %s", n.Pattern.describe(n.Vars), describeAll(n.Keys), n.Limit, strings.Join(vars, ", "), strings.Join(aggs, ", "))
}

func (a *MatchAgg) describe(text func(Expr) string) string {
	return fmt.Sprintf("%s(%d, %s) of %s", strings.ToLower(a.Func.String()), a.Var, text(a.Arg), a.Type)
}

// soFar stands for the aggregates over the rows before one, where expressions read them.
type soFar struct {
	Node
	of *Match
}

func (s *soFar) Columns() []Column             { return s.of.aggColumns() }
func (s *soFar) rows(*Canon) string            { return "so far" }
func (s *soFar) column(c *Canon, i int) string { return s.of.agg(c, i) }

func (n *Match) rows(c *Canon) string {
	parts := []string{"match", c.Rows(n.In), n.Pattern.describe(n.Vars), fmt.Sprint(n.Limit)}
	for _, k := range n.Keys {
		parts = append(parts, "key", c.Expr(k, n.In))
	}
	for _, v := range n.Vars {
		parts = append(parts, "var", c.Expr(v.When, n.In), c.Expr(v.SoFar, n.In, &soFar{n.In, n}))
		if slices.ContainsFunc(n.Aggs, func(a MatchAgg) bool { return a.Func == Classifier }) {
			parts = append(parts, v.Name)
		}
	}
	return digest(parts...)
}

func (n *Match) agg(c *Canon, i int) string {
	return n.Aggs[i].describe(func(e Expr) string { return c.Expr(e, n.In) })
}

func (n *Match) column(c *Canon, i int) string {
	if k := len(n.In.Columns()); i >= k {
		return digest("matched", c.Rows(n), n.agg(c, i-k))
	}
	return digest("first", c.Rows(n), c.column(n.In, i))
}

// state holds rows of the input, whole.
func (n *Match) state(c *Canon) []string {
	parts := []string{c.Columns(n.In)}
	for i := range n.Aggs {
		parts = append(parts, n.agg(c, i))
	}
	return parts
}

// mark marks a sequence with a marked row.
func (n *Match) mark(ins []Node) Node {
	c := *n
	c.In = ins[0]
	width := len(n.In.Columns())
	c.Vars = slices.Clone(n.Vars)
	for i := range c.Vars { // the mark of the row stands before the aggregates
		c.Vars[i].SoFar = rewritten(c.Vars[i].SoFar, func(x *Col) Expr {
			if x.Index < width {
				return x
			}
			y := *x
			y.Index++
			return &y
		})
	}
	c.Aggs = append(slices.Clone(n.Aggs), MatchAgg{Column: markColumn, Func: MatchMax, Var: -1, Arg: markOf(c.In)})
	p := &Project{In: &c}
	for i, col := range c.Columns() {
		if i != width {
			p.Items = append(p.Items, Item{col, columnOf(&c, i)})
		}
	}
	return p
}

func (n *Match) title(j *Job) string {
	return "match " + n.Pattern.title(n.Vars) + j.by(" PARTITION BY ", n.Keys) + " within " + ticksText(n.Limit)
}

func (p *Pattern) title(vars []MatchVar) string {
	s := "."
	switch {
	case p.Parts != nil:
		parts := make([]string, len(p.Parts))
		for i, part := range p.Parts {
			parts[i] = part.title(vars)
		}
		sep := " "
		if p.Either {
			sep = " | "
		}
		s = "(" + strings.Join(parts, sep) + ")"
	case p.Var >= 0:
		s = vars[p.Var].Name
	}
	switch {
	case p.Least == 1 && p.Most == 1:
	case p.Least == 0 && p.Most == 1:
		s += "?"
	case p.Least == 0 && p.Most < 0:
		s += "*"
	case p.Least == 1 && p.Most < 0:
		s += "+"
	case p.Most < 0:
		s += fmt.Sprintf("{%d,}", p.Least)
	default:
		s += fmt.Sprintf("{%d,%d}", p.Least, p.Most)
	}
	return s
}
