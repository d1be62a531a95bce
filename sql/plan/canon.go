package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Canon names steps and expressions of a job by what they compute. Two steps, of one
// plan or of two, have one name if they compute the same from the same inputs, however
// the script spells it: names of columns and steps do not count, nor does what else
// the script reads. State is kept under these names, so a change of what describe
// prints makes every job begin anew; TestCanonIsStable keeps it from happening unseen.
type Canon struct {
	level Level
	rows  map[Node]string // what the rows of a node are, columns aside
	cols  map[Node][]string
}

// NewCanon returns the names of a job of some level.
func NewCanon(l Level) *Canon {
	return &Canon{level: l, rows: make(map[Node]string), cols: make(map[Node][]string)}
}

// leveled puts the level behind parts of a name, where it is not the newest.
func (c *Canon) leveled(parts ...string) []string {
	if c.level == Level12 {
		return parts
	}
	return append(parts, "level", c.level.String())
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// Step is the name of a node that keeps state: its rows and what it computes.
func (c *Canon) Step(n Node) string {
	return digest(append([]string{"step", c.Rows(n)}, n.state(c)...)...)
}

// Columns is the name of the rows of a node with all their columns: of what holds
// whole rows.
func (c *Canon) Columns(n Node) string {
	parts := []string{"columns", c.Rows(n)}
	for i := range n.Columns() {
		parts = append(parts, c.column(n, i))
	}
	return digest(parts...)
}

// Rows is the name of the rows of a node, whatever columns they carry.
func (c *Canon) Rows(n Node) string {
	if s, ok := c.rows[n]; ok {
		return s
	}
	s := n.rows(c)
	c.rows[n] = s
	return s
}

// column is the name of column i of a node.
func (c *Canon) column(n Node, i int) string {
	if c.cols[n] == nil {
		c.cols[n] = make([]string, len(n.Columns()))
	}
	if s := c.cols[n][i]; s != "" {
		return s
	}
	s := n.column(c, i)
	c.cols[n][i] = s
	return s
}

// Expr is the name of an expression over the columns of nodes, one node's behind the
// other's.
func (c *Canon) Expr(e Expr, over ...Node) string {
	if e == nil {
		return "nothing"
	}
	name := func(x *Col) string {
		i := x.Index
		for _, n := range over[:len(over)-1] {
			width := len(n.Columns())
			if i < width {
				return c.column(n, i)
			}
			i -= width
		}
		return c.column(over[len(over)-1], i)
	}
	if col, ok := e.(*Col); ok {
		return name(col)
	}
	stamp := func() string {
		s := "timestamp of"
		for _, n := range over {
			s += " " + c.Rows(n)
		}
		return s
	}
	return digest("expr", describer{col: name, time: stamp}.expr(e), e.Type().String())
}
