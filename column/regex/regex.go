// Package regex matches the patterns of REGEXMATCH: the syntax of ECMAScript with the
// inline options, anchors, atomic groups and categories of .NET, ignoring case.
//
// A pattern is compiled to a program that a backtracking machine runs. The machine
// remembers from where it has failed, so that a match takes as many steps as the pattern
// and the text are long, multiplied; look-around may take the text squared. What a back
// reference matches is not remembered, so that a pattern with one may take exponentially
// many. All matches are bounded by a number of steps, never by time: what a query gives
// does not depend on the load of the machine.
//
// Stability: importable, not promised before 1.0.
package regex

import (
	"errors"
	"fmt"
)

// ErrTooLarge is given for a pattern whose repetitions make too large a program,
// ErrTooHard for a match that takes more steps or more memory than is allowed. All other
// errors of Compile say that the text is no pattern.
var (
	ErrTooLarge = errors.New("the pattern is too large")
	ErrTooHard  = fmt.Errorf("the match takes more than %d steps", maxSteps)
)

const (
	maxProgram = 1 << 16     // instructions
	maxDepth   = 500         // of groups in groups
	maxSteps   = 100_000_000 // of one match: about a second
	maxStates  = 1 << 28     // bits that remember failures in one match
)

// Pattern is a compiled pattern. It does not change; many machines may run it.
type Pattern struct {
	code   []inst
	splits int  // places that are remembered
	slots  int  // of groups and loops; 0: nothing refers back
	begin  bool // matches at the begin of the text only
	first  int  // instruction that the first character has to pass; -1 if there is none
}

// Compile reads a pattern.
func Compile(pattern string) (*Pattern, error) {
	p := newParser([]rune(pattern))
	n, err := p.parse()
	if err != nil {
		return nil, err
	}
	return compile(n, p)
}
