package syntax

func (p *parser) expr() Expr { return p.binary(bindOr) }

// binary reads an expression whose operators bind at least as strongly as min.
func (p *parser) binary(min binding) Expr {
	p.enter()
	defer p.leave()
	left := p.prefix(min)
	for n := 0; p.chain(n); n++ {
		if min <= bindCompare {
			if e := p.predicate(left); e != nil {
				left = e
				continue
			}
		}
		t := p.tok()
		op, ok := operator{}, false
		if t.kind == tokOp {
			op, ok = infix[p.dialect][t.text]
		} else if t.kind == tokName {
			op, ok = infix[p.dialect][t.word]
		}
		if !ok || op.bind < min {
			break
		}
		p.next()
		if q := p.quantified(left, op); q != nil {
			left = q
			continue
		}
		right := p.binary(op.bind + 1)
		left = &Binary{p.span(left.Loc()), op.op, left, right}
	}
	return left
}

// quantified reads ANY (query) or ALL (query) behind a comparison.
func (p *parser) quantified(left Expr, op operator) Expr {
	if p.dialect == ASA || op.bind != bindCompare || !p.isOp(1, "(") || !p.isWord(2, "SELECT") {
		return nil
	}
	all := p.isWord(0, "ALL")
	if !all && !p.isWord(0, "ANY") && !p.isWord(0, "SOME") {
		return nil
	}
	p.next()
	q := p.parenQuery()
	return &Quantified{p.span(left.Loc()), op.op, left, all, q}
}

// predicate reads IS, LIKE, BETWEEN or IN behind x; nil if there is none.
func (p *parser) predicate(x Expr) Expr {
	from := x.Loc()
	if p.word("IS") {
		not := p.word("NOT")
		if p.word("DISTINCT") {
			p.needWord("FROM")
			r := p.binary(bindCompare + 1)
			return &IsDistinct{p.span(from), x, r, not}
		}
		p.needWord("NULL")
		return &IsNull{p.span(from), x, not}
	}
	skip := 0
	if p.isWord(0, "NOT") {
		skip = 1
	}
	regex := p.dialect == Spark && p.isWord(skip, "RLIKE")
	if !regex && !p.isWord(skip, "LIKE") && !p.isWord(skip, "BETWEEN") && !p.isWord(skip, "IN") {
		return nil
	}
	not := p.word("NOT")
	switch p.next().word {
	case "BETWEEN":
		lo := p.binary(bindCompare + 1)
		p.need("AND", "write BETWEEN a AND b")
		hi := p.binary(bindCompare + 1)
		return &Between{p.span(from), x, lo, hi, not}
	case "IN":
		in := &In{X: x, Not: not}
		if p.isOp(0, "(") && p.queryAhead() {
			in.Query = p.parenQuery()
		} else {
			if p.dialect == ASA && !p.isOp(0, "(") {
				p.stopped("'('", "write IN ('a', 'b')")
			}
			in.List = inParens(p, p.expr)
		}
		in.Span = p.span(from)
		return in
	}
	like := &Like{X: x, Not: not, Regex: regex}
	like.Pattern = p.binary(bindCompare + 1)
	if !regex && p.word("ESCAPE") {
		like.Escape = p.binary(bindCompare + 1)
	}
	like.Span = p.span(from)
	return like
}

func (p *parser) prefix(min binding) Expr {
	from := p.tok().span
	if min <= bindNot && p.word("NOT") {
		x := p.binary(bindNot)
		return &Unary{p.span(from), "NOT", x}
	}
	for _, op := range [...]string{"-", "+", "~"} {
		if p.op(op) {
			x := p.binary(bindUnary)
			return &Unary{p.span(from), op, x}
		}
	}
	return p.postfix(p.primary())
}

