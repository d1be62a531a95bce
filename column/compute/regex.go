package compute

import (
	"fmt"
	"time"

	"github.com/dlclark/regexp2"

	"spate/column"
)

// Regex runs REGEXMATCH and remembers patterns. One goroutine uses it.
type Regex struct {
	patterns map[string]*regexp2.Regexp // nil: no pattern of ECMAScript
}

const (
	regexPatterns = 100         // remembered
	regexTime     = time.Second // of one match; a pattern that backtracks for ever would stop the job
)

// NewRegex returns a Regex.
func NewRegex() *Regex { return &Regex{patterns: make(map[string]*regexp2.Regexp)} }

// Match returns the position, from 1 and in UTF-16 code units, of the first
// match of the pattern a[1] in the text a[0], ignoring case; 0 if there is none,
// and for a pattern that is no ECMAScript.
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
	re := r.pattern(p)
	if re == nil {
		return column.IntOf(0), nil
	}
	rs := []rune(s)
	m, err := re.FindRunesMatch(rs)
	if err != nil {
		return column.Value{}, fmt.Errorf("REGEXMATCH with pattern %.60q: the match took longer than %v", p, regexTime)
	}
	if m == nil {
		return column.IntOf(0), nil
	}
	at := int64(1)
	for _, c := range rs[:m.Index] {
		at++
		if c > 0xffff {
			at++
		}
	}
	return column.IntOf(at), nil
}

func (r *Regex) pattern(p string) *regexp2.Regexp {
	re, ok := r.patterns[p]
	if ok {
		return re
	}
	if len(r.patterns) >= regexPatterns {
		clear(r.patterns)
	}
	re, err := regexp2.Compile(p, regexp2.ECMAScript|regexp2.IgnoreCase)
	if err != nil {
		re = nil
	} else {
		re.MatchTimeout = regexTime
	}
	r.patterns[p] = re
	return re
}
