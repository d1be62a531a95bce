package syntax

import (
	"fmt"
	"sort"
	"strings"
)

// Error is a mistake in a source text.
type Error struct {
	Span Span
	Msg  string
	Hint string // what to write instead; may be empty
}

// Error returns "line:column: message (hint)".
func (e *Error) Error() string {
	s := fmt.Sprintf("%d:%d: %s", e.Span.From.Line, e.Span.From.Col, e.Msg)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Errors is a list of mistakes in the order of the text.
type Errors []*Error

// Error returns the errors, one a line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns es as an error, nil if it is empty.
func (es Errors) Err() error {
	if len(es) == 0 {
		return nil
	}
	return es
}

// Sort orders the errors by position.
func (es Errors) Sort() {
	sort.SliceStable(es, func(i, j int) bool { return es[i].Span.From.Offset < es[j].Span.From.Offset })
}
