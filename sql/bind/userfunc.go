package bind

import (
	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// userFunc refuses udf.f() and uda.f().
func (q *query) userFunc(c *syntax.Call) plan.Expr {
	q.b.unsupported(c.Span, syntax.UserFunctions, "a user function ("+syntax.FormatName(c.Name)+")")
	return constant(c.Span, column.Value{})
}
