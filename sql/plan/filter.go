package plan

import (
	"spate/column"
)

// Filter keeps the rows for which Cond is TRUE.
type Filter struct {
	In   Node
	Cond Expr
}

// Columns implements Node.
func (n *Filter) Columns() []Column { return n.In.Columns() }

// Inputs implements Node.
func (n *Filter) Inputs() []Node { return []Node{n.In} }

// Edges implements Node.
func (n *Filter) Edges() []*Node { return []*Node{&n.In} }

// Exprs implements Node.
func (n *Filter) Exprs() []*Expr { return exprs(&n.Cond) }

// Passes implements Node.
func (n *Filter) Passes() bool { return true }

// Reach implements Node.
func (n *Filter) Reach() column.Ticks { return 0 }

func (n *Filter) describe() string { return "filter " + describeExpr(n.Cond) }

func (n *Filter) rows(c *Canon) string {
	return digest("filter", c.Rows(n.In), c.Expr(n.Cond, n.In))
}

func (n *Filter) column(c *Canon, i int) string { return c.column(n.In, i) }

func (n *Filter) state(*Canon) []string { return nil }

func (n *Filter) mark(ins []Node) Node { return &Filter{In: ins[0], Cond: n.Cond} }