func (p *parser) postfix(x Expr) Expr {
	from := x.Loc()
	for n := 0; p.chain(n); n++ {
		switch {
		case p.isOp(0, ".") && !p.isOp(1, "*"):
			p.next()
			name := p.part()
			if path, ok := x.(*Path); ok { // (a).b
				x = &Path{p.span(from), append(path.Parts[:len(path.Parts):len(path.Parts)], name)}
			} else {
				x = &Field{p.span(from), x, name}
			}
		case p.dialect == Spark && p.op("["):
			i := p.expr()
			p.needOp("]")
			x = &Index{p.span(from), x, i}
		case p.dialect == Spark && p.op("::"):
			t := p.typeName()
			x = &Cast{Span: p.span(from), Func: "CAST", X: x, Type: t}
		case p.dialect != ASA && p.word("COLLATE"):
			name := p.ident()
			x = &Collate{p.span(from), x, name}
		case p.dialect != ASA && p.word("AT", "TIME", "ZONE"):
			zone := p.primary()
			x = &AtTimeZone{p.span(from), x, zone}
		default:
			return x
		}
	}
	return x
}

func (p *parser) primary() Expr {
	t := p.tok()
	switch t.kind {
	case tokNumber:
		p.next()
		return &Literal{Span: t.span, Kind: t.num, Text: t.text, Suffix: t.suffix}
	case tokString:
		p.next()
		if t.national {
			return &Literal{Span: t.span, Kind: NationalLit, Text: t.text}
		}
		return &Literal{Span: t.span, Kind: StringLit, Text: t.text}
	case tokBinary:
		p.next()
		return &Literal{Span: t.span, Kind: BinaryLit, Text: t.text}
	case tokVariable:
		p.next()
		return &Variable{t.span, t.text}
	case tokName, tokQuoted:
		return p.named()
	case tokOp:
		switch {
		case t.text == "(" && p.queryAhead():
			q := p.parenQuery()
			return &Subquery{p.span(t.span), q}
		case t.text == "(":
			p.next()
			x := p.expr()
			p.needOp(")")
			return x
		case t.text == "?" && p.dialect == TSQL:
			p.next()
			p.params++
			return &Param{t.span, p.params - 1}
		case t.text == "{" && p.dialect == TSQL:
			return p.odbc()
		}
	}
	p.unexpected("an expression")
	return &Literal{Span: t.span}
}

// named reads what begins with a word.
func (p *parser) named() Expr {
	t := p.tok()
	call := p.isOp(1, "(")
	if t.kind == tokName {
		switch {
		case t.word == "NULL":
			p.next()
			return &Literal{Span: t.span}
		case p.dialect == Spark && (t.word == "TRUE" || t.word == "FALSE"):
			p.next()
			return &Literal{Span: t.span, Kind: BoolLit, Text: t.word}
		case t.word == "CASE":
			return p.caseExpr()
		case t.word == "EXISTS" && call && (p.dialect != ASA || p.isWord(2, "SELECT")):
			if p.dialect == ASA {
				p.report(t.span, "use a JOIN", "EXISTS is not part of the Stream Analytics language")
			}
			p.next()
			q := p.parenQuery()
			return &Exists{p.span(t.span), q}
		case call && (t.word == "CAST" || t.word == "TRY_CAST"),
			call && p.dialect == TSQL && (t.word == "PARSE" || t.word == "TRY_PARSE"):
			return p.cast()
		case call && p.dialect == TSQL && (t.word == "CONVERT" || t.word == "TRY_CONVERT"):
			return p.convert()
		case call && (t.word == "LEFT" || t.word == "RIGHT"):
			p.next()
			return p.call(&Name{t.span, []Ident{t.ident()}})
		case p.dialect == Spark && t.word == "INTERVAL" && (p.numberAt(1) || p.peek(1).kind == tokString || p.isOp(1, "-") && p.numberAt(2)):
			return p.interval()
		case p.dialect == Spark && (t.word == "DATE" || t.word == "TIMESTAMP") && p.peek(1).kind == tokString:
			p.next()
			s := p.next()
			x := &Literal{Span: s.span, Kind: StringLit, Text: s.text}
			return &Cast{Span: p.span(t.span), Func: "CAST", X: x, Type: &TypeName{Span: t.span, Name: t.word}}
		}
	}
	if !p.isName(0) {
		p.unexpected("an expression")
		return &Literal{Span: t.span}
	}
	n := &Name{Parts: []Ident{p.ident()}}
	for p.isOp(0, ".") && !p.isOp(1, "*") && p.chain(len(n.Parts)) {
		p.next()
		if p.dialect == TSQL && p.isOp(0, ".") {
			n.Parts = append(n.Parts, Ident{Span: p.tok().span})
			continue
		}
		n.Parts = append(n.Parts, p.part())
	}
	n.Span = p.span(t.span)
	if p.isOp(0, "(") {
		return p.call(n)
	}
	return &Path{n.Span, n.Parts}
}

