package plan

import (
	"fmt"
	"slices"
	"strings"

	"spate/column"
	"spate/sql/syntax"
)

// Input is one FROM reference to a job input, with its time stage. References
// with the same input and the same TIMESTAMP BY are one Input.
type Input struct {
	Name  string      // the job's input alias as the script spells it
	Cols  []Source    // what the plan reads of each event
	Time  Expr        // TIMESTAMP BY over Cols; nil: arrival-time mode
	Over  []Expr      // TIMESTAMP BY ... OVER
	Where syntax.Span // the FROM reference

	Reference bool // reference data: no stream, and its rows have no time
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
	Metadata                         // what the input knows of the event besides: see Source.Path
	MarkedMessage                    // the mark of a marked plan: 1 in the rows of the chosen message
)

// Source is a column of an input.
type Source struct {
	Column
	Kind     SourceKind
	Path     []string    // Payload: field names from the outside in; Metadata: what of what, such as User, name
	Declared column.Kind // type of CREATE TABLE; column.Null if none
}

// Columns implements Node.
func (n *Input) Columns() []Column {
	cols := make([]Column, len(n.Cols))
	for i := range n.Cols {
		cols[i] = n.Cols[i].Column
	}
	return cols
}

// Inputs implements Node.
func (n *Input) Inputs() []Node { return nil }

// Edges implements Node.
func (n *Input) Edges() []*Node { return nil }

// Exprs implements Node.
func (n *Input) Exprs() []*Expr {
	return append(exprs(&n.Time), all(n.Over)...)
}

// Passes implements Node.
func (n *Input) Passes() bool { return false }

// Reach implements Node.
func (n *Input) Reach() column.Ticks { return 0 }

func (n *Input) describe() string {
	cols := make([]string, len(n.Cols))
	for i, c := range n.Cols {
		cols[i] = describeSource(c)
	}
	kind := "input"
	if n.Reference {
		kind = "reference"
	}
	s := fmt.Sprintf("%s [%s] (%s)", kind, n.Name, strings.Join(cols, ", "))
	if n.Time != nil {
		s += " timestamp by " + describeExpr(n.Time)
	}
	if len(n.Over) > 0 {
		s += " over " + describeAll(n.Over)
	}
	return s
}

func describeSource(c Source) string {
	kind := [...]string{"payload", "whole", "enqueued", "processed", "partition", "metadata", "mark"}[c.Kind]
	s := fmt.Sprintf("[%s] %s %s", c.Name, kind, strings.Join(c.Path, "."))
	if c.Declared != column.Null {
		s += " as " + c.Declared.String()
	}
	return strings.TrimSpace(s)
}

func (n *Input) rows(c *Canon) string {
	c.rows[n] = "arrival" // what System.Timestamp() is in its own TIMESTAMP BY
	if n.Reference {
		return digest("reference", strings.ToLower(n.Name))
	}
	parts := []string{"input", strings.ToLower(n.Name)}
	if n.Time != nil {
		parts = append(parts, "by", c.Expr(n.Time, n))
	}
	for _, e := range n.Over {
		parts = append(parts, "over", c.Expr(e, n))
	}
	return digest(c.leveled(parts...)...)
}

func (n *Input) column(c *Canon, i int) string {
	src := n.Cols[i]
	src.Name = ""
	return digest(c.leveled("field", strings.ToLower(n.Name), describeSource(src))...)
}

func (n *Input) state(*Canon) []string { return nil }

func (n *Input) mark([]Node) Node {
	c := *n
	c.Cols = append(slices.Clone(n.Cols), Source{Column: markColumn, Kind: MarkedMessage})
	return &c
}
