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
	Refs    []*Input // reference data that Lookups read
	Outputs []*Output
	Steps   []Step       // of WITH clauses, for people
	Source  string       // the script; spans are places in it
	Level   Level        // compatibility level that it is bound at
	Span    column.Ticks // the largest sum of window and duration spans along a path
}

// Step is a step of a WITH clause.
type Step struct {
	Name  string
	Node  Node // whose rows the step has; not in the plan if nothing reads it
	Where syntax.Span
}

// StepOf is the name of the WITH step whose rows a node has; empty: there is none.
func (j *Job) StepOf(n Node) string {
	for _, s := range j.Steps {
		if s.Node == n {
			return s.Name
		}
	}
	return ""
}

// Node is a step of the graph. Its kinds are the types of this package, each in a file
// of its own with all that the walks over a plan need of it.
type Node interface {
	Columns() []Column
	Inputs() []Node

	// Edges are the places of Inputs, for those who put another node there.
	Edges() []*Node
	// Exprs are the places of the node's expressions, without those that hold none. They
	// read the columns of the inputs, one input's behind the other's; those of an Input
	// read its own.
	Exprs() []*Expr
	// Passes reports whether the node's columns begin with those of all its inputs.
	Passes() bool
	// Reach is how far back the node looks.
	Reach() column.Ticks

	describe() string // the node in Explain, without its inputs
	// The names of Canon: of the rows, of one column, and of what the state holds that
	// the name of the rows does not tell.
	rows(c *Canon) string
	column(c *Canon, i int) string
	state(c *Canon) []string

	// mark is the node over marked inputs, the mark behind its columns.
	mark(ins []Node) Node
}

// Column is one column of a node's rows. A Star column holds records: the
// fields of events whose names the plan does not know.
type Column struct {
	Name string
	Star bool
	Type column.Kind // static type; column.Null if values may differ in kind
}

// Output is one SELECT ... INTO: the rows of In go to the job's output Name.
type Output struct {
	Name  string
	In    Node
	Where syntax.Span
}
