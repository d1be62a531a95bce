package syntax

import "strings"

// strength is how strongly the outermost operator of e binds.
func (p *printer) strength(e Expr) binding {
	switch e := e.(type) {
	case *Unary:
		if e.Op == "NOT" {
			return bindNot
		}
		return bindUnary
	case *Binary:
		return infix[p.dialect][e.Op].bind
	case *IsNull, *IsDistinct, *Between, *In, *Like, *Quantified:
		return bindCompare
	case *Field, *Index, *AtTimeZone, *Collate:
		return bindPostfix
	}
	return bindPostfix + 1
}

// expr writes e, in parentheses if it binds less than min.
func (p *printer) expr(e Expr, min binding) {
	if p.strength(e) < min {
		p.put("(")
		defer p.put(")")
	}
	switch e := e.(type) {
	case *Literal:
		p.literal(e)
	case *Interval:
		p.put("INTERVAL")
		for _, x := range e.Parts {
			p.put(" ")
			p.expr(x.Count, bindUnary)
			if x.Unit != "" {
				p.put(" ", x.Unit)
			}
		}
	case *Path:
		p.parts(e.Parts)
	case *Variable:
		p.put(e.Name)
	case *Param:
		p.put("?")
	case *Star:
		p.put("*")
	case *Unary:
		p.unary(e)
	case *Binary:
		bind := p.strength(e)
		p.expr(e.L, bind)
		p.put(" ", e.Op, " ")
		p.expr(e.R, bind+1)
	case *IsNull:
		p.expr(e.X, bindCompare)
		p.put(" IS ", not(e.Not), "NULL")
	case *IsDistinct:
		p.expr(e.L, bindCompare)
		p.put(" IS ", not(e.Not), "DISTINCT FROM ")
		p.expr(e.R, bindCompare+1)
	case *Between:
		p.expr(e.X, bindCompare)
		p.put(" ", not(e.Not), "BETWEEN ")
		p.expr(e.Lo, bindCompare+1)
		p.put(" AND ")
		p.expr(e.Hi, bindCompare+1)
	case *In:
		p.expr(e.X, bindCompare)
		p.put(" ", not(e.Not), "IN ")
		if e.Query != nil {
			p.parenQuery(e.Query)
		} else {
			p.put("(")
			p.exprs(e.List)
			p.put(")")
		}
	case *Like:
		p.like(e)
	case *Quantified:
		p.expr(e.L, bindCompare)
		p.put(" ", e.Op, " ")
		if e.All {
			p.put("ALL ")
		} else {
			p.put("ANY ")
		}
		p.parenQuery(e.Query)
	case *Exists:
		p.put("EXISTS ")
		p.parenQuery(e.Query)
	case *Subquery:
		p.parenQuery(e.Query)
	case *Case:
		p.caseExpr(e)
	case *Cast:
		p.cast(e)
	case *Call:
		p.call(e)
	case *Field:
		p.holder(e.X)
		p.put(".")
		p.ident(e.Name)
	case *Index:
		p.holder(e.X)
		p.put("[")
		p.expr(e.I, bindOr)
		p.put("]")
	case *AtTimeZone:
		p.expr(e.X, bindPostfix)
		p.put(" AT TIME ZONE ")
		p.expr(e.Zone, bindPostfix+1)
	case *Collate:
		p.expr(e.X, bindPostfix)
		p.put(" COLLATE ")
		p.ident(e.Name)
	case *Grouping:
		p.grouping(e)
	}
}

func not(b bool) string {
	if b {
		return "NOT "
	}
	return ""
}

// holder writes what a field or an element is read of.
func (p *printer) holder(e Expr) {
	switch e.(type) {
	case *Path, *Call, *Field, *Index, *Cast:
		p.expr(e, bindPostfix)
	default:
		p.put("(")
		p.expr(e, bindOr)
		p.put(")")
	}
}

func (p *printer) unary(e *Unary) {
	p.put(e.Op)
	if e.Op == "NOT" {
		p.put(" ")
		p.expr(e.X, bindNot)
		return
	}
	if inner, ok := e.X.(*Unary); ok && inner.Op == "-" { // -- begins a comment
		p.put(" ")
	}
	p.expr(e.X, bindUnary)
}

func (p *printer) like(e *Like) {
	p.expr(e.X, bindCompare)
	p.put(" ", not(e.Not))
	if e.Regex {
		p.put("RLIKE ")
	} else {
		p.put("LIKE ")
	}
	p.expr(e.Pattern, bindCompare+1)
	if e.Escape != nil {
		p.put(" ESCAPE ")
		p.expr(e.Escape, bindCompare+1)
	}
}

func (p *printer) literal(e *Literal) {
	switch e.Kind {
	case NullLit:
		p.put("NULL")
	case StringLit:
		p.str(e.Text)
	case NationalLit:
		p.put("N")
		p.str(e.Text)
	case BinaryLit:
		p.put("0x", e.Text)
	case MoneyLit:
		p.put("$", e.Text)
	default:
		p.put(e.Text)
		if p.dialect == Spark {
			p.put(numberSuffix(e))
		}
	}
}

