package plan

import (
	"fmt"
	"slices"
	"strings"

	"spate/column"
)

// Project computes new rows. An item with Star set is a Column expression over
// a Star column of the input and keeps its records; fields whose names clash
// (ignoring case) with a column to their left are dropped when the record is
// printed.
type Project struct {
	In    Node
	Items []Item
	Map   bool // of an output, not of the script
}

// Item is one column of a Project.
type Item struct {
	Column
	Expr Expr
}

// Columns implements Node.
func (n *Project) Columns() []Column { return itemColumns(n.Items) }

func itemColumns(items []Item) []Column {
	cols := make([]Column, len(items))
	for i := range items {
		cols[i] = items[i].Column
	}
	return cols
}

// Inputs implements Node.
func (n *Project) Inputs() []Node { return []Node{n.In} }

// Edges implements Node.
func (n *Project) Edges() []*Node { return []*Node{&n.In} }

// Exprs implements Node.
func (n *Project) Exprs() []*Expr { return itemExprs(n.Items) }

func itemExprs(items []Item) []*Expr {
	list := make([]*Expr, len(items))
	for i := range items {
		list[i] = &items[i].Expr
	}
	return list
}

// Passes implements Node.
func (n *Project) Passes() bool { return false }

// Reach implements Node.
func (n *Project) Reach() column.Ticks { return 0 }

func (n *Project) describe() string { return "project " + describeItems(n.Items) }

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

func (n *Project) rows(c *Canon) string { return c.Rows(n.In) }

func (n *Project) column(c *Canon, i int) string {
	if col, ok := n.Items[i].Expr.(*Col); ok && !n.Items[i].Star {
		return c.column(n.In, col.Index)
	}
	return digest("item", fmt.Sprint(n.Items[i].Star), c.Expr(n.Items[i].Expr, n.In))
}

func (n *Project) state(*Canon) []string { return nil }

func (n *Project) mark(ins []Node) Node {
	return &Project{In: ins[0], Items: append(slices.Clone(n.Items), Item{markColumn, markOf(ins[0])})}
}
