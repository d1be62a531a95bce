package syntax

func (p *parser) top() *Top {
	from := p.next().span
	t := &Top{}
	switch n := p.tok(); {
	case p.op("("):
		t.Count = p.expr()
		p.needOp(")")
	case n.kind == tokNumber:
		p.next()
		t.Count = &Literal{Span: n.span, Kind: n.num, Text: n.text}
	case n.kind == tokVariable:
		p.next()
		t.Count = &Variable{n.span, n.text}
	default:
		p.unexpected("a number behind TOP")
	}
	t.Percent = p.word("PERCENT")
	t.WithTies = p.word("WITH", "TIES")
	t.Span = p.span(from)
	if p.dialect == ASA {
		p.report(t.Span, "use CollectTop(n) OVER (ORDER BY ...)", "TOP is not part of the Stream Analytics language")
	}
	return t
}

func (p *parser) item() Item {
	from := p.tok()
	i := Item{}
	switch {
	case p.op("*"):
		i.Star = true
	case p.starPath() > 0:
		i.Star = true
		i.Of = &Path{}
		for n := p.starPath(); n > 0; n-- {
			i.Of.Parts = append(i.Of.Parts, p.part())
			p.next() // the dot
		}
		i.Of.Span = Span{from.span.From, i.Of.Parts[len(i.Of.Parts)-1].To}
		p.needOp("*")
	case from.kind == tokVariable && p.isOp(1, "="):
		p.next()
		p.next()
		i.Assign = from.text
		i.Expr = p.expr()
	case p.isName(0) && p.isOp(1, "="):
		alias := p.ident()
		p.next()
		i.Alias = &alias
		i.Expr = p.expr()
	case p.isWord(0, "FROM"), p.isWord(0, "INTO"):
		p.unexpected("a column")
	default:
		i.Expr = p.expr()
		i.Alias = p.alias(true)
	}
	i.Span = p.span(from.span)
	return i
}

// starPath returns the number of parts of `a.b.*` here, 0 if there is none.
func (p *parser) starPath() int {
	if !p.isName(0) {
		return 0
	}
	for n := 1; p.isOp(2*n-1, "."); n++ {
		if p.isOp(2*n, "*") {
			return n
		}
		if k := p.peek(2 * n).kind; k != tokName && k != tokQuoted {
			return 0
		}
	}
	return 0
}

// alias reads [AS] name; with AS a column's alias may be a string.
func (p *parser) alias(column bool) *Ident {
	if p.word("AS") {
		if t := p.tok(); column && t.kind == tokString {
			p.next()
			return &Ident{t.span, t.text, '\''}
		}
		name := p.ident()
		return &name
	}
	if p.isName(0) && !p.clauseAhead() {
		name := p.ident()
		return &name
	}
	return nil
}

// clauseAhead reports whether the word here begins a clause, though it is not
// reserved, so that it cannot be a bare alias.
func (p *parser) clauseAhead() bool {
	t := p.tok()
	if t.kind != tokName {
		return false
	}
	next := p.peek(1)
	switch t.word {
	case "TIMESTAMP", "VERSION":
		return next.word == "BY" || next.word == "AS" && p.isWord(2, "OF")
	case "PARTITION", "ORDER", "CLUSTER":
		return next.word == "BY"
	case "MATCH_RECOGNIZE":
		return p.isOp(1, "(")
	case "SEMI", "ANTI":
		return p.dialect == Spark && next.word == "JOIN"
	case "RIGHT", "FULL":
		return next.word == "JOIN" || next.word == "OUTER"
	case "LIMIT", "OFFSET":
		return next.word == "DURATION" || next.kind == tokNumber || next.kind == tokVariable || p.dialect != ASA && p.isOp(1, "(")
	case "NATURAL":
		return p.dialect == ASA && next.word == "JOIN"
	case "GO":
		before := p.toks[p.pos-1].span.To.Line
		return p.dialect == ASA && t.span.From.Line > before && (next.kind == tokEOF || next.span.From.Line > t.span.To.Line)
	case "TUMBLINGWINDOW", "HOPPINGWINDOW", "SLIDINGWINDOW", "SESSIONWINDOW":
		return p.dialect == ASA && p.isOp(1, "(")
	case "FETCH":
		return next.word == "NEXT" || next.word == "FIRST"
	case "EXCEPT", "INTERSECT", "MINUS":
		return p.isSetWord(t.word)
	case "AFTER":
		return next.word == "MATCH"
	case "PATTERN":
		return p.isOp(1, "(")
	case "WINDOW":
		return p.isWord(2, "AS")
	case "FOR":
		return next.word == "SYSTEM_TIME"
	case "DECLARE", "SET":
		return next.kind == tokVariable || len(next.text) > 0 && next.text[0] == '@'
	case "OPTIMIZE", "VACUUM", "DESCRIBE", "RESTORE", "ANALYZE", "EXPLAIN":
		return p.dialect != ASA && next.kind == tokName && next.word != "WHERE"
	}
	return false
}
