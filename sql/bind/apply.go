package bind

import (
	"spate/sql/plan"
	"spate/sql/syntax"
)

// apply refuses CROSS APPLY and OUTER APPLY.
func (b *binder) apply(_ *scope, a *syntax.Apply) plan.Node {
	b.unsupported(a.Right.Loc(), syntax.Applies)
	return nil
}
