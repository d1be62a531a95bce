package bind

import (
	"spate/sql/plan"
	"spate/sql/syntax"
)

// reference refuses an input of reference data.
func (b *binder) reference(_ *scope, t *syntax.TableRef, _ *inputDecl) plan.Node {
	b.unsupported(t.Name.Span, syntax.ReferenceData)
	return nil
}
