package plan

import (
	"fmt"
	"strings"

	"spate/column"
	"spate/sql/syntax"
)

// Analytic appends one column per function to the rows of In, in total order
// per partition key.
type Analytic struct {
	In    Node
	Funcs []AnalyticFunc
}

// AnalyticKind is an analytic function.
type AnalyticKind uint8

// Analytic functions.
const (
	Lag AnalyticKind = iota
	Last
	IsFirst
	OverRows    // an aggregate over the rows of LIMIT DURATION
	SpikeAndDip // how far a value lies from those before
	ChangePoint // whether values have become others
)

// String is the name of the function in the language.
func (k AnalyticKind) String() string {
	return [...]string{"LAG", "LAST", "ISFIRST", "OVER", "AnomalyDetection_SpikeAndDip", "AnomalyDetection_ChangePoint"}[k]
}

// AnalyticFunc is one analytic call.
type AnalyticFunc struct {
	Column
	Kind    AnalyticKind
	Arg     Expr // Lag, Last, SpikeAndDip and ChangePoint
	Offset  int  // Lag
	Default Expr // Lag: nil for NULL
	Keys    []Expr
	Limit   column.Ticks // LIMIT DURATION; IsFirst: the interval
	When    Expr         // nil: every row
	Agg     *Agg         // OverRows: the aggregate, with its argument
	Anomaly *Anomaly     // SpikeAndDip and ChangePoint
	Where   syntax.Span
}

// Anomaly is what AnomalyDetection_SpikeAndDip and AnomalyDetection_ChangePoint are told.
type Anomaly struct {
	Confidence float64 // percent, 1..100
	History    int     // values that are remembered, 1..MaxHistory
	Spikes     bool    // SpikeAndDip: values that are too high are anomalies
	Dips       bool    // SpikeAndDip: values that are too low are
}

// MaxHistory bounds what one key of an anomaly function keeps, and looks at for each row.
const MaxHistory = 100_000

// argument is what the function looks at; nil: rows.
func (f *AnalyticFunc) argument() Expr {
	if f.Agg != nil {
		return f.Agg.Arg
	}
	return f.Arg
}

// Columns implements Node.
func (n *Analytic) Columns() []Column {
	cols := append([]Column(nil), n.In.Columns()...)
	for i := range n.Funcs {
		cols = append(cols, n.Funcs[i].Column)
	}
	return cols
}

// Inputs implements Node.
func (n *Analytic) Inputs() []Node { return []Node{n.In} }

// Edges implements Node.
func (n *Analytic) Edges() []*Node { return []*Node{&n.In} }

// Exprs implements Node.
func (n *Analytic) Exprs() []*Expr {
	var list []*Expr
	for i := range n.Funcs {
		f := &n.Funcs[i]
		list = append(append(list, exprs(&f.Arg, &f.Default, &f.When)...), all(f.Keys)...)
		if f.Agg != nil {
			list = append(list, f.Agg.exprs()...)
		}
	}
	return list
}

// Passes implements Node.
func (n *Analytic) Passes() bool { return true }

// Reach implements Node. Whether a change of values is told depends on when one was told
// before, and so on from the first value of a key on.
func (n *Analytic) Reach() column.Ticks {
	var reach column.Ticks
	for _, f := range n.Funcs {
		if f.Kind == ChangePoint {
			return column.MaxTicks
		}
		reach = max(reach, f.Limit)
	}
	return reach
}

func (n *Analytic) describe() string {
	fs := make([]string, len(n.Funcs))
	for i, f := range n.Funcs {
		fs[i] = describeAnalytic(f)
	}
	return "analytic " + strings.Join(fs, ", ")
}

func describeAnalytic(f AnalyticFunc) string {
	if f.Agg != nil {
		s := fmt.Sprintf("%s over as [%s] by %s limit %d", f.Agg.describe(describeExpr), f.Name, describeAll(f.Keys), f.Limit)
		if f.When != nil {
			s += " when " + describeExpr(f.When)
		}
		return s
	}
	kind := [...]string{"lag", "last", "isfirst", "over", "spikeanddip", "changepoint"}[f.Kind]
	s := fmt.Sprintf("%s(", kind)
	if f.Arg != nil {
		s += describeExpr(f.Arg)
	}
	if a := f.Anomaly; a != nil {
		s += fmt.Sprintf(", %v, %d, %v, %v", a.Confidence, a.History, a.Spikes, a.Dips)
	} else {
		s += fmt.Sprintf(", %d", f.Offset)
	}
	if f.Default != nil {
		s += ", " + describeExpr(f.Default)
	}
	s += fmt.Sprintf(") as [%s] by %s limit %d", f.Name, describeAll(f.Keys), f.Limit)
	if f.When != nil {
		s += " when " + describeExpr(f.When)
	}
	return s
}

func (n *Analytic) rows(c *Canon) string { return c.Rows(n.In) }

func (n *Analytic) column(c *Canon, i int) string {
	if k := len(n.In.Columns()); i >= k {
		return n.value(c, &n.Funcs[i-k])
	}
	return c.column(n.In, i)
}

// value names one function.
func (n *Analytic) value(c *Canon, f *AnalyticFunc) string {
	plain := *f
	plain.Name, plain.Arg, plain.Default, plain.Keys, plain.When, plain.Agg = "", nil, nil, nil, nil, nil
	parts := []string{"analytic", c.Rows(n.In), describeAnalytic(plain)}
	for _, e := range []Expr{f.Arg, f.Default, f.When} {
		parts = append(parts, c.Expr(e, n.In))
	}
	for _, e := range f.Keys {
		parts = append(parts, "key", c.Expr(e, n.In))
	}
	if f.Agg != nil {
		parts = append(parts, f.Agg.describe(func(e Expr) string { return c.Expr(e, n.In) }))
	}
	return digest(parts...)
}

// state holds the functions: the rows are those of the input, and do not name them.
func (n *Analytic) state(c *Canon) []string {
	var parts []string
	for i := range n.Funcs {
		parts = append(parts, n.value(c, &n.Funcs[i]))
	}
	return parts
}

func (n *Analytic) mark(ins []Node) Node {
	c := *n
	c.In = ins[0]
	return markLast(&c, len(n.In.Columns()))
}
