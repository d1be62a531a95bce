package bind

import (
	"spate/sql/plan"
	"spate/sql/syntax"
)

// match refuses MATCH_RECOGNIZE over rows, which are nil if they have a mistake.
// Without the clause the rows stay what they are.
func (b *binder) match(_ *scope, rows plan.Node, m *syntax.MatchRecognize) plan.Node {
	if m == nil {
		return rows
	}
	b.unsupported(m.Span, syntax.MatchRecognizes)
	return nil
}