const caseForm = "use CASE WHEN ... THEN ... ELSE ... END"

func (p *parser) caseExpr() Expr {
	from := p.next().span
	c := &Case{}
	if !p.isWord(0, "WHEN") {
		c.Operand = p.expr()
	}
	for p.word("WHEN") {
		cond := p.expr()
		p.need("THEN", caseForm)
		then := p.expr()
		c.Whens = append(c.Whens, When{cond, then})
	}
	if len(c.Whens) == 0 {
		p.need("WHEN", caseForm)
	}
	if p.word("ELSE") {
		c.Else = p.expr()
	}
	p.need("END", caseForm)
	c.Span = p.span(from)
	return c
}

// cast reads CAST(x AS type) and its kin.
func (p *parser) cast() Expr {
	t := p.next()
	c := &Cast{Func: t.word}
	p.needOp("(")
	c.X = p.expr()
	p.need("AS", "write CAST(x AS type)")
	c.Type = p.typeName()
	if (c.Func == "PARSE" || c.Func == "TRY_PARSE") && p.word("USING") {
		c.Style = p.expr()
	}
	p.needOp(")")
	c.Span = p.span(t.span)
	return c
}

// convert reads CONVERT(type, x [, style]).
func (p *parser) convert() Expr {
	t := p.next()
	c := &Cast{Func: t.word}
	p.needOp("(")
	c.Type = p.typeName()
	p.needOp(",")
	c.X = p.expr()
	if p.op(",") {
		c.Style = p.expr()
	}
	p.needOp(")")
	c.Span = p.span(t.span)
	return c
}

// interval reads INTERVAL with its counts and units.
func (p *parser) interval() Expr {
	from := p.next().span
	x := &Interval{}
	for n := 0; p.chain(n); n++ {
		if n > 0 && !p.numberAt(0) && p.tok().kind != tokString && !(p.isOp(0, "-") && p.numberAt(1)) {
			break
		}
		part := IntervalPart{Count: p.prefix(bindUnary)}
		if t := p.tok(); t.kind == tokName && intervalUnits[t.word] {
			part.Unit = p.next().word
		}
		x.Parts = append(x.Parts, part)
		if part.Unit == "" {
			break
		}
	}
	x.Span = p.span(from)
	return x
}

// odbc reads {d '..'}, {t '..'}, {ts '..'} and {fn f()}.
func (p *parser) odbc() Expr {
	from := p.next().span
	var x Expr
	t := p.tok()
	typ := map[string]string{"D": "DATE", "T": "TIME", "TS": "DATETIME"}[t.word]
	switch {
	case t.word == "FN":
		p.next()
		x = p.expr()
	case typ != "" && p.peek(1).kind == tokString:
		p.next()
		s := p.next()
		x = &Cast{Span: s.span, Func: "CAST", X: &Literal{Span: s.span, Kind: StringLit, Text: s.text}, Type: &TypeName{Span: t.span, Name: typ}}
	default:
		p.unexpected("d, t, ts or fn")
		return &Literal{Span: from}
	}
	p.needOp("}")
	return x
}
