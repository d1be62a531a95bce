package bind

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"spate/column"
	"spate/sql/plan"
	"spate/sql/syntax"
)

// cond binds a condition.
func (q *query) cond(e syntax.Expr) plan.Expr {
	switch e := e.(type) {
	case *syntax.Binary:
		if e.Op == "AND" || e.Op == "OR" {
			return q.connective(e)
		}
		if isComparison(e.Op) {
			return q.either(e)
		}
	case *syntax.Unary:
		if e.Op == "NOT" {
			return call(e.Span, column.Bool, "NOT", q.cond(e.X))
		}
	case *syntax.IsNull, *syntax.Between, *syntax.In, *syntax.Like:
		return q.either(e)
	}
	bound := q.expr(e)
	if !isNull(bound) || isNullLiteral(e) {
		q.b.fail(e.Loc(), conditionHint(e), "a condition is expected in %s, not a value", q.clause)
	}
	return bound
}

func conditionHint(e syntax.Expr) string {
	if c, ok := e.(*syntax.Call); ok && callName(c) == "DATEDIFF" {
		return "compare it, as in DATEDIFF(minute, a, b) BETWEEN 0 AND 5"
	}
	return "compare it, as in x = 1"
}

func isNullLiteral(e syntax.Expr) bool {
	l, ok := e.(*syntax.Literal)
	return ok && l.Kind == syntax.NullLit
}

func isComparison(op string) bool {
	switch op {
	case "=", "<>", "<", "<=", ">", ">=":
		return true
	}
	return false
}

func call(at syntax.Span, k column.Kind, name string, args ...plan.Expr) *plan.Call {
	return &plan.Call{Base: plan.Base{Static: k, Where: at}, Func: name, Args: args}
}

// connective binds a chain of one AND or OR as one call.
func (q *query) connective(e *syntax.Binary) plan.Expr {
	var parts []syntax.Expr
	var x syntax.Expr = e
	for {
		b, ok := x.(*syntax.Binary)
		if !ok || b.Op != e.Op {
			break
		}
		parts = append(parts, b.R)
		x = b.L
	}
	args := []plan.Expr{q.cond(x)}
	for i := len(parts) - 1; i >= 0; i-- {
		args = append(args, q.cond(parts[i]))
	}
	return call(e.Span, column.Bool, e.Op, args...)
}

// isCondition reports whether an expression is one that is true, false or unknown.
func isCondition(e syntax.Expr) bool {
	switch e := e.(type) {
	case *syntax.Binary:
		return e.Op == "AND" || e.Op == "OR" || isComparison(e.Op)
	case *syntax.Unary:
		return e.Op == "NOT"
	case *syntax.IsNull, *syntax.Between, *syntax.In, *syntax.Like:
		return true
	}
	return false
}

// expr binds an expression where a value stands. After a mistake it returns NULL, so
// that the rest is checked as well.
func (q *query) expr(e syntax.Expr) plan.Expr {
	if isCondition(e) {
		q.b.warn(e.Loc(), notPortable, "a condition is read as a value, a bit, which no reference shows; use CASE WHEN ... THEN 1 ELSE 0 END")
	}
	return q.either(e)
}

