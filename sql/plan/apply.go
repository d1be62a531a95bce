package plan

import (
	"fmt"
	"slices"
	"strings"

	"spate/column"
	"spate/sql/syntax"
)

// Apply takes a value of each row apart: its rows are those of In, each as often as its
// value has parts, in their order, with the part behind it. A value that is NULL has none;
// one of another kind than the parts are of fails its row. The rows have the time of the
// row that they come from and stand in its place, in their order.
//
// Its columns are those of In that Keep lists, then Makes.
type Apply struct {
	In    Node
	Kind  ApplyKind
	Arg   Expr
	Text  string // Arg as the script has it, for the error
	Where syntax.Span
	Outer bool  // a row whose value has no parts comes once, with NULL in what Makes lists
	Keep  []int // in the columns of In, ascending: those that somebody reads
	Makes []Made
}

// ApplyKind is what an Apply takes apart.
type ApplyKind uint8

// What is taken apart: an array into elements, a record into fields.
const (
	Elements ApplyKind = iota
	Properties
)

// Of is the kind of the values that are taken apart.
func (k ApplyKind) Of() column.Kind { return [...]column.Kind{column.Array, column.Record}[k] }

// Func is the function of the language.
func (k ApplyKind) Func() string {
	return [...]string{"GetArrayElements", "GetRecordProperties"}[k]
}

// Names are the columns of the language that Place and Value make.
func (k ApplyKind) Names() [2]string {
	return [...][2]string{{"ArrayIndex", "ArrayValue"}, {"PropertyName", "PropertyValue"}}[k]
}

// Made is a column that an Apply makes.
type Made struct {
	Column
	What ApplyPart
}

// ApplyPart is what of a part a column holds.
type ApplyPart uint8

// What a column holds: where the part was (the index from 0 or the name), the value, or
// both as a record with the two Names.
const (
	PartPlace ApplyPart = iota
	PartValue
	PartWhole
)

// Columns implements Node.
func (n *Apply) Columns() []Column {
	in := n.In.Columns()
	var cols []Column
	for _, i := range n.Keep {
		cols = append(cols, in[i])
	}
	for _, m := range n.Makes {
		cols = append(cols, m.Column)
	}
	return cols
}

// Inputs implements Node.
func (n *Apply) Inputs() []Node { return []Node{n.In} }

// Edges implements Node.
func (n *Apply) Edges() []*Node { return []*Node{&n.In} }

// Exprs implements Node.
func (n *Apply) Exprs() []*Expr { return exprs(&n.Arg) }

// Passes implements Node.
func (n *Apply) Passes() bool { return false }

// Reach implements Node.
func (n *Apply) Reach() column.Ticks { return 0 }

// form is what the script calls it.
func (n *Apply) form() string {
	if n.Outer {
		return "outer apply"
	}
	return "cross apply"
}

func (n *Apply) describe() string {
	var out []string
	in := n.In.Columns()
	for _, i := range n.Keep {
		out = append(out, fmt.Sprintf("[%s]@%d", in[i].Name, i))
	}
	for _, m := range n.Makes {
		out = append(out, fmt.Sprintf("%s as [%s]", [...]string{"place", "value", "part"}[m.What], m.Name))
	}
	return fmt.Sprintf("%s %s(%s) to (%s)", n.form(), strings.ToLower(n.Kind.Func()), describeExpr(n.Arg), strings.Join(out, ", "))
}

func (n *Apply) rows(c *Canon) string {
	return digest(n.form(), n.Kind.Func(), c.Rows(n.In), c.Expr(n.Arg, n.In))
}

func (n *Apply) column(c *Canon, i int) string {
	if k := len(n.Keep); i >= k {
		return digest("part", c.Rows(n), fmt.Sprint(n.Makes[i-k].What))
	}
	return c.column(n.In, n.Keep[i])
}

func (n *Apply) state(*Canon) []string { return nil }

func (n *Apply) mark(ins []Node) Node {
	c := *n
	c.In = ins[0]
	c.Keep = append(slices.Clone(n.Keep), len(n.In.Columns()))
	return markLast(&c, len(n.Keep))
}

func (n *Apply) title(j *Job) string {
	return n.form() + " " + n.Kind.Func() + "(" + j.text(n.Arg) + ")"
}

// Several reports whether an event, or a pair of a join, may have several rows of n in one
// branch, told apart by their turns.
func Several(n Node) bool {
	switch n.(type) {
	case *Apply, *Join, *Lookup:
		return true
	}
	return slices.ContainsFunc(n.Inputs(), Several)
}

// Apart reports whether an expression over the columns of n may have different values in
// rows that Applies and Lookups have made of one event. It looks through steps that take row by row,
// for only behind those rows are split by a key.
func Apart(n Node, e Expr) bool {
	apart := false
	WalkExpr(&e, func(e *Expr) {
		if c, ok := (*e).(*Col); ok {
			apart = apart || apartIn(n, c.Index)
		}
	})
	return apart
}

// apartIn is Apart for column i.
func apartIn(n Node, i int) bool {
	switch n := n.(type) {
	case *Filter:
		return apartIn(n.In, i)
	case *Project:
		return Apart(n.In, n.Items[i].Expr)
	case *Apply:
		return i >= len(n.Keep) || apartIn(n.In, n.Keep[i])
	case *Lookup:
		return i >= len(n.In.Columns()) || apartIn(n.In, i)
	case *Union:
		return slices.ContainsFunc(n.Ins, func(in Node) bool {
			if len(in.Columns()) == len(n.Cols) {
				return apartIn(in, i)
			}
			for k := range in.Columns() { // all are in the records
				if apartIn(in, k) {
					return true
				}
			}
			return false
		})
	}
	return false
}
