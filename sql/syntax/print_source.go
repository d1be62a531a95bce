package syntax

var joinWords = [...]string{InnerJoin: "JOIN", LeftJoin: "LEFT JOIN", RightJoin: "RIGHT JOIN", FullJoin: "FULL JOIN", CrossJoin: "CROSS JOIN", SemiJoin: "LEFT SEMI JOIN", AntiJoin: "LEFT ANTI JOIN"}

func (p *printer) source(s Source) {
	switch s := s.(type) {
	case *TableRef:
		p.name(s.Name)
		if s.AsOf != nil {
			p.put(" ")
			p.asOf(s.AsOf)
		}
		p.ref(&s.Ref)
	case *Derived:
		p.parenQuery(s.Query)
		p.ref(&s.Ref)
	case *TableFunc:
		p.expr(s.Call, bindOr)
		if s.With != nil {
			p.put(" WITH (")
			p.commas(len(s.With), func(i int) {
				c := &s.With[i]
				p.ident(c.Name)
				p.put(" ")
				p.typeName(c.Type)
				if c.Ordinal != nil {
					p.put(" ")
					p.expr(c.Ordinal, bindOr)
				}
				if c.AsJSON {
					p.put(" AS JSON")
				}
			})
			p.put(")")
		}
		p.ref(&s.Ref)
	case *Join:
		p.source(s.Left)
		p.line()
		p.put(joinWords[s.Kind], " ")
		p.right(s.Right)
		if s.On != nil {
			p.put(" ON ")
			p.expr(s.On, bindOr)
		}
	case *Apply:
		p.source(s.Left)
		p.line()
		if s.Outer {
			p.put("OUTER APPLY ")
		} else {
			p.put("CROSS APPLY ")
		}
		p.right(s.Right)
	}
}

func (p *printer) right(s Source) {
	switch s.(type) {
	case *Join, *Apply:
		p.put("(")
		p.source(s)
		p.put(")")
	default:
		p.source(s)
	}
}

func (p *printer) asOf(a *AsOf) {
	if a.Version {
		p.put("VERSION AS OF ")
	} else {
		p.put("TIMESTAMP AS OF ")
	}
	p.expr(a.At, bindCompare+1)
}

func (p *printer) ref(r *Ref) {
	if r.Alias != nil {
		p.put(" AS ")
		p.ident(*r.Alias)
	}
	if r.Columns != nil {
		p.idents(r.Columns)
	}
	if t := r.Timestamp; t != nil {
		p.put(" TIMESTAMP BY ")
		if _, plain := t.Expr.(*Path); plain || t.Over == nil {
			p.expr(t.Expr, bindOr)
		} else { // f(x) OVER (..) would be one call
			p.put("(")
			p.expr(t.Expr, bindOr)
			p.put(")")
		}
		if t.Over != nil {
			p.put(" OVER ")
			p.exprs(t.Over)
		}
	}
	if b := r.Partition; b != nil {
		p.put(" PARTITION BY ")
		p.exprs(b.Keys)
		if b.Into != nil {
			p.put(" INTO ")
			p.expr(b.Into, bindOr)
		}
	}
	if r.Match != nil {
		p.match(r.Match)
	}
}

func (p *printer) match(m *MatchRecognize) {
	p.put(" MATCH_RECOGNIZE (")
	if m.Limit != nil {
		p.put("LIMIT ")
		p.duration(m.Limit)
		p.put(" ")
	}
	if m.PartitionBy != nil {
		p.put("PARTITION BY ")
		p.exprs(m.PartitionBy)
		p.put(" ")
	}
	if m.Measures != nil {
		p.put("MEASURES ")
		p.commas(len(m.Measures), func(i int) { p.item(&m.Measures[i]) })
		p.put(" ")
	}
	p.put("AFTER MATCH SKIP TO NEXT ROW PATTERN (")
	p.pattern(m.Pattern, false)
	p.put(")")
	if m.Define != nil {
		p.put(" DEFINE ")
		p.commas(len(m.Define), func(i int) {
			p.ident(*m.Define[i].Alias)
			p.put(" AS ")
			p.expr(m.Define[i].Expr, bindOr)
		})
	}
	p.put(")")
	if m.Alias != nil {
		p.put(" AS ")
		p.ident(*m.Alias)
	}
}

func (p *printer) pattern(n *Pattern, inner bool) {
	switch n.Kind {
	case PatternVar:
		p.ident(n.Name)
	case PatternAny:
		p.put(".")
	default:
		parens := inner || n.Quant != ""
		if parens {
			p.put("(")
		}
		for i, part := range n.Parts {
			if i > 0 && n.Kind == PatternAlt {
				p.put(" | ")
			} else if i > 0 {
				p.put(" ")
			}
			p.pattern(part, true)
		}
		if parens {
			p.put(")")
		}
	}
	p.put(n.Quant)
}