// either binds a value or a condition.
func (q *query) either(e syntax.Expr) plan.Expr {
	if q.post {
		if key := q.grouped(e); key != nil {
			return key
		}
	}
	at := e.Loc()
	switch e := e.(type) {
	case *syntax.Literal:
		return q.literal(e, false)
	case *syntax.Path:
		return q.path(e)
	case *syntax.Unary:
		return q.unary(e)
	case *syntax.Binary:
		return q.binary(e)
	case *syntax.IsNull:
		return negate(e.Not, call(at, column.Bool, "IS NULL", q.expr(e.X)))
	case *syntax.Between:
		return negate(e.Not, call(at, column.Bool, "BETWEEN", q.expr(e.X), q.expr(e.Lo), q.expr(e.Hi)))
	case *syntax.In:
		if e.Query != nil {
			q.b.fail(e.Query.Span, "use a JOIN", "a query inside an expression is not part of the Stream Analytics language")
			return constant(at, column.Value{})
		}
		args := []plan.Expr{q.expr(e.X)}
		for _, x := range e.List {
			args = append(args, q.expr(x))
		}
		return negate(e.Not, call(at, column.Bool, "IN", args...))
	case *syntax.Like:
		args := []plan.Expr{q.expr(e.X), q.expr(e.Pattern)}
		if e.Escape != nil {
			args = append(args, q.expr(e.Escape))
			if c, ok := args[2].(*plan.Const); ok && c.Value.Kind == column.Text && utf8.RuneCountInString(c.Value.Text()) != 1 {
				q.b.fail(e.Escape.Loc(), "", "ESCAPE takes one character")
			}
		}
		for i, a := range args {
			q.checkType(a, "like", i, "tts"[i])
		}
		return negate(e.Not, call(at, column.Bool, "LIKE", args...))
	case *syntax.Case:
		return q.caseExpr(e)
	case *syntax.Cast:
		kind, ok := q.b.kindOf(e.Type)
		x := q.expr(e.X)
		if !ok {
			return constant(at, column.Value{})
		}
		return &plan.Cast{Base: plan.Base{Static: kind, Where: at}, Of: x, Try: e.Func == "TRY_CAST", Text: q.b.text(e.X.Loc())}
	case *syntax.Call:
		return q.call(e)
	case *syntax.Field:
		if c, ok := e.X.(*syntax.Call); ok && isSystemWindow(c) {
			if !strings.EqualFold(e.Name.Name, "Id") {
				q.b.fail(e.Name.Span, "use System.Window().Id", "System.Window() has no field %s", e.Name.Name)
				return constant(at, column.Value{})
			}
			return q.windowID(at)
		}
		return &plan.Field{Base: plan.Base{Where: at}, Of: q.expr(e.X), Name: e.Name.Name}
	case *syntax.Subquery:
		q.b.fail(at, "use a JOIN, or a step", "a query inside an expression is not part of the Stream Analytics language")
	case *syntax.Exists: // reported by the parser
	case *syntax.Star:
		q.b.fail(at, "name a column", "* is not allowed here")
	default:
		q.b.fail(at, "", "%s is not part of the Stream Analytics language", q.b.text(at))
	}
	return constant(at, column.Value{})
}

func negate(not bool, e *plan.Call) plan.Expr {
	if not {
		return call(e.Where, column.Bool, "NOT", e)
	}
	return e
}

// literal reads a constant; minus stands before a number that was -literal.
func (q *query) literal(e *syntax.Literal, minus bool) plan.Expr {
	text := e.Text
	if minus {
		text = "-" + text
	}
	switch e.Kind {
	case syntax.NullLit:
		return constant(e.Span, column.Value{})
	case syntax.StringLit:
		return constant(e.Span, column.TextOf(text))
	case syntax.IntLit:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			q.b.fail(e.Span, "write it with a point to make it a float", "%s is outside the range of bigint", text)
		}
		return constant(e.Span, column.IntOf(n))
	case syntax.DecimalLit, syntax.FloatLit:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			q.b.fail(e.Span, "", "%s is outside the range of float", text)
		}
		return constant(e.Span, column.FloatOf(f))
	}
	q.b.fail(e.Span, "", "%s is no literal of the Stream Analytics language", q.b.text(e.Span))
	return constant(e.Span, column.Value{})
}

func (q *query) unary(e *syntax.Unary) plan.Expr {
	if e.Op == "NOT" {
		return q.cond(e)
	}
	if lit, ok := e.X.(*syntax.Literal); ok && e.Op == "-" && lit.Kind >= syntax.IntLit && lit.Kind <= syntax.FloatLit {
		c := q.literal(lit, true).(*plan.Const)
		c.Where = e.Span
		return c
	}
	x := q.expr(e.X)
	kind := x.Type()
	if kind == column.Bool && e.Op == "-" {
		kind = column.Int64
	}
	switch e.Op {
	case "+":
		return x
	case "-":
		q.wantNumber(x, "-")
		return call(e.Span, kind, "NEG", x)
	}
	q.wantNumber(x, "~")
	if kind == column.Float64 {
		kind = column.Int64
	}
	return call(e.Span, kind, "~", x)
}

// wantNumber reports an operand that can be no number.
func (q *query) wantNumber(x plan.Expr, op string) {
	switch k := x.Type(); k {
	case column.Time:
		q.b.fail(x.Span(), "use DATEADD and DATEDIFF", "operator %s does not take a datetime", op)
	case column.Record, column.Array:
		q.b.fail(x.Span(), "", "operator %s does not take a %s", op, k)
	}
}

