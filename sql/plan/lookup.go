package plan

import (
	"fmt"
	"slices"
	"strings"

	"spate/column"
)

// Lookup puts beside each row of In the rows of reference data for which all conditions
// are TRUE, in their order: those of the snapshots that are in effect at the time of the
// row. Its rows have that time, stand in the place of the row, and have the columns of In,
// then those of Ref that Keep lists.
//
// Ref is a graph over Inputs that are reference data. Their rows have no time and come by
// no stream, so Ref is not among the Inputs of the node.
//
// Conditions of one side decide before there are pairs. A row fails alone, at the step, if
// an expression over its side does, and a pair if one over both does.
type Lookup struct {
	In, Ref Node
	Outer   bool // a row of In without a partner comes with NULL in the columns of Ref

	OnLeft, OnRight Expr   // over the columns of one side; nil: none
	Keys            []Expr // each a Call of "=": an expression over In, then one over Ref
	On              Expr   // over both; nil: none

	Keep []int // in the columns of Ref, ascending: those that somebody reads
}

// IsReference reports whether all rows of a node come from reference data.
func IsReference(n Node) bool {
	if in, ok := n.(*Input); ok {
		return in.Reference
	}
	ins := n.Inputs()
	return len(ins) > 0 && !slices.ContainsFunc(ins, func(in Node) bool { return !IsReference(in) })
}

// WalkReferences calls visit once for every node that Lookups of a job read reference data
// through, inputs first.
func WalkReferences(j *Job, visit func(n Node)) {
	seen := make(map[Node]bool)
	var walk func(n Node)
	walk = func(n Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, in := range n.Inputs() {
			walk(in)
		}
		if l, ok := n.(*Lookup); ok {
			walk(l.Ref)
		}
		if IsReference(n) {
			visit(n)
		}
	}
	for _, o := range j.Outputs {
		walk(o.In)
	}
}

// ReferenceInputs are the Inputs that Ref reads.
func (n *Lookup) ReferenceInputs() []*Input { return referenceInputs(n.Ref) }

func referenceInputs(n Node) (list []*Input) {
	add := func(more []*Input) {
		for _, in := range more {
			if !slices.Contains(list, in) {
				list = append(list, in)
			}
		}
	}
	if in, ok := n.(*Input); ok {
		return []*Input{in}
	}
	for _, in := range n.Inputs() {
		add(referenceInputs(in))
	}
	if l, ok := n.(*Lookup); ok {
		add(referenceInputs(l.Ref))
	}
	return list
}

// Columns implements Node.
func (n *Lookup) Columns() []Column {
	cols, ref := slices.Clone(n.In.Columns()), n.Ref.Columns()
	for _, i := range n.Keep {
		cols = append(cols, ref[i])
	}
	return cols
}

// PairColumns are the columns that conditions over both sides read.
func (n *Lookup) PairColumns() []Column {
	return append(slices.Clone(n.In.Columns()), n.Ref.Columns()...)
}

// Inputs implements Node.
func (n *Lookup) Inputs() []Node { return []Node{n.In} }

// Edges implements Node. Ref is behind In, as in the columns.
func (n *Lookup) Edges() []*Node { return []*Node{&n.In, &n.Ref} }

// Exprs implements Node.
func (n *Lookup) Exprs() []*Expr { return append(exprs(&n.OnLeft, &n.OnRight, &n.On), all(n.Keys)...) }

// Passes implements Node.
func (n *Lookup) Passes() bool { return false }

// Reach implements Node.
func (n *Lookup) Reach() column.Ticks { return 0 }

// join is a join of the same sides by the same conditions.
func (n *Lookup) join() *Join {
	return &Join{Left: n.In, Right: n.Ref, OnLeft: n.OnLeft, OnRight: n.OnRight, Keys: n.Keys, On: n.On}
}

// KeyOf is that of a Join.
func (n *Lookup) KeyOf(side int) []Expr { return n.join().KeyOf(side) }

// Rest is that of a Join.
func (n *Lookup) Rest() Expr { return n.join().Rest() }

// Typed reports whether the first key is one as it is: both sides have one type.
func (n *Lookup) Typed() bool { return alike(n.Keys[0].(*Call)) }

// Side is that of a Join.
func (n *Lookup) Side(side int, e Expr) Expr { return n.join().Side(side, e) }

func (n *Lookup) form() string {
	if n.Outer {
		return "left join with reference data"
	}
	return "join with reference data"
}

func (n *Lookup) describe() string {
	s := n.form()
	for _, c := range []struct {
		word string
		e    Expr
	}{{"left", n.OnLeft}, {"right", n.OnRight}} {
		if c.e != nil {
			s += " " + c.word + " " + describeExpr(c.e)
		}
	}
	if len(n.Keys) > 0 {
		s += " keys " + describeAll(n.Keys)
	}
	if n.On != nil {
		s += " on " + describeExpr(n.On)
	}
	keep, ref := make([]string, len(n.Keep)), n.Ref.Columns()
	for k, i := range n.Keep {
		keep[k] = fmt.Sprintf("[%s]@%d", ref[i].Name, i)
	}
	return s + " of " + describeReference(n.Ref) + " to (" + strings.Join(keep, ", ") + ")"
}

// describeReference is a graph over reference data, on one line.
func describeReference(n Node) string {
	var ins []string
	for _, in := range n.Inputs() {
		ins = append(ins, describeReference(in))
	}
	s := "(" + n.describe()
	if len(ins) > 0 {
		s += " over " + strings.Join(ins, ", ")
	}
	return s + ")"
}

func (n *Lookup) rows(c *Canon) string {
	both := func(e Expr) string { return c.Expr(e, n.In, n.Ref) }
	parts := []string{"lookup", c.Rows(n.In), c.Rows(n.Ref), fmt.Sprint(n.Outer), both(n.OnLeft), both(n.OnRight), both(n.On)}
	for _, k := range n.Keys {
		parts = append(parts, "key", both(k))
	}
	return digest(parts...)
}

func (n *Lookup) column(c *Canon, i int) string {
	if k := len(n.In.Columns()); i >= k {
		return digest("right", c.Rows(n), c.column(n.Ref, n.Keep[i-k]))
	}
	return c.column(n.In, i)
}

func (n *Lookup) state(*Canon) []string { return nil }

// mark is the lookup over a marked input, whose mark stands between the columns of both.
func (n *Lookup) mark(ins []Node) Node {
	width := len(n.In.Columns())
	c := *n
	c.In = ins[0]
	c.Keys = append([]Expr(nil), n.Keys...)
	for _, e := range c.Exprs() {
		*e = rewritten(*e, func(x *Col) Expr {
			at := *x
			if at.Index >= width {
				at.Index++
			}
			return &at
		})
	}
	return markLast(&c, width)
}

func (n *Lookup) title(j *Job) string {
	var on []string
	for _, k := range n.Keys {
		on = append(on, j.text(k))
	}
	for _, e := range []Expr{n.OnLeft, n.OnRight, n.On} {
		if e != nil {
			on = append(on, j.text(e))
		}
	}
	names := make([]string, 0, 1)
	for _, in := range n.ReferenceInputs() {
		if !slices.Contains(names, in.Name) {
			names = append(names, in.Name)
		}
	}
	return n.form() + " " + strings.Join(names, ", ") + " on " + strings.Join(on, " and ")
}
