package compute

import (
	"errors"
	"fmt"

	"spate/column"
	"spate/column/regex"
)

// Regex runs REGEXMATCH and remembers patterns. One goroutine uses it.
type Regex struct {
	patterns map[string]compiled
	machine  regex.Machine
}

// compiled is a pattern, or why it is none.
type compiled struct {
	pattern *regex.Pattern
	err     error
}

const regexPatterns = 100 // remembered

// NewRegex returns a Regex.
func NewRegex() *Regex { return &Regex{patterns: make(map[string]compiled)} }

// Match returns the position, from 1 and in UTF-16 code units, of the first
// match of the pattern a[1] in the text a[0], ignoring case; 0 if there is none,
// and for a pattern that is no ECMAScript. A match that takes too many steps is an
// error.
func (r *Regex) Match(a []column.Value) (column.Value, error) {
	if a[0].IsNull() || a[1].IsNull() {
		return column.Value{}, nil
	}
	s, err := textArg("REGEXMATCH", a, 0)
	if err != nil {
		return column.Value{}, err
	}
	p, err := textArg("REGEXMATCH", a, 1)
	if err != nil {
		return column.Value{}, err
	}
	c := r.pattern(p)
	switch {
	case errors.Is(c.err, regex.ErrTooLarge):
		return column.Value{}, fmt.Errorf("REGEXMATCH with pattern %.60q: %w", p, c.err)
	case c.err != nil:
		return column.IntOf(0), nil
	}
	at, err := r.machine.Find(c.pattern, s)
	if err != nil {
		return column.Value{}, fmt.Errorf("REGEXMATCH with pattern %.60q: %w", p, err)
	}
	return column.IntOf(int64(at) + 1), nil
}

func (r *Regex) pattern(p string) compiled {
	c, ok := r.patterns[p]
	if ok {
		return c
	}
	if len(r.patterns) >= regexPatterns {
		clear(r.patterns)
	}
	c.pattern, c.err = regex.Compile(p)
	r.patterns[p] = c
	return c
}
