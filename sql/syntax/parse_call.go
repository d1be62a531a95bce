package syntax

// call reads a call from its opening parenthesis on.
func (p *parser) call(n *Name) Expr {
	c := &Call{Name: n}
	p.needOp("(")
	if !p.isOp(0, ")") {
		switch {
		case p.isWord(0, "DISTINCT") && p.argStarts(1):
			p.next()
			c.Distinct = true
		case p.isWord(0, "ALL") && p.argStarts(1):
			p.next()
			c.All = true
		}
		c.Args = list(p, p.arg)
		p.nullsClause(c)
	}
	p.needOp(")")
	if p.word("WITHIN", "GROUP") {
		p.needOp("(")
		p.needWord("ORDER", "BY")
		c.WithinGroup = list(p, p.orderItem)
		p.needOp(")")
	}
	p.nullsClause(c)
	if p.isWord(0, "OVER") && (p.isOp(1, "(") || p.dialect != ASA && p.isName(1)) {
		c.Over = p.over()
	}
	c.Span = p.span(n.Span)
	return c
}

func (p *parser) nullsClause(c *Call) {
	for _, w := range [...]string{"IGNORE", "RESPECT"} {
		if c.Nulls == "" && p.word(w, "NULLS") {
			c.Nulls = w
		}
	}
}

// argStarts reports whether the n-th token from here can begin an argument
// behind DISTINCT or ALL, which are names otherwise.
func (p *parser) argStarts(n int) bool {
	t := p.peek(n)
	if t.kind == tokOp {
		return t.text == "(" || t.text == "-" || t.text == "~" || t.text == "*"
	}
	return t.kind != tokEOF && (t.kind != tokName || !reserved[p.dialect][t.word] || t.word == "CASE" || t.word == "NULL" || t.word == "LEFT")
}

func (p *parser) arg() Expr {
	t := p.tok()
	if p.isOp(0, "*") && (p.isOp(1, ")") || p.isOp(1, ",")) {
		p.next()
		return &Star{t.span}
	}
	if p.isWord(0, "BULK") && p.peek(1).kind == tokString {
		p.next()
		s := p.next()
		bulk := &Path{t.span, []Ident{t.ident()}}
		return &Binary{p.span(t.span), "=", bulk, &Literal{Span: s.span, Kind: StringLit, Text: s.text}}
	}
	return p.expr()
}

func (p *parser) over() *Over {
	from := p.next().span
	o := &Over{}
	if p.isName(0) {
		name := p.ident()
		o.Name = &name
		o.Span = p.span(from)
		return o
	}
	p.overBody(o)
	o.Span = p.span(from)
	return o
}

// overBody reads the parenthesised part; its clauses come in any order.
func (p *parser) overBody(o *Over) {
	p.needOp("(")
	for !p.failed && !p.isOp(0, ")") {
		at := p.tok()
		twice := false
		switch {
		case p.word("PARTITION", "BY"):
			twice = o.PartitionBy != nil
			o.PartitionBy = list(p, p.expr)
		case p.word("ORDER", "BY"):
			twice = o.OrderBy != nil
			o.OrderBy = list(p, p.orderItem)
		case p.isWord(0, "LIMIT"):
			twice = o.Limit != nil
			o.Limit = p.limitDuration()
		case p.word("WHEN"):
			twice = o.When != nil
			o.When = p.expr()
		case p.isWord(0, "ROWS"), p.isWord(0, "RANGE"):
			twice = o.Frame != nil
			o.Frame = p.frame()
		default:
			p.unexpected("PARTITION BY, ORDER BY, LIMIT DURATION, WHEN or ')'")
		}
		if twice {
			p.fail(at.span, "", "%s stands twice in OVER", at.word)
		}
	}
	p.needOp(")")
}

func (p *parser) limitDuration() *Duration {
	from := p.next().span
	p.needWord("DURATION")
	d := &Duration{}
	p.needOp("(")
	d.Unit = p.ident()
	p.needOp(",")
	d.Count = p.expr()
	p.needOp(")")
	d.Span = p.span(from)
	return d
}

func (p *parser) frame() *Frame {
	t := p.next()
	f := &Frame{Unit: t.word}
	if p.word("BETWEEN") {
		f.From = p.bound()
		p.needWord("AND")
		f.To = p.bound()
	} else {
		f.From = p.bound()
		f.To = Bound{Kind: CurrentRow}
	}
	f.Span = p.span(t.span)
	return f
}

func (p *parser) bound() Bound {
	switch {
	case p.word("UNBOUNDED", "PRECEDING"):
		return Bound{Kind: UnboundedPreceding}
	case p.word("UNBOUNDED", "FOLLOWING"):
		return Bound{Kind: UnboundedFollowing}
	case p.word("CURRENT", "ROW"):
		return Bound{Kind: CurrentRow}
	}
	n := p.binary(bindAdd)
	if p.word("FOLLOWING") {
		return Bound{Following, n}
	}
	p.needWord("PRECEDING")
	return Bound{Preceding, n}
}

func (p *parser) orderItem() OrderItem {
	from := p.tok().span
	o := OrderItem{Expr: p.expr()}
	if p.word("DESC") {
		o.Desc = true
	} else {
		p.word("ASC")
	}
	for _, w := range [...]string{"FIRST", "LAST"} {
		if p.word("NULLS", w) {
			o.Nulls = w
		}
	}
	o.Span = p.span(from)
	return o
}

// typeName reads a type with its arguments or element types.
func (p *parser) typeName() *TypeName {
	p.enter()
	defer p.leave()
	from := p.tok()
	if from.kind != tokName && from.kind != tokQuoted {
		p.unexpected("a type")
		return &TypeName{Span: from.span}
	}
	p.next()
	t := &TypeName{Name: upper(from.text)}
	if t.Name == "DOUBLE" && p.word("PRECISION") {
		t.Name = "DOUBLE PRECISION"
	}
	if p.op("(") {
		t.Args = list(p, func() string {
			a := p.tok()
			if a.kind != tokNumber && a.kind != tokName {
				p.unexpected("a length")
				return ""
			}
			p.next()
			return upper(a.text)
		})
		p.needOp(")")
	} else if p.op("<") {
		t.Elems = list(p, func() TypeField { return p.typeField(t.Name == "STRUCT") })
		p.needOp(">")
	}
	t.Span = p.span(from.span)
	return t
}

func (p *parser) typeField(named bool) TypeField {
	f := TypeField{}
	if named {
		f.Name = p.part()
		p.op(":")
	}
	f.Type = p.typeName()
	return f
}
