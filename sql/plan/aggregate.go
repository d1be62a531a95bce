package plan

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"spate/column"
	"spate/sql/syntax"
)

// WindowKind is a kind of window.
type WindowKind uint8

// Kinds of windows. A Snapshot groups rows of one timestamp.
const (
	Tumbling WindowKind = iota
	Hopping
	Sliding
	Session
	Snapshot
)

// Window is one window definition.
type Window struct {
	Kind    WindowKind
	Size    column.Ticks // Session: timeout
	Hop     column.Ticks // Tumbling: equal to Size; Session: maximum duration
	Offset  column.Ticks
	ID      string // of Windows(Window('id', ...)); empty if none
	OverKey []Expr // Session: OVER (PARTITION BY)
}

// Aggregate groups rows by keys and windows. Its columns are the keys, then the
// aggregates, then Window.Id if WindowID. The time of its rows is the window's end.
type Aggregate struct {
	In       Node
	Keys     []Item
	Windows  []Window
	Aggs     []Agg
	WindowID bool
}

// Agg is one aggregate function call.
type Agg struct {
	Column
	Func     AggFunc
	Arg      Expr // nil for COUNT(*)
	Distinct bool
	ArgType  column.Kind // static type of Arg; column.Null if none
	Where    syntax.Span

	Order []OrderKey // TopOne and CollectTop
	Top   int        // CollectTop: how many rows
	Share *big.Rat   // percentiles: from 0 to 1
	Desc  bool       // percentiles

	User *Function // User: what it is
	At   Expr      // User: the time that goes with a value; nil: that of the row
}

// OrderKey is an item of ORDER BY.
type OrderKey struct {
	Expr Expr
	Desc bool
}

// AggFunc is an aggregate function.
type AggFunc string

// Aggregate functions.
const (
	Count  AggFunc = "COUNT"
	Sum    AggFunc = "SUM"
	Avg    AggFunc = "AVG"
	Min    AggFunc = "MIN"
	Max    AggFunc = "MAX"
	Stdev  AggFunc = "STDEV"
	StdevP AggFunc = "STDEVP"
	Var    AggFunc = "VAR"
	VarP   AggFunc = "VARP"

	Collect        AggFunc = "COLLECT"
	CollectTop     AggFunc = "COLLECTTOP"
	TopOne         AggFunc = "TOPONE"
	PercentileCont AggFunc = "PERCENTILE_CONT"
	PercentileDisc AggFunc = "PERCENTILE_DISC"

	User AggFunc = "UDA" // a function of the job
)

// Columns implements Node.
func (n *Aggregate) Columns() []Column {
	cols := itemColumns(n.Keys)
	for i := range n.Aggs {
		cols = append(cols, n.Aggs[i].Column)
	}
	if n.WindowID {
		cols = append(cols, Column{Name: "Id", Type: column.Text})
	}
	return cols
}

// Inputs implements Node.
func (n *Aggregate) Inputs() []Node { return []Node{n.In} }

// Edges implements Node.
func (n *Aggregate) Edges() []*Node { return []*Node{&n.In} }

// Exprs implements Node.
func (n *Aggregate) Exprs() []*Expr {
	list := itemExprs(n.Keys)
	for i := range n.Aggs {
		list = append(list, n.Aggs[i].exprs()...)
	}
	for i := range n.Windows {
		list = append(list, all(n.Windows[i].OverKey)...)
	}
	return list
}

// Passes implements Node.
func (n *Aggregate) Passes() bool { return false }

// Reach implements Node. A session may last nearly twice its maximum.
func (n *Aggregate) Reach() column.Ticks {
	var reach column.Ticks
	for _, w := range n.Windows {
		if w.Kind == Session {
			reach = max(reach, 2*w.Hop+w.Size)
		} else {
			reach = max(reach, w.Size)
		}
	}
	return reach
}

func (n *Aggregate) describe() string {
	var ws, as []string
	for _, w := range n.Windows {
		ws = append(ws, describeWindow(w))
	}
	for _, a := range n.Aggs {
		arg := "*"
		if a.Arg != nil {
			arg = describeExpr(a.Arg)
		}
		if a.Distinct {
			arg = "distinct " + arg
		}
		as = append(as, fmt.Sprintf("%s(%s)%s as [%s] of %s", a.Func, arg, a.over(describeExpr), a.Name, a.ArgType))
	}
	s := fmt.Sprintf("aggregate %s by %s over %s", strings.Join(as, ", "), describeItems(n.Keys), strings.Join(ws, ", "))
	if n.WindowID {
		s += " with id"
	}
	return s
}

// exprs are the places of what an aggregate looks at.
func (a *Agg) exprs() []*Expr {
	list := exprs(&a.Arg)
	for k := range a.Order {
		list = append(list, &a.Order[k].Expr)
	}
	return append(list, exprs(&a.At)...)
}

// describe is an aggregate without its name.
func (a *Agg) describe(text func(Expr) string) string {
	arg := "*"
	if a.Arg != nil {
		arg = text(a.Arg)
	}
	return fmt.Sprintf("%s(%s)%s of %s", a.Func, arg, a.over(text), a.ArgType)
}

// over is what an aggregate has besides its argument; empty for most.
func (a *Agg) over(text func(Expr) string) string {
	s := ""
	if a.Share != nil {
		s += " at " + a.Share.RatString()
		if a.Desc {
			s += " from the top"
		}
	}
	if a.Top > 0 {
		s += fmt.Sprintf(" first %d", a.Top)
	}
	if a.User != nil {
		s += " of " + a.User.canon()
		if a.At != nil {
			s += " at " + text(a.At)
		}
	}
	for _, k := range a.Order {
		s += " by " + text(k.Expr)
		if k.Desc {
			s += " down"
		}
	}
	return s
}

func describeWindow(w Window) string {
	kind := [...]string{"tumbling", "hopping", "sliding", "session", "snapshot"}[w.Kind]
	s := fmt.Sprintf("%s(%d, %d, %d)", kind, w.Size, w.Hop, w.Offset)
	if w.ID != "" {
		s += " '" + w.ID + "'"
	}
	if len(w.OverKey) > 0 {
		s += " over " + describeAll(w.OverKey)
	}
	return s
}

func (n *Aggregate) rows(c *Canon) string {
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
		parts = append(parts, n.value(c, i))
	}
	if n.WindowID {
		parts = append(parts, "id")
	}
	return digest(parts...)
}

// value names the i-th aggregate.
func (n *Aggregate) value(c *Canon, i int) string {
	a := n.Aggs[i]
	arg := "*"
	if a.Arg != nil {
		arg = c.Expr(a.Arg, n.In)
	}
	return fmt.Sprintf("%s(%v %s)%s of %s", a.Func, a.Distinct, arg, a.over(func(e Expr) string { return c.Expr(e, n.In) }), a.ArgType)
}

func (n *Aggregate) column(c *Canon, i int) string {
	switch k := i - len(n.Keys); {
	case k < 0:
		return digest("group", c.Rows(n), fmt.Sprint(i))
	case k < len(n.Aggs):
		return digest("value", c.Rows(n), n.value(c, k))
	}
	return digest("window", c.Rows(n))
}

func (n *Aggregate) state(*Canon) []string { return nil }

func (n *Aggregate) mark(ins []Node) Node {
	c := *n
	c.In = ins[0]
	c.Aggs = append(slices.Clone(n.Aggs), Agg{Column: markColumn, Func: Max, Arg: markOf(c.In), ArgType: column.Int64})
	return markLast(&c, len(n.Keys)+len(n.Aggs))
}