// numberSuffix tells a number of Spark from one of another type that is written alike.
func numberSuffix(e *Literal) string {
	if e.Suffix != "" {
		return e.Suffix
	}
	point, exponent := false, false
	for _, c := range e.Text {
		point = point || c == '.'
		exponent = exponent || c == 'e' || c == 'E'
	}
	switch {
	case e.Kind == FloatLit && !exponent:
		return "D"
	case e.Kind == DecimalLit && (exponent || !point):
		return "BD"
	}
	return ""
}

func (p *printer) caseExpr(e *Case) {
	p.put("CASE")
	if e.Operand != nil {
		p.put(" ")
		p.expr(e.Operand, bindOr)
	}
	for _, w := range e.Whens {
		p.put(" WHEN ")
		p.expr(w.Cond, bindOr)
		p.put(" THEN ")
		p.expr(w.Then, bindOr)
	}
	if e.Else != nil {
		p.put(" ELSE ")
		p.expr(e.Else, bindOr)
	}
	p.put(" END")
}

func (p *printer) cast(e *Cast) {
	p.put(e.Func, "(")
	if e.Func == "CONVERT" || e.Func == "TRY_CONVERT" {
		p.typeName(e.Type)
		p.put(", ")
		p.expr(e.X, bindOr)
		if e.Style != nil {
			p.put(", ")
			p.expr(e.Style, bindOr)
		}
	} else {
		p.expr(e.X, bindOr)
		p.put(" AS ")
		p.typeName(e.Type)
		if e.Style != nil {
			p.put(" USING ")
			p.expr(e.Style, bindOr)
		}
	}
	p.put(")")
}

func (p *printer) call(e *Call) {
	p.name(e.Name)
	p.put("(")
	if e.Distinct {
		p.put("DISTINCT ")
	}
	if e.All {
		p.put("ALL ")
	}
	p.commas(len(e.Args), func(i int) {
		switch {
		case i == 0 && (e.Distinct || e.All) && p.looksInfix(e.Args[0]):
			p.put("(")
			p.expr(e.Args[0], bindOr)
			p.put(")")
		case i == 0:
			p.guarded(e.Args[i], bindOr)
		default:
			p.expr(e.Args[i], bindOr)
		}
	})
	p.put(")")
	if e.WithinGroup != nil {
		p.put(" WITHIN GROUP (ORDER BY ")
		p.order(e.WithinGroup)
		p.put(")")
	}
	if e.Nulls != "" {
		p.put(" ", e.Nulls, " NULLS")
	}
	if e.Over != nil {
		p.put(" OVER ")
		if e.Over.Name != nil {
			p.ident(*e.Over.Name)
		} else {
			p.overBody(e.Over)
		}
	}
}

// looksInfix reports whether the text of e could go on from a name: behind
// DISTINCT, + x and NOT x are read as a sum and a NOT IN.
func (p *printer) looksInfix(e Expr) bool {
	text := FormatExpr(e, p.dialect)
	return strings.HasPrefix(text, "+") || strings.HasPrefix(text, "NOT ")
}

func (p *printer) overBody(o *Over) {
	p.put("(")
	blank := ""
	next := func() {
		p.put(blank)
		blank = " "
	}
	if o.PartitionBy != nil {
		next()
		p.put("PARTITION BY ")
		p.exprs(o.PartitionBy)
	}
	if o.OrderBy != nil {
		next()
		p.put("ORDER BY ")
		p.order(o.OrderBy)
	}
	if o.Limit != nil {
		next()
		p.put("LIMIT ")
		p.duration(o.Limit)
	}
	if o.When != nil {
		next()
		p.put("WHEN ")
		p.expr(o.When, bindOr)
	}
	if f := o.Frame; f != nil {
		next()
		p.put(f.Unit, " BETWEEN ")
		p.bound(f.From)
		p.put(" AND ")
		p.bound(f.To)
	}
	p.put(")")
}

func (p *printer) duration(d *Duration) {
	p.put("DURATION(")
	p.ident(d.Unit)
	p.put(", ")
	p.expr(d.Count, bindOr)
	p.put(")")
}

func (p *printer) bound(b Bound) {
	switch b.Kind {
	case UnboundedPreceding:
		p.put("UNBOUNDED PRECEDING")
	case UnboundedFollowing:
		p.put("UNBOUNDED FOLLOWING")
	case CurrentRow:
		p.put("CURRENT ROW")
	case Preceding:
		p.expr(b.N, bindAdd)
		p.put(" PRECEDING")
	case Following:
		p.expr(b.N, bindAdd)
		p.put(" FOLLOWING")
	}
}

func (p *printer) grouping(g *Grouping) {
	p.put(g.Kind, " (")
	p.commas(len(g.Sets), func(i int) {
		p.put("(")
		p.exprs(g.Sets[i])
		p.put(")")
	})
	p.put(")")
}
