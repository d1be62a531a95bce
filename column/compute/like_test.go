package compute

import (
	"strings"
	"testing"

	"spate/column"
)

// The first match of a pattern with several runs in a text that almost matches
// everywhere takes one walk.
func BenchmarkPatIndexOfAPatternThatAlmostMatches(b *testing.B) {
	args := []column.Value{column.TextOf("%a%b%"), column.TextOf(strings.Repeat("a", 100_000))}
	for b.Loop() {
		if v, err := patIndex(args); err != nil || v.Int() != 0 {
			b.Fatal(v, err)
		}
	}
}
