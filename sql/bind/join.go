package bind

import (
	"strings"

	"spate/sql/plan"
	"spate/sql/syntax"
)

// join refuses a join, with the error of the language where it has one.
func (b *binder) join(sc *scope, j *syntax.Join) plan.Node {
	if left, ok := j.Left.(*syntax.Join); ok {
		return b.join(sc, left)
	}
	at := j.Right.Loc()
	switch {
	case b.isReference(j.Left) || b.isReference(j.Right):
		b.unsupported(at, syntax.ReferenceJoins)
	case containsCall(j.On, "DATEDIFF"):
		b.unsupported(at, syntax.Joins)
	default:
		b.fail(at, "JOIN is not supported yet, with such a bound or without, and neither is JOIN with reference data, which needs none",
			"The join predicate is not time bounded. JOIN operation between data streams requires specifying "+
				"max time distances between matching events. Please add DATEDIFF to the JOIN condition.")
	}
	return nil
}

// isReference reports whether a source is an input that is declared as reference data.
func (b *binder) isReference(s syntax.Source) bool {
	t, ok := s.(*syntax.TableRef)
	if !ok || b.steps[strings.ToLower(t.Name.Last().Name)] != nil {
		return false
	}
	in, ok := b.inputs[strings.ToLower(t.Name.Last().Name)]
	return ok && in.info.Reference
}