func (q *query) binary(e *syntax.Binary) plan.Expr {
	switch {
	case e.Op == "AND" || e.Op == "OR":
		return q.connective(e)
	case isComparison(e.Op):
		if b, ok := e.L.(*syntax.Binary); ok && isComparison(b.Op) {
			q.b.warn(e.L.Loc(), notPortable, "a comparison is compared with a value, as a bit; use AND between two comparisons")
			return call(e.Span, column.Bool, e.Op, q.either(e.L), q.expr(e.R))
		}
		l, r := q.expr(e.L), q.expr(e.R)
		if isNullLiteral(e.L) || isNullLiteral(e.R) {
			q.b.warn(e.Span, notPortable, "a comparison with NULL is never true; use IS NULL")
		}
		return call(e.Span, column.Bool, e.Op, l, r)
	}
	l, r := q.expr(e.L), q.expr(e.R)
	q.wantNumber(l, e.Op)
	q.wantNumber(r, e.Op)
	return call(e.Span, arithType(e.Op, l.Type(), r.Type()), e.Op, l, r)
}

// arithType is the static type of an operator's result.
func arithType(op string, l, r column.Kind) column.Kind {
	if op == "&" || op == "|" || op == "^" {
		switch {
		case l == column.Bool && r == column.Bool:
			return column.Bool
		case isNumber(l) && isNumber(r):
			return column.Int64
		}
		return column.Null
	}
	switch {
	case l == column.Text && r == column.Text && op == "+":
		return column.Text
	case l == column.Float64 && isNumber(r), r == column.Float64 && isNumber(l):
		return column.Float64
	case isNumber(l) && isNumber(r):
		return column.Int64
	}
	return column.Null
}

func isNumber(k column.Kind) bool {
	return k == column.Int64 || k == column.Float64 || k == column.Bool
}

// caseExpr binds CASE; a simple one becomes equalities.
func (q *query) caseExpr(e *syntax.Case) plan.Expr {
	out := &plan.Case{Base: plan.Base{Where: e.Span}}
	var operand plan.Expr
	if e.Operand != nil {
		operand = q.expr(e.Operand)
	}
	for _, w := range e.Whens {
		var cond plan.Expr
		if operand != nil && isCondition(w.Cond) {
			q.b.warn(w.Cond.Loc(), notPortable, "a condition stands behind WHEN where CASE has an operand, and is compared with it; use CASE WHEN ... THEN ... ELSE ... END")
			cond = call(w.Cond.Loc(), column.Bool, "=", operand, q.either(w.Cond))
		} else if operand != nil {
			cond = call(w.Cond.Loc(), column.Bool, "=", operand, q.expr(w.Cond))
		} else {
			cond = q.cond(w.Cond)
		}
		out.Whens = append(out.Whens, plan.When{Cond: cond, Then: q.expr(w.Then)})
	}
	if e.Else != nil {
		out.Else = q.expr(e.Else)
	}
	typeCase(out)
	return out
}

// typeCase finds the static type of a CASE. Branches that are all numbers of
// mixed kind are converted to the highest of them.
func typeCase(c *plan.Case) {
	seen := map[column.Kind]bool{}
	branches := make([]*plan.Expr, 0, len(c.Whens)+1)
	for i := range c.Whens {
		branches = append(branches, &c.Whens[i].Then)
	}
	if c.Else != nil {
		branches = append(branches, &c.Else)
	}
	numbers := true
	for _, e := range branches {
		if isNull(*e) {
			continue
		}
		k := (*e).Type()
		seen[k] = true
		numbers = numbers && isNumber(k)
		c.Static = k
	}
	switch {
	case len(seen) <= 1:
	case !numbers:
		c.Static = column.Null
	case seen[column.Float64]:
		c.Static, c.ToFloat = column.Float64, true
	default: // bit and bigint
		c.Static = column.Int64
		for _, e := range branches {
			if (*e).Type() == column.Bool {
				*e = &plan.Cast{Base: plan.Base{Static: column.Int64, Where: (*e).Span()}, Of: *e}
			}
		}
	}
}

func isSystemWindow(c *syntax.Call) bool {
	p := c.Name.Parts
	return len(p) == 2 && strings.EqualFold(p[0].Name, "system") && strings.EqualFold(p[1].Name, "window")
}
