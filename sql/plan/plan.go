// Package plan holds the typed logical plan of a streaming job: what
// sql/bind makes of a script and what the engine and the reference interpreter
// run. It is data only; every name in it is resolved and every construct in it
// is one that the engine runs.
package plan

import (
	"spate/column"
	"spate/sql/syntax"
)

// Job is the plan of one script: a directed graph from inputs to outputs.
type Job struct {
	Inputs  []*Input
	Outputs []*Output
	Span    column.Ticks // the largest sum of window and duration spans along a path
}

// Node is a step of the graph.
type Node interface {
	Columns() []Column
	Inputs() []Node
}

// Column is one column of a node's rows. A Star column holds records: the
// fields of events whose names the plan does not know.
type Column struct {
	Name string
	Star bool
	Type column.Kind // static type; column.Null if values may differ in kind
}

// Input is one FROM reference to a job input, with its time stage. References
// with the same input and the same TIMESTAMP BY are one Input.
type Input struct {
	Name  string      // the job's input alias as the script spells it
	Cols  []Source    // what the plan reads of each event
	Time  Expr        // TIMESTAMP BY over Cols; nil: arrival-time mode
	Over  []Expr      // TIMESTAMP BY ... OVER
	Where syntax.Span // the FROM reference
}

// SourceKind says where an input column comes from.
type SourceKind uint8

// Kinds of input columns.
const (
	Payload        SourceKind = iota // the field at Path
	Whole                            // the event as a record, system columns appended
	EventEnqueued                    // EventEnqueuedUtcTime: the arrival time
	EventProcessed                   // EventProcessedUtcTime
	Partition                        // PartitionId
)

// Source is a column of an input.
type Source struct {
	Column
	Kind     SourceKind
	Path     []string    // Payload: field names from the outside in
	Declared column.Kind // type of CREATE TABLE; column.Null if none
}

// Filter keeps the rows for which Cond is TRUE.
type Filter struct {
	In   Node
	Cond Expr
}

// Project computes new rows. An item with Star set is a Column expression over
// a Star column of the input and keeps its records; fields whose names clash
// (ignoring case) with a column to their left are dropped when the record is
// printed.
type Project struct {
	In    Node
	Items []Item
}

// Item is one column of a Project.
type Item struct {
	Column
	Expr Expr
}

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
)

// AnalyticFunc is one analytic call.
type AnalyticFunc struct {
	Column
	Kind    AnalyticKind
	Arg     Expr // Lag and Last
	Offset  int  // Lag
	Default Expr // Lag: nil for NULL
	Keys    []Expr
	Limit   column.Ticks // LIMIT DURATION; IsFirst: the interval
	When    Expr         // nil: every row
}

// Union passes the rows of all inputs, columns by position; if Star, rows pass
// with their own names and the union has one Star column.
type Union struct {
	Ins  []Node
	Cols []Column
}

// Output is one SELECT ... INTO: the rows of In go to the job's output Name.
type Output struct {
	Name  string
	In    Node
	Where syntax.Span
}

// Columns implements Node.
func (n *Input) Columns() []Column {
	cols := make([]Column, len(n.Cols))
	for i := range n.Cols {
		cols[i] = n.Cols[i].Column
	}
	return cols
}

// Columns implements Node.
func (n *Filter) Columns() []Column { return n.In.Columns() }

// Columns implements Node.
func (n *Project) Columns() []Column { return itemColumns(n.Items) }

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

// Columns implements Node.
func (n *Analytic) Columns() []Column {
	cols := append([]Column(nil), n.In.Columns()...)
	for i := range n.Funcs {
		cols = append(cols, n.Funcs[i].Column)
	}
	return cols
}

// Columns implements Node.
func (n *Union) Columns() []Column { return n.Cols }

func itemColumns(items []Item) []Column {
	cols := make([]Column, len(items))
	for i := range items {
		cols[i] = items[i].Column
	}
	return cols
}

// Inputs implements Node.
func (n *Input) Inputs() []Node { return nil }

// Inputs implements Node.
func (n *Filter) Inputs() []Node { return []Node{n.In} }

// Inputs implements Node.
func (n *Project) Inputs() []Node { return []Node{n.In} }

// Inputs implements Node.
func (n *Aggregate) Inputs() []Node { return []Node{n.In} }

// Inputs implements Node.
func (n *Analytic) Inputs() []Node { return []Node{n.In} }

// Inputs implements Node.
func (n *Union) Inputs() []Node { return n.Ins }
