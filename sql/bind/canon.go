package bind

import (
	"strings"

	"spate/sql/syntax"
)

// canon is a text that is equal for expressions that mean the same over one
// scope: names in lower case, of an only source without the alias, of several with it.
func canon(e syntax.Expr, sc *scope) string {
	c := &canonical{scope: sc}
	c.expr(e)
	return c.b.String()
}

type canonical struct {
	b     strings.Builder
	scope *scope
}

func (c *canonical) put(s string) { c.b.WriteString(s) }

func (c *canonical) list(head string, es ...syntax.Expr) {
	c.put(head + "(")
	for i, e := range es {
		if i > 0 {
			c.put(", ")
		}
		if e != nil {
			c.expr(e)
		}
	}
	c.put(")")
}

func (c *canonical) names(names ...string) {
	for _, n := range names {
		c.put("[" + strings.ReplaceAll(strings.ToLower(n), "]", "]]") + "]")
	}
}

// path names a column by its source, whether or not the script does.
func (c *canonical) path(p *syntax.Path) {
	names := partNames(p.Parts)
	if c.scope.single() != nil {
		c.names(c.scope.unqualified(names)...)
		return
	}
	src, rest, rival := c.scope.resolve(names)
	if src == nil || rival != nil {
		c.names(names...)
		return
	}
	c.names(src.alias)
	c.put(".")
	c.names(rest...)
}

func (c *canonical) expr(e syntax.Expr) {
	if isSystemTimestamp(e) {
		c.put("timestamp()")
		return
	}
	switch e := e.(type) {
	case *syntax.Literal:
		if e.Kind == syntax.StringLit {
			c.put("'" + strings.ReplaceAll(e.Text, "'", "''") + "'")
		} else {
			c.put(e.Text + ":" + string(rune('0'+e.Kind)))
		}
	case *syntax.Path:
		c.path(e)
	case *syntax.Star:
		c.put("*")
	case *syntax.Unary:
		c.list(e.Op, e.X)
	case *syntax.Binary:
		c.list(e.Op, e.L, e.R)
	case *syntax.IsNull:
		c.list(negated("null", e.Not), e.X)
	case *syntax.Between:
		c.list(negated("between", e.Not), e.X, e.Lo, e.Hi)
	case *syntax.In:
		c.list(negated("in", e.Not), append([]syntax.Expr{e.X}, e.List...)...)
	case *syntax.Like:
		c.list(negated("like", e.Not), e.X, e.Pattern, e.Escape)
	case *syntax.Cast:
		c.list(e.Func+" "+syntax.FormatType(e.Type), e.X)
	case *syntax.Field:
		c.list("field", e.X)
		c.names(e.Name.Name)
	case *syntax.Case:
		c.put("case(")
		if e.Operand != nil {
			c.expr(e.Operand)
		}
		for _, w := range e.Whens {
			c.list("when", w.Cond, w.Then)
		}
		if e.Else != nil {
			c.list("else", e.Else)
		}
		c.put(")")
	case *syntax.Call:
		c.call(e)
	default:
		c.put(syntax.FormatExpr(e, syntax.ASA))
	}
}

func negated(s string, not bool) string {
	if not {
		return "not " + s
	}
	return s
}

func (c *canonical) call(e *syntax.Call) {
	c.names(partNames(e.Name.Parts)...)
	head := ""
	if e.Distinct {
		head = "distinct"
	}
	c.list(head, e.Args...)
	if o := e.Over; o != nil {
		c.list("partition", o.PartitionBy...)
		for _, it := range o.OrderBy {
			c.list(negated("order", it.Desc), it.Expr)
		}
		if o.Limit != nil {
			c.list("limit "+strings.ToLower(o.Limit.Unit.Name), o.Limit.Count)
		}
		if o.When != nil {
			c.list("when", o.When)
		}
	}
}

// walk visits e and what it holds until visit returns false for a branch.
func walk(e syntax.Expr, visit func(syntax.Expr) bool) {
	if e == nil || !visit(e) {
		return
	}
	each := func(es ...syntax.Expr) {
		for _, e := range es {
			if e != nil {
				walk(e, visit)
			}
		}
	}
	switch e := e.(type) {
	case *syntax.Unary:
		each(e.X)
	case *syntax.Binary:
		each(e.L, e.R)
	case *syntax.IsNull:
		each(e.X)
	case *syntax.Between:
		each(e.X, e.Lo, e.Hi)
	case *syntax.In:
		each(e.X)
		each(e.List...)
	case *syntax.Like:
		each(e.X, e.Pattern, e.Escape)
	case *syntax.Cast:
		each(e.X)
	case *syntax.Field:
		each(e.X)
	case *syntax.Case:
		each(e.Operand)
		for _, w := range e.Whens {
			each(w.Cond, w.Then)
		}
		each(e.Else)
	case *syntax.Call:
		each(e.Args...)
		if o := e.Over; o != nil {
			each(o.PartitionBy...)
			for _, k := range o.OrderBy {
				each(k.Expr)
			}
			each(o.When)
		}
	}
}

// containsCall reports whether e calls the function name.
func containsCall(e syntax.Expr, name string) bool {
	found := false
	walk(e, func(e syntax.Expr) bool {
		if c, ok := e.(*syntax.Call); ok && callName(c) == name {
			found = true
		}
		return !found
	})
	return found
}
