package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Canon names steps and expressions of a job by what they compute. Two steps, of one
// plan or of two, have one name if they compute the same from the same inputs, however
// the script spells it: names of columns and steps do not count, nor does what else
// the script reads. State is kept under these names, so a change of what describe
// prints makes every job begin anew; TestCanonIsStable keeps it from happening unseen.
type Canon struct {
	rows map[Node]string // what the rows of a node are, columns aside
	cols map[Node][]string
}

// NewCanon returns the names of a job.
func NewCanon() *Canon {
	return &Canon{rows: make(map[Node]string), cols: make(map[Node][]string)}
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
	parts := []string{"step", c.Rows(n)}
	if a, ok := n.(*Analytic); ok {
		for i := range a.Funcs {
			parts = append(parts, c.column(n, len(a.In.Columns())+i))
		}
	}
	return digest(parts...)
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
	var s string
	switch n := n.(type) {
	case *Input:
		c.rows[n] = "arrival" // what System.Timestamp() is in its own TIMESTAMP BY
		parts := []string{"input", strings.ToLower(n.Name)}
		if n.Time != nil {
			parts = append(parts, "by", c.Expr(n.Time, n))
		}
		for _, e := range n.Over {
			parts = append(parts, "over", c.Expr(e, n))
		}
		s = digest(parts...)
	case *Filter:
		s = digest("filter", c.Rows(n.In), c.Expr(n.Cond, n.In))
	case *Project:
		s = c.Rows(n.In)
	case *Analytic:
		s = c.Rows(n.In)
	case *Aggregate:
		parts := []string{"aggregate", c.Rows(n.In)}
		for _, w := range n.Windows {
			plain := w
			plain.OverKey = nil
			parts = append(parts, describeWindow(plain))
			for _, e := range w.OverKey {
				parts = append(parts, c.Expr(e, n.In))
			}
		}
		for _, k := range n.Keys {
			parts = append(parts, "key", c.Expr(k.Expr, n.In))
		}
		for i := range n.Aggs {
			parts = append(parts, c.aggregate(n, i))
		}
		if n.WindowID {
			parts = append(parts, "id")
		}
		s = digest(parts...)
	case *Union:
		parts := []string{"union"}
		for _, in := range n.Ins {
			parts = append(parts, c.Columns(in))
		}
		s = digest(parts...)
	default:
		s = digest("node", describe(n))
	}
	c.rows[n] = s
	return s
}

func (c *Canon) aggregate(n *Aggregate, i int) string {
	a := n.Aggs[i]
	arg := "*"
	if a.Arg != nil {
		arg = c.Expr(a.Arg, n.In)
	}
	return fmt.Sprintf("%s(%v %s) of %s", a.Func, a.Distinct, arg, a.ArgType)
}

// column is the name of column i of a node.
func (c *Canon) column(n Node, i int) string {
	if c.cols[n] == nil {
		c.cols[n] = make([]string, len(n.Columns()))
	}
	if s := c.cols[n][i]; s != "" {
		return s
	}
	var s string
	switch n := n.(type) {
	case *Input:
		src := n.Cols[i]
		src.Name = ""
		s = digest("field", strings.ToLower(n.Name), describeSource(src))
	case *Filter:
		s = c.column(n.In, i)
	case *Project:
		if col, ok := n.Items[i].Expr.(*Col); ok && !n.Items[i].Star {
			s = c.column(n.In, col.Index)
			break
		}
		s = digest("item", fmt.Sprint(n.Items[i].Star), c.Expr(n.Items[i].Expr, n.In))
	case *Analytic:
		if k := len(n.In.Columns()); i >= k {
			s = c.analytic(n, &n.Funcs[i-k])
			break
		}
		s = c.column(n.In, i)
	case *Aggregate:
		switch k := i - len(n.Keys); {
		case k < 0:
			s = digest("group", c.Rows(n), fmt.Sprint(i))
		case k < len(n.Aggs):
			s = digest("value", c.Rows(n), c.aggregate(n, k))
		default:
			s = digest("window", c.Rows(n))
		}
	default:
		s = digest("column", c.Rows(n), fmt.Sprint(i))
	}
	c.cols[n][i] = s
	return s
}

func (c *Canon) analytic(n *Analytic, f *AnalyticFunc) string {
	plain := *f
	plain.Name, plain.Arg, plain.Default, plain.Keys, plain.When = "", nil, nil, nil, nil
	parts := []string{"analytic", c.Rows(n.In), describeAnalytic(plain)}
	for _, e := range []Expr{f.Arg, f.Default, f.When} {
		parts = append(parts, c.Expr(e, n.In))
	}
	for _, e := range f.Keys {
		parts = append(parts, "key", c.Expr(e, n.In))
	}
	return digest(parts...)
}

// Expr is the name of an expression over the columns of a node.
func (c *Canon) Expr(e Expr, of Node) string {
	if e == nil {
		return "nothing"
	}
	if col, ok := e.(*Col); ok {
		return c.column(of, col.Index)
	}
	named := describer{col: func(x *Col) string { return c.column(of, x.Index) }, time: func() string { return "timestamp of " + c.Rows(of) }}
	return digest("expr", named.expr(e), e.Type().String())
}
