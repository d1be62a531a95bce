package plan

import (
	"fmt"
	"slices"
	"strings"

	"spate/column"
)

// Union passes the rows of all inputs, columns by position; if Star, rows pass
// with their own names and the union has one Star column.
type Union struct {
	Ins  []Node
	Cols []Column
}

// Columns implements Node.
func (n *Union) Columns() []Column { return n.Cols }

// Inputs implements Node.
func (n *Union) Inputs() []Node { return n.Ins }

// Edges implements Node.
func (n *Union) Edges() []*Node {
	edges := make([]*Node, len(n.Ins))
	for i := range n.Ins {
		edges[i] = &n.Ins[i]
	}
	return edges
}

// Exprs implements Node.
func (n *Union) Exprs() []*Expr { return nil }

// Passes implements Node.
func (n *Union) Passes() bool { return false }

// Reach implements Node.
func (n *Union) Reach() column.Ticks { return 0 }

func (n *Union) describe() string {
	names := make([]string, len(n.Cols))
	for i, c := range n.Cols {
		names[i] = "[" + c.Name + "]"
	}
	return "union (" + strings.Join(names, ", ") + ")"
}

func (n *Union) rows(c *Canon) string {
	parts := []string{"union"}
	for _, in := range n.Ins {
		parts = append(parts, c.Columns(in))
	}
	return digest(parts...)
}

func (n *Union) column(c *Canon, i int) string { return digest("column", c.Rows(n), fmt.Sprint(i)) }

func (n *Union) state(*Canon) []string { return nil }

func (n *Union) mark(ins []Node) Node {
	c := &Union{Ins: ins, Cols: n.Cols}
	if len(n.Cols) == 1 && n.Cols[0].Star { // rows pass with the names of their own columns
		star := columnOf(c, 0)
		own := &Cast{Base: Base{Static: column.Int64}, Of: &Field{Of: star, Name: MarkName}}
		return &Project{In: c, Items: []Item{{n.Cols[0], star}, {markColumn, own}}}
	}
	c.Cols = append(slices.Clone(n.Cols), markColumn)
	return c
}
