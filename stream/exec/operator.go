// Package exec holds the operators of a streaming job, one per file. An
// operator takes batches and watermarks and gives batches and watermarks by
// direct call; one goroutine owns it. It knows nothing of sources, sinks,
// checkpoints or clocks.
package exec

import (
	"fmt"

	"spate/column"
	"spate/sql/syntax"
	"spate/stream/state"
)

// Operator is one step of a running plan.
type Operator interface {
	// Process takes rows of input in.
	Process(in int, b *column.Batch, out Emit) error
	// Advance says that no later row of any input has event time < w. It emits what is
	// final, then passes on w, or less if rows are held back.
	Advance(w column.Ticks, out Emit) error
	// Freeze takes what has changed since the last Freeze; what it returns writes that
	// into the state, beside the operator. Nil: nothing changed. It takes time in
	// proportion to what changed, and fails where the operator would have failed later.
	Freeze() (state.Frozen, error)
	// Load takes one entry of the state. A new operator gets all of its entries, in key
	// order, before anything else; a shard gets those of its key groups.
	Load(e state.Entry) error
}

// Emit is what an operator writes to: the next operator, or all readers of a
// shared step.
type Emit interface {
	Rows(b *column.Batch) error
	Advance(w column.Ticks) error
}

// Error is a runtime error of a query, of one row: it stops the job, or costs the row.
type Error struct {
	Where  syntax.Span
	Time   column.Ticks
	Err    error
	Result bool // of a group: the row is one that the step was to make
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("runtime error at line %d and column %d for the row of %s: %v", e.Where.From.Line, e.Where.From.Col, e.Time, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// UnsupportedError names a construct that the engine does not run.
type UnsupportedError struct {
	Where syntax.Span
	What  string
}

// Error implements error.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s is not supported yet", e.Where.From.Line, e.Where.From.Col, e.What)
}

// stateless is embedded by operators that keep nothing.
type stateless struct{}

// Advance implements Operator.
func (stateless) Advance(w column.Ticks, out Emit) error { return out.Advance(w) }

// Freeze implements Operator.
func (stateless) Freeze() (state.Frozen, error) { return nil, nil }

// Load implements Operator.
func (stateless) Load(e state.Entry) error {
	return fmt.Errorf("reading the state of a step that has none: an entry of %d bytes", len(e.Value))
}
