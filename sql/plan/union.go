package plan

import (
	"fmt"
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
